"""Telling from the terminal what was done by hand."""

import json
from pathlib import Path

import pytest

from changewindow.cli.main import main
from changewindow.ledger import aftercare, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.journal import journals
from support.ports import free_port
from support.recording_server import RecordingServer, Reply, Request

SECRET = "hunter2-9f3"
HISTORY = f"#1700000000\nls\n#1700000060\nmysql -p{SECRET} orders\n#1700003600\nreboot\n"
Capture = pytest.CaptureFixture[str]
TARGET = ("record", "--target", "production/orders", "--why", "It hung.", "--user", "bob", "--allow-http")


class Airflow:
    """An Airflow that takes what is told, and answers that it is recorded."""

    def __init__(self, server: RecordingServer, state: str = "success") -> None:
        self.state, self.bodies = state, list[str]()
        server.otherwise = self.reply
        self.url = server.url

    def reply(self, request: Request) -> Reply:
        """Answer as Airflow does."""
        self.bodies.append(request.body)
        answers = {
            "/auth/token": {"access_token": "token-of-bob"},
            "/api/v2/dags/record_change/dagRuns": {"dag_run_id": "run-1"},
            "/api/v2/dags/record_change/dagRuns/run-1": {"state": self.state},
        }
        answer = answers.get(request.path, {"value": "CHG-1001 is recorded, not approved"})
        return Reply(200, json.dumps(answer), {"Content-Type": "application/json"})

    @property
    def conf(self) -> dict[str, str]:
        """Return what was told."""
        conf: dict[str, str] = next(json.loads(body)["conf"] for body in self.bodies if '"conf"' in body)
        return conf


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGEWINDOW_PASSWORD", "of bob at Airflow")


def test_a_history_is_cut_to_its_time_and_cleaned_before_it_leaves(
    server: RecordingServer, tmp_path: Path, capsys: Capture
) -> None:
    """What Airflow stores holds no secret; the answer is the note of the run."""
    airflow, file = Airflow(server), tmp_path / "history"
    file.write_text(HISTORY)
    times = ("--start", "2023-11-14T22:13:30", "--end", "2023-11-14T22:20")
    given = ("--by", "alice", "--incident", "INC-7", "--finding", "12", "--finding", "13", "--file", str(file), *times)
    assert main([*TARGET, "--url", airflow.url, *given]) == 0
    assert airflow.conf == {
        "targets": "production/orders",
        "commands": "#1700000060\nmysql -p*** orders",
        "why": "It hung.",
        "findings": "12,13",
        "start": "2023-11-14T22:13:30+00:00",
        "end": "2023-11-14T22:20:00+00:00",
        "done_by": "alice",
        "incident": "INC-7",
    }
    assert not any("9f3" in body for body in airflow.bodies)
    assert capsys.readouterr().out == "CHG-1001 is recorded, not approved\n"


def test_commands_of_the_line_come_before_those_of_a_file(server: RecordingServer, tmp_path: Path) -> None:
    """Both may be given; a run that fails is an exit code of 1."""
    airflow, file = Airflow(server, "failed"), tmp_path / "history"
    file.write_text("vi /etc/hosts")
    given = ("--command", f"tool --token {SECRET}", "--command", "ls", "--file", str(file))
    assert main([*TARGET, "--url", airflow.url, *given]) == 1
    assert airflow.conf["commands"] == "tool --token ***\nls\nvi /etc/hosts"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((), "say what was done: --command LINE, or --file FILE"),
        (("--command", "ls", "--start", "then"), "--start: 'then' is not a time like 2031-03-18T03:12"),
        (("--file", "{file}", "--start", "2031-01-01"), "none of the 3 commands is of the time from --start to --end"),
    ],
)
def test_what_makes_no_sense_is_misuse(given: tuple[str, ...], why: str, tmp_path: Path, capsys: Capture) -> None:
    """Nobody is asked for a password before."""
    (tmp_path / "history").write_text(HISTORY)
    with pytest.raises(SystemExit):
        main([*TARGET, "--url", "http://127.0.0.1:9", *(part.format(file=tmp_path / "history") for part in given)])
    assert why in capsys.readouterr().err


def test_without_airflow_and_ledger_it_is_kept_and_taken_in_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It owes its approval like every record; what was kept holds no secret."""
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    file = tmp_path / "history"
    file.write_text(HISTORY)
    given = ("--file", str(file), "--start", "2023-11-14T22:13:30", "--end", "2023-11-14T22:20")
    (tmp_path / "away").mkdir()
    where = ("--ledger", f"sqlite:///{tmp_path / 'away' / 'ledger.db'}")
    assert main([*TARGET, "--url", f"http://127.0.0.1:{free_port()}", *given, *where]) == 0
    [kept] = journals(tmp_path / "spool.journals")
    assert "9f3" not in kept.read_text()
    assert f"It is kept in {kept}" in capsys.readouterr().out
    ledger = Ledger(where[1])
    ledger.upgrade()
    assert main(["ledger", "ingest", *where]) == 0
    assert "CHG-1001 is recorded, not approved: told by" in capsys.readouterr().out
    manual = records.manual_change(ledger, "CHG-1001")
    assert "nobody has authenticated them" in manual.remarks[-1]
    owed = aftercare.of_change(ledger, "CHG-1001")
    assert owed is not None
    assert owed.due is not None
    assert journals(tmp_path / "spool.journals") == []
