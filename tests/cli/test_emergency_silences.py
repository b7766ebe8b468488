"""An emergency from the terminal silences what its ticket says, and goes on where the product does not answer."""

import json
import os
from collections.abc import Iterator

import pytest
import yaml

from changewindow.cli.main import main
from changewindow.ledger import changes, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Silenced, SilenceEnded, SilenceFailed
from servers.silence_apis import TOKEN, Place, acts, speaking
from support.emergency_terminal import Terminal, newest
from support.ports import free_port
from support.recording_server import Reply

SILENCE = [{"kind": "grafana", "connection": "grafana", "matchers": ['service="orders"']}]
ROOT = "/api/alertmanager/grafana/api/v2"


def known_as(address: str) -> None:
    """Let the terminal know Grafana there."""
    os.environ["AIRFLOW_CONN_GRAFANA"] = json.dumps({"conn_type": "http", "host": address, "password": TOKEN})


@pytest.fixture
def grafana(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Return Grafana, in which emergencies may silence alerts."""
    listed = yaml.safe_load((terminal.folder / "policy/connections.yaml").read_text())
    served = {"services": ["all"], "environments": ["all"], "kinds": ["silence"]}
    listed["connections"]["grafana"] = served
    (terminal.folder / "policy/connections.yaml").write_text(yaml.safe_dump(listed))
    with speaking("grafana", "grafana") as place:
        monkeypatch.setenv("AIRFLOW_CONN_GRAFANA", "")
        known_as(place.connection.host)
        yield place


def test_alerts_are_silenced_from_before_the_first_step_until_it_has_ended(
    terminal: Terminal, ledger: Ledger, grafana: Place
) -> None:
    """And the record says so, once."""
    assert main(terminal.command("--here", "--ledger", str(ledger.url), silence=SILENCE)) == 0
    assert grafana.server is not None
    assert acts(grafana.server) == [f"POST {ROOT}/silences", f"DELETE {ROOT}/silence/ID"]
    change = newest(ledger)
    kinds = [row.kind for row in events.history(ledger, change)]
    assert kinds.index("silenced") < kinds.index("remembered")
    assert kinds.index("closed") < kinds.index("silence_ended")
    [silenced] = events.past(ledger, change, Silenced)
    [ended] = events.past(ledger, change, SilenceEnded)
    assert (silenced.silence, ended.by_hand, terminal.did) == (1, False, ["run-1", "run-2"])


@pytest.mark.parametrize("outage", ["closed", "hangs", "no connection"])
def test_no_emergency_fails_for_its_silences(terminal: Terminal, ledger: Ledger, grafana: Place, outage: str) -> None:
    """That alerts are not silenced is on record, and nothing has waited for it for long."""
    assert grafana.server is not None
    grafana.server.otherwise = Reply(200, delay=60)
    if outage == "closed":
        known_as(f"http://127.0.0.1:{free_port()}")
    if outage == "no connection":
        del os.environ["AIRFLOW_CONN_GRAFANA"]
    assert main(terminal.command("--here", "--ledger", str(ledger.url), silence=SILENCE)) == 0
    change = newest(ledger)
    assert changes.get(ledger, change).status == "completed"
    assert events.past(ledger, change, SilenceFailed)
    assert events.past(ledger, change, Silenced) == []


def test_it_silences_without_the_ledger_too(terminal: Terminal, ledger: Ledger, grafana: Place) -> None:
    """By what its journal says; the record has it once that is taken in."""
    (terminal.folder / "ledger.db").rename(terminal.folder / "away.db")
    assert main(terminal.command("--here", "--ledger", str(ledger.url), silence=SILENCE)) == 0
    assert grafana.server is not None
    assert acts(grafana.server) == [f"POST {ROOT}/silences", f"DELETE {ROOT}/silence/ID"]
    (terminal.folder / "away.db").rename(terminal.folder / "ledger.db")
    assert main(["ledger", "ingest", "--ledger", str(ledger.url)]) == 0
    assert len(events.past(ledger, newest(ledger), SilenceEnded)) == 1
