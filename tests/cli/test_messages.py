"""`changewindow messages test`: every channel of a room is tried, and says what became of the message."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import changewindow.notify
from changewindow import kinds
from changewindow.cli import airflow_connections
from changewindow.cli.main import main
from changewindow.cli.standalone import ROOT
from servers.mailbox import Mailbox, mailbox
from servers.marker_apis import SECRET, Tool, telling

BOARD = """
rooms:
  "#deploys":
    to:
    - {kind: email, to: [changes@example.org]}
    - {kind: webhook, connection: board, path: /hooks}
    - {kind: webhook, connection: other_board}
"""
BELL = '''
"""Rings the bell in the office."""

from typing import Literal

from changewindow.notify.base import ChannelBase, Message, Reference, Tools

EXAMPLE = {"kind": "bell", "rings": 3}


class Channel(ChannelBase):
    """The bell."""

    kind: Literal["bell"] = "bell"
    rings: int
    """How often."""

    def place(self, room: str) -> str:
        """Return the office."""
        return "office"

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Ring it."""
        return Reference("office", f"{'ding ' * self.rings}{message.head}")
'''
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nobody_is_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Know no Airflow, and no connection of an earlier test."""
    for variable in ("AIRFLOW_HOME", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        monkeypatch.delenv(variable, raising=False)
    airflow_connections.known_here.cache_clear()
    yield
    airflow_connections.known_here.cache_clear()


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """Serve a mailbox."""
    with mailbox() as serving:
        yield serving


@pytest.fixture
def board() -> Iterator[Tool]:
    """Serve a receiver of webhooks."""
    with telling("webhook") as tool:
        yield tool


def policy(folder: Path, text: str) -> str:
    """Write a policy that has only messages.yaml."""
    (folder / "messages.yaml").write_text(text)
    return str(folder)


def know(monkeypatch: pytest.MonkeyPatch, name: str, **fields: object) -> None:
    """Let this terminal know a connection."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))


def know_mail(monkeypatch: pytest.MonkeyPatch, box: Mailbox) -> None:
    """Let it know the mailbox."""
    known = box.connection()
    know(monkeypatch, "smtp_default", conn_type="smtp", host=known.host, port=known.port, extra=known.extra)


def test_each_channel_says_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *, box: Mailbox, board: Tool
) -> None:
    """Those that work have the message; those that do not say what to do."""
    know_mail(monkeypatch, box)
    know(monkeypatch, "board", conn_type="http", host=board.server.url, password=SECRET)
    assert main(["messages", "test", "#deploys", "--policy", policy(tmp_path, BOARD)]) == 1
    email, first, second = capsys.readouterr().out.splitlines()
    assert email.startswith("email: sent in ")
    assert email.endswith("(email smtp_default changes@example.org)")
    assert first.startswith("webhook: sent in ")
    assert second.startswith("webhook 2: not sent (webhook other_board). This terminal does not know the connection")
    assert box.mails[0]["Subject"] == "TEST: messages of Change Windows for #deploys arrive here"
    (entry,) = board.entries.values()
    assert (entry["data"]["state"], entry["data"]["room"]) == ("test", "#deploys")
    assert "nobody has to do anything" in entry["data"]["text"]


def test_programs_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *, box: Mailbox, board: Tool
) -> None:
    """With what would become of the message of a change; no secret stands there."""
    know_mail(monkeypatch, box)
    box.answers = {"RCPT": "550 5.1.1 no such user"}
    for name in ("board", "other_board"):
        know(monkeypatch, name, conn_type="http", host=board.server.url, password=SECRET)
    assert main(["messages", "test", "#deploys", "--json", "--policy", policy(tmp_path, BOARD)]) == 1
    out = capsys.readouterr().out
    email, first, second = json.loads(out)["channels"]
    assert (email["is_sent"], email["way_on"]) == (False, "elsewhere")
    assert "550 5.1.1 no such user" in email["reason"] or "5.1.1 no such user" in email["reason"]
    assert "stands in for this one" in email["reason"]
    assert first["is_sent"]
    assert second["is_sent"]
    assert SECRET not in out


def test_a_room_without_channels_goes_to_the_log(tmp_path: Path, capsys: Capture) -> None:
    """As its messages do, while there is no connection to Slack."""
    assert main(["messages", "test", "#other", "--policy", policy(tmp_path, BOARD)]) == 0
    assert capsys.readouterr().out == "log: messages stand in the log of the task that has them\n"


def test_what_is_no_room_is_refused(tmp_path: Path, capsys: Capture) -> None:
    """A shell takes `#deploys` without quotes for a comment."""
    with pytest.raises(SystemExit):
        main(["messages", "test", "deploys", "--policy", policy(tmp_path, BOARD)])
    assert "'deploys' is no room" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_sends_nothing(tmp_path: Path, capsys: Capture) -> None:
    """It says where."""
    wrong = "rooms:\n  '#deploys':\n    to:\n    - {kind: emial, to: [changes@example.org]}\n"
    assert main(["messages", "test", "#deploys", "--policy", policy(tmp_path, wrong)]) == 1
    read = capsys.readouterr()
    assert "messages.yaml:4: rooms.'#deploys'.to.0.kind: " in read.out
    assert "Did you mean 'email'?" in read.out
    assert "nothing was sent" in read.err


AIRFLOW = """
import json, sys
assert sys.argv[1:4] == ["connections", "get", "smtp_default"], sys.argv
if {is_known}:
    fields = {fields}
    print(json.dumps([fields]))
else:
    print("Connection not found.", file=sys.stderr)
    sys.exit(1)
"""


@pytest.mark.parametrize("is_known", [True, False])
def test_what_airflow_knows_on_this_host_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, box: Mailbox, *, is_known: bool
) -> None:
    """Airflow is asked as `airflow connections get` prints it: every value as text, the extra truly in its address."""
    extra = "%7B%22from_email%22%3A%22cw%40example.org%22%2C%22disable_ssl%22%3Atrue%2C%22disable_tls%22%3Atrue%7D"
    fields = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": str(box.port),
        "login": None,
        "password": None,
        "schema": None,
        "extra_dejson": {"disable_ssl": "True"},
        "get_uri": f"smtp://127.0.0.1:{box.port}/?__extra__={extra}",
    }
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").touch()
    (tmp_path / "airflow" / "__main__.py").write_text(AIRFLOW.format(is_known=is_known, fields=fields))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path)}")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    one = "rooms:\n  '#deploys':\n    to: [{kind: email, to: [changes@example.org]}]\n"
    code = main(["messages", "test", "#deploys", "--policy", policy(tmp_path, one)])
    out = capsys.readouterr().out
    assert (code, len(box.mails)) == ((0, 1) if is_known else (1, 0))
    assert is_known or "There is no Airflow Connection 'smtp_default'" in out


def test_lint_finds_mistakes_and_hints_at_connections(tmp_path: Path, capsys: Capture) -> None:
    """A connection may be known to Airflow alone, so nothing is wrong with the file."""
    folder = shutil.copytree(ROOT / "include" / "policy", tmp_path / "policy")
    assert main(["policy", "lint", "--policy", policy(folder, BOARD)]) == 0
    hint = "is not known here (board, other_board, smtp_default); `changewindow messages test ROOM` finds out"
    assert hint in capsys.readouterr().err
    wrong = "rooms:\n  '#deploys':\n    to:\n    - {kind: email, to: [nobody]}\n    - {kind: webhook}\n"
    assert main(["policy", "lint", "--policy", policy(folder, wrong)]) == 1
    out = capsys.readouterr().out
    assert "messages.yaml:4: rooms.'#deploys'.to.0.to.0: " in out
    assert "messages.yaml:5: rooms.'#deploys'.to.1: " in out


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[None]:
    """Add a kind that nobody has planned: one file."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "bell.py").write_text(BELL)
    changewindow.notify.__path__.append(str(tmp_path / "more"))
    kinds.names.cache_clear()
    yield
    changewindow.notify.__path__.remove(str(tmp_path / "more"))
    kinds.names.cache_clear()


@pytest.mark.usefixtures("bell")
def test_a_channel_that_nobody_planned_is_one_new_file(tmp_path: Path, capsys: Capture) -> None:
    """It is read, checked, described and posted to without another line."""
    text = "rooms:\n  '#deploys':\n    to: [{kind: bell, rings: 2}]\n"
    assert main(["messages", "test", "#deploys", "--json", "--policy", policy(tmp_path, text)]) == 0
    (channel,) = json.loads(capsys.readouterr().out)["channels"]
    assert channel["reference"].startswith("ding ding TEST: ")
    assert main(["kinds", "bell"]) == 0
    assert "Rings the bell in the office." in capsys.readouterr().out
    (tmp_path / "messages.yaml").write_text("rooms:\n  '#deploys':\n    to: [{kind: bell, rings: two}]\n")
    assert main(["messages", "test", "#deploys", "--policy", str(tmp_path)]) == 1
    assert "messages.yaml:3: rooms.'#deploys'.to.0.rings: " in capsys.readouterr().out
