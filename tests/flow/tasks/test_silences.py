"""The tasks of a run silence, renew and end, and none of them waits for that or fails of it."""

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes import silencing
from changewindow.changes.handover import Decision
from changewindow.changes.silencing import Silencing
from changewindow.cli.airflow_api import wait_for
from changewindow.flow.tasks import gate
from changewindow.flow.tasks.silences import open_silences, silences_renewed
from changewindow.ledger.database import Ledger
from servers.silence_apis import Place, acts
from support.recording_server import RecordingServer, Reply
from support.started_change import StartedChange

MUTED = {"kind": "grafana", "connection": "grafana", "matchers": ['service="orders"', 'severity="warning"']}
GOOD, BAD = Decision(route="succeed", reason="good for 1m"), Decision(route="undo", reason="errors = 7")
OPEN, END = (
    "POST /api/alertmanager/grafana/api/v2/silences",
    "DELETE /api/alertmanager/grafana/api/v2/silence/ID",
)


@pytest.fixture
def silencing_change(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> StartedChange:
    """Return a change that silences something, whose run has passed the gate, with both steps applied."""
    known = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(known))
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    made = StartedChange(tmp_path, ledger, silence=[MUTED])
    made.apply(1)
    made.apply(2)
    return made


def served(product: Place) -> RecordingServer:
    """Return the server behind a product."""
    assert product.server
    return product.server


def hang(product: Place) -> threading.Event:
    """Let the product take requests and answer none until the event is set."""
    going_on = threading.Event()

    def late(_: object) -> Reply:
        going_on.wait(30)
        return Reply(is_lost=True)

    served(product).otherwise = late
    return going_on


def test_what_the_gate_has_silenced_is_ended_after_the_outcome_is_known(
    silencing_change: StartedChange, product: Place
) -> None:
    """Whether the change is kept or not; the record says both."""
    open_silences(silencing_change.run("gate"))
    silencing_change.hand_over("watch", GOOD)
    silencing_change.task_instance.states["succeed"] = "success"
    silencing_change.do("close")
    assert acts(served(product))[-1] == END
    assert [kind for kind in silencing_change.kinds() if kind == "closed" or "silence" in kind] == [
        *("silenced", "closed", "silence_ended"),
    ]


def test_a_close_that_died_before_it_ended_them_ends_them_at_its_next_try(
    silencing_change: StartedChange, product: Place
) -> None:
    """The outcome is recorded by then, and stays."""
    open_silences(silencing_change.run("gate"))
    run = silencing_change.run("close")
    run.spool.close(silencing_change.change.id, run=run.id, outcome="rolled_back", reason="bad", now=datetime.now(UTC))
    with pytest.raises(AirflowFailException, match="is rolled_back: this run is closed"):
        silencing_change.do("close")
    assert acts(served(product)) == [OPEN, END]


def test_a_run_that_never_held_the_change_asks_nobody(silencing_change: StartedChange, product: Place) -> None:
    """Its close ends what other runs have silenced as little as it rolls them back."""
    open_silences(silencing_change.run("gate"))
    begun = len(served(product).requests)
    run: Any = silencing_change.run("close")
    run.context["run_id"] = "another"
    with pytest.raises(AirflowFailException):
        silencing_change.dag.get_task("close").execute(run.context)
    assert len(served(product).requests) == begun


@pytest.mark.parametrize("is_resolved", [True, False], ids=["a product that hangs", "a name that is not resolved"])
def test_a_gate_does_not_wait_long(
    silencing_change: StartedChange, product: Place, monkeypatch: pytest.MonkeyPatch, *, is_resolved: bool
) -> None:
    """Steps begin at most so much later, and the record says why people are told."""
    monkeypatch.setattr(silencing, "WITHIN", 0.5)
    going_on, resolve = hang(product), socket.getaddrinfo

    def resolved(name: str, *more: Any, **named: Any) -> Any:
        return resolve(name, *more, **named) if is_resolved or name != "grafana.test" else going_on.wait(20)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    if not is_resolved:
        known = {"conn_type": "http", "host": "http://grafana.test", "password": "t"}
        monkeypatch.setenv("AIRFLOW_CONN_GRAFANA", json.dumps(known))
    began = time.monotonic()
    open_silences(silencing_change.run("gate"))
    assert time.monotonic() - began < 15
    going_on.set()
    assert silencing_change.kinds()[-1] == "silence_failed"


def test_an_undo_does_not_wait_for_a_product_that_hangs(silencing_change: StartedChange, product: Place) -> None:
    """The way back comes first."""
    going_on = hang(product)
    silencing_change.hand_over("watch", BAD)
    began = time.monotonic()
    silencing_change.do("undo_2")
    assert time.monotonic() - began < silencing.WITHIN / 2
    assert silencing_change.undone(2).exists()
    going_on.set()


def test_a_close_does_not_wait_long_for_a_product_that_hangs(
    silencing_change: StartedChange, product: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome is recorded before; the silence lapses."""
    monkeypatch.setattr(silencing, "WITHIN", 0.5)
    going_on = hang(product)
    with pytest.raises(AirflowFailException, match="is rolled_back"):
        silencing_change.do("close")
    going_on.set()
    kinds = silencing_change.kinds()
    assert silencing_change.status == "rolled_back"
    assert kinds.index("closed") < len(kinds) - 1 - kinds[::-1].index("silence_failed")


@pytest.mark.parametrize("host", ["http://127.0.0.1:9", None], ids=["a product that is away", "no such connection"])
def test_a_silence_that_cannot_be_opened_stops_nothing(
    silencing_change: StartedChange, monkeypatch: pytest.MonkeyPatch, host: str | None
) -> None:
    """People are told, and the record says why."""
    if host:
        monkeypatch.setenv("AIRFLOW_CONN_GRAFANA", json.dumps({"conn_type": "http", "host": host, "password": "t"}))
    open_silences(silencing_change.run("gate"))
    assert "silence_failed" in silencing_change.kinds()
    silencing_change.do("undo_2")
    assert silencing_change.undone(2).exists()


def test_it_is_renewed_beside_a_step(
    silencing_change: StartedChange, product: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times in its lease, and not any more once the step is over."""
    monkeypatch.setenv("CHANGEWINDOW_SILENCE_LEASE", "10")
    run = silencing_change.run("apply_1")
    with silences_renewed(run):
        wait_for(lambda: len(acts(served(product))) >= 2, "a renewal", 20, 0.1)
    wait_for(
        lambda: "changewindow-silences" not in [thread.name for thread in threading.enumerate()], "its end", 20, 0.1
    )
    assert set(acts(served(product))) == {OPEN}
    assert silencing_change.kinds().count("silenced") == 1


def test_a_secret_never_leaves_with_a_silence(
    tmp_path: Path, ledger: Ledger, product: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where somebody wrote it into the summary, nor a sign that turns the text around."""
    path = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(path))
    password = product.connection.password
    known = {"silence": [MUTED], "summary": f"Replace {password}\u202e."}
    started = StartedChange(tmp_path, ledger, **known)
    open_silences(started.run("gate"))
    [request] = [request for request in served(product).requests if request.method == "POST"]
    comment = json.loads(request.body)["comment"]
    assert comment.endswith(": Replace ***\\u202e.")


def test_a_dry_run_silences_nothing(silencing_change: StartedChange, product: Place) -> None:
    """And ends nothing."""
    run = silencing_change.run("gate", mode="dry_run")
    open_silences(run)
    with silences_renewed(run):
        pass
    silencing_change.do("close", mode="dry_run")
    assert served(product).requests == []


def test_what_is_watched_and_verified_stays_silenced(silencing_change: StartedChange) -> None:
    """The triggers carry what; those before the gate carry nothing."""
    expected = Silencing.of(silencing_change.change.id, "run", silencing_change.change.ticket)
    verify: Any = silencing_change.dag.get_task("verify")
    assert verify.silencing(silencing_change.run("verify")) == expected


JUDGED = {
    "kind": "alertmanager",
    "connection": "alerts",
    "matchers": ['service="orders"', "severity={{ params.judged }}"],
}
CHOICES = {
    "muted": {"default": "warning", "allowed": ["warning", "info"]},
    "judged": {"default": "page", "allowed": ["page", "info"]},
}


@pytest.mark.parametrize(
    ("chosen", "is_refused"),
    [({}, False), ({"muted": "info"}, False), ({"judged": "info"}, False), ({"muted": "info", "judged": "info"}, True)],
    ids=str,
)
def test_values_that_would_blind_the_watch_together_are_refused_at_the_gate(
    tmp_path: Path, ledger: Ledger, chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, is_refused: bool
) -> None:
    """Each of them is harmless beside the usual values of the others, which is what lint tries."""
    known = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(known))
    muted = {**MUTED, "matchers": ['service="orders"', "severity={{ params.muted }}"]}
    watched = {"name": "alerts", "source": JUDGED, "pass": {"equals": 0}}
    parts: Any = {"silence": [muted], "parameters": CHOICES, "watch": {"for": "1m", "conditions": [watched]}}
    started = StartedChange(tmp_path, ledger, **parts)
    run: Any = started.run("gate")
    run.context["params"] = {"mode": "run", **chosen}
    monkeypatch.setattr(gate, "PATIENCE", timedelta(0))
    with pytest.raises(AirflowFailException) as refused:
        started.dag.get_task("gate").execute(run.context)
    assert ("it may silence what the condition 'alerts' counts" in str(refused.value)) == is_refused
