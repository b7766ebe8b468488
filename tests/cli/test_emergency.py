"""An emergency from the terminal goes on, whatever is down: Airflow, the ledger, Slack, PagerDuty, and all at once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import yaml

from changewindow.cli.main import main
from changewindow.cli.standalone import ROOT
from changewindow.ledger import aftercare, changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared, MarkerFailed, MessageFailed, MessageSent
from servers.postgres import Postgres, postgres
from support import direct
from support.changes import NOW, approved, intent
from support.emergency_terminal import ME, SLACK_TOKEN, Terminal, newest, secrets_in
from support.ports import free_port
from support.recording_server import Reply, Request, recording_server
from support.tickets import banner

pytestmark = pytest.mark.integration

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run a PostgreSQL that can be stopped."""
    with postgres(tmp_path_factory.mktemp("postgres") / "server") as server:
        yield server


def hanging() -> socket.socket:
    """Return a server that takes connections, and never says a word."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(50)
    return listener


def slack(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let the terminal know Slack there."""
    connection = {"conn_type": "slack", "password": SLACK_TOKEN, "extra": {"base_url": f"{address}/"}}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))


def pagerduty(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let the terminal know PagerDuty there, as a tool that is told of changes."""
    marker = {"kind": "pagerduty", "connection": "pagerduty_orders", "within": "1s"}
    (terminal.folder / "policy/markers.yaml").write_text(yaml.safe_dump({"markers": {"pagerduty": marker}}))
    connection = {"conn_type": "http", "host": address, "password": "key-of-pagerduty"}
    monkeypatch.setenv("AIRFLOW_CONN_PAGERDUTY_ORDERS", json.dumps(connection))


def test_everything_up_but_airflow(
    terminal: Terminal, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """With nobody at its port, it is done from here: held, told, in the ledger, and owed."""
    with recording_server() as there:
        there.otherwise = Reply(200, json.dumps({"ok": True, "ts": "1.2"}), {"Content-Type": "application/json"})
        slack(monkeypatch, there.url)
        airflow = ("--url", f"http://127.0.0.1:{free_port()}", "--user", "alice")
        assert main(terminal.command("--declare-incident", *airflow, "--ledger", str(ledger.url))) == 0
        change = newest(ledger)
        assert len(there.requests) == 4
    assert terminal.did == ["run-1", "run-2"]
    assert changes.get(ledger, change).status == "completed"
    [declared] = events.past(ledger, change, Declared)
    assert declared.by_terminal.startswith("Airflow, or whoever logs users in there, does not answer. ")
    assert f"{ME} is the account on" in declared.by_terminal
    assert len(events.past(ledger, change, MessageSent)) == 4
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    assert (owed.approval(direct.now()), owed.involved) == ("owed", (ME, "carol"))
    said = capsys.readouterr().err
    assert "Airflow does not answer, so it is carried out here." in said
    assert secrets_in(terminal.folder) == []


@pytest.mark.parametrize("state", ["stopped", "hangs"])
def test_the_database_of_the_ledger_is_down(
    terminal: Terminal, database: Postgres, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins within seconds, says loudly that it holds nothing, and is taken in once the database is back."""
    name = f"ledger_{state}"
    database.create(name)
    ledger = Ledger(database.url(name))
    ledger.upgrade()
    assert database.process is not None
    if state == "stopped":
        database.stop()
    else:
        os.killpg(database.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert main(terminal.command("--here", "--ledger", database.url(name))) == 0
        assert time.monotonic() - begun < 90
    finally:
        if state == "stopped":
            database.start()
        else:
            os.killpg(database.process.pid, signal.SIGCONT)
    assert terminal.did == ["run-1", "run-2"]
    assert len(list((terminal.folder / "spool.journals").iterdir())) == 1
    assert main(["ledger", "ingest", "--ledger", database.url(name)]) == 0
    change = newest(ledger)
    assert changes.get(ledger, change).status == "completed"
    [declared] = events.past(ledger, change, Declared)
    assert "the ledger does not answer, so that no target is held" in declared.by_terminal
    assert main(["ledger", "ingest", "--ledger", database.url(name)]) == 0
    assert newest(ledger) == change


@pytest.mark.parametrize("down", ["slack closed", "slack hangs", "pagerduty closed", "pagerduty hangs"])
def test_slack_or_pagerduty_is_down(
    terminal: Terminal, ledger: Ledger, down: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps do not wait for it, and the record says that nobody was told."""
    product, state = down.split()
    with hanging() as listener:
        port = listener.getsockname()[1] if state == "hangs" else free_port()
        address = f"http://127.0.0.1:{port}"
        if product == "slack":
            slack(monkeypatch, address)
        else:
            pagerduty(terminal, monkeypatch, address)
        begun = time.monotonic()
        assert main(terminal.command("--here", "--ledger", str(ledger.url))) == 0
        assert time.monotonic() - begun < 90
    change = newest(ledger)
    assert changes.get(ledger, change).status == "completed"
    assert events.past(ledger, change, MessageFailed if product == "slack" else MarkerFailed)
    assert secrets_in(terminal.folder) == []


def test_all_at_once(terminal: Terminal, database: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow and whoever logs users in hang, the database is stopped, Slack hangs, PagerDuty refuses."""
    database.create("ledger_all")
    ledger = Ledger(database.url("ledger_all"))
    ledger.upgrade()
    database.stop()
    with hanging() as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        slack(monkeypatch, address)
        pagerduty(terminal, monkeypatch, f"http://127.0.0.1:{free_port()}")
        airflow = ("--url", address, "--user", "alice")
        begun = time.monotonic()
        assert main(terminal.command(*airflow, "--ledger", database.url("ledger_all"))) == 0
        assert time.monotonic() - begun < 90
    assert terminal.did == ["run-1", "run-2"]
    assert secrets_in(terminal.folder) == []
    database.start()
    assert main(["ledger", "ingest", "--ledger", database.url("ledger_all")]) == 0
    change = newest(ledger)
    [declared] = events.past(ledger, change, Declared)
    assert declared.by_terminal.startswith("Airflow, or whoever logs users in there, does not answer; the ledger does")
    assert events.past(ledger, change, MessageFailed)
    assert events.past(ledger, change, MarkerFailed)
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    assert (owed.approval(direct.now()), owed.incident) == ("owed", "INC-7")


def test_a_refusal_of_airflow_is_no_outage(terminal: Terminal, ledger: Ledger, capsys: Capture) -> None:
    """Whoever may not log in there does not get around it in silence."""
    with recording_server() as there:
        there.otherwise = Reply(401)
        code = main(terminal.command("--url", there.url, "--user", "alice", "--ledger", str(ledger.url)))
    assert (code, terminal.did) == (1, [])
    assert "knows no user 'alice' with this password" in capsys.readouterr().err


def test_airflow_carries_it_out(terminal: Terminal, capsys: Capture) -> None:
    """It gets the fields of the form; nothing is done here."""
    with recording_server() as there:

        def reply(request: Request) -> Reply:
            tasks = {"task_instances": [{"task_id": "act", "state": "success"}], "total_entries": 1}
            answers = {
                "/auth/token": {"access_token": "t"},
                "/api/v2/dags/emergency_change/dagRuns": {"dag_run_id": "r"},
            }
            answer = answers.get(request.path) or (
                tasks if request.path.endswith("taskInstances") else {"value": "CHG-1001 acts: switch"}
            )
            return Reply(200, json.dumps(answer), {"Content-Type": "application/json"})

        there.otherwise = reply
        assert main(terminal.command("--url", there.url, "--user", "alice", "--declare-incident")) == 0
        body = next(json.loads(each.body) for each in there.requests if '"conf"' in each.body)
    assert body["conf"].items() >= {"broken": "no orders come in", "commander": "carol", "incident": "INC-7"}.items()
    assert body["conf"]["declare_incident"] is True
    assert body["dag_run_id"].startswith("terminal_")
    assert "CHG-1001 acts: switch" in capsys.readouterr().out
    assert terminal.did == []


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGKILL])
def test_what_is_ended_in_the_middle_is_rolled_back(terminal: Terminal, ledger: Ledger, how: signal.Signals) -> None:
    """By itself, when it is asked to end or its terminal goes; after a kill -9, by --resume."""
    steps = direct.data(terminal.folder / "done")["steps"]
    steps[1]["run"] = ["sh", "-c", f"echo begun-2 >> {terminal.folder / 'done'}; exec sleep 60"]
    where = ("--here", "--ledger", str(ledger.url))
    process = subprocess.Popen(
        [sys.executable, "-m", "changewindow", *terminal.command(*where, steps=steps)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
        stderr=subprocess.PIPE,
    )
    while terminal.did != ["run-1", "begun-2"]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    if how == signal.SIGKILL:
        assert main(["emergency", "--resume", "--yes", "--ledger", str(ledger.url)]) == 1
    else:
        assert f"interrupted ({how.name})" in said.decode()
    assert terminal.did == ["run-1", "begun-2", "undo-2", "undo-1"]
    assert changes.get(ledger, newest(ledger)).status == "rolled_back"
    assert list((terminal.folder / "spool.journals").iterdir()) == []


def test_ctrl_c_while_it_waits_for_a_held_target_leaves_nothing_behind(terminal: Terminal, ledger: Ledger) -> None:
    """It says for whom it waits; the other change has its target still, and no journal is left to resume."""
    other = approved(ledger, banner(environment="production", services=["orders"]))
    leases.start(ledger, other.change, intent(other.digest), targets=("production/orders",), now=NOW)
    where = ("--here", "--ledger", str(ledger.url), "--held", "wait")
    process = subprocess.Popen(
        [sys.executable, "-m", "changewindow", *terminal.command(*where), "--wait", "600"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    while f"waiting up to 10m: production/orders is held by {other.change}" not in said:
        said = process.stderr.readline()
        assert said, "it ended before it waited"
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=120)
    assert "interrupted (SIGINT) while production/orders is held by" in rest
    assert (process.returncode, terminal.did) == (1, [])
    assert changes.get(ledger, newest(ledger)).status == "refused"
    assert leases.leases(ledger, other.change) == ["production/orders"]
    assert list((terminal.folder / "spool.journals").iterdir()) == []


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        ("--commander", "missing: --commander; without a terminal nobody can be asked"),
        ("--ticket", "missing: --ticket (or --standard, or --step); without a terminal nobody can be asked"),
    ],
)
def test_what_is_missing_is_misuse_without_a_terminal(
    terminal: Terminal, left_out: str, why: str, capsys: Capture
) -> None:
    """A script is told all of it at once."""
    command = terminal.command("--here")
    place = command.index(left_out)
    with pytest.raises(SystemExit):
        main([*command[:place], *command[place + 2 :]])
    assert why in capsys.readouterr().err


def test_a_connection_that_the_terminal_does_not_know_is_named_before(terminal: Terminal, capsys: Capture) -> None:
    """Nothing is touched then, nor written down."""
    del os.environ["AIRFLOW_CONN_SHOP"]
    assert main(terminal.command("--here")) == 1
    assert "does not know the connection 'shop'. Set AIRFLOW_CONN_SHOP" in capsys.readouterr().err
    assert not (terminal.folder / "spool.journals").exists()
