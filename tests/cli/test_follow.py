"""What the terminal shows of a watch."""

import io
import os
import pty
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from changewindow.cli.follow import look
from changewindow.cli.main import main
from changewindow.ledger import leases, watches
from changewindow.ledger.changes import cancel, submit
from changewindow.ledger.database import Ledger
from changewindow.ledger.watches import Kept
from changewindow.watch.progress import Followed, Progress
from support.changes import NOW, approved, intent
from support.tickets import POLICY, TESTS, banner

SEEN = Path(__file__).parents[1] / "golden" / "follow.txt"


def progress(**changed: Any) -> Progress:
    """Return a watch after two of its five minutes."""
    conditions = [
        Followed(name="error rate", limits="bad when above 0.01", verdict="pass", recent=[0.001, None, 0.004, 0.008]),
        Followed(name="health", limits="good when equals 200", verdict="error", recent=[200, 200, None]),
        Followed(name="queue", limits="bad when above 10"),
        Followed(name="version", limits="good when equals v2", verdict="pass", recent=[None, None], text="v2"),
    ]
    at, over = NOW + timedelta(seconds=118), NOW + timedelta(minutes=5)
    first = {"since": NOW, "begun": NOW, "over": over, "at": at, "samples": 59, "conditions": conditions}
    return Progress.model_validate({**first, **changed})


def seen(ledger: Ledger, change: str) -> tuple[str, str | None]:
    """Return what a terminal of 100 columns shows, and the outcome."""
    shown, outcome = look(ledger, change, NOW + timedelta(minutes=2), POLICY)
    console = Console(file=io.StringIO(), width=100)
    console.print(shown)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n", outcome


def on_a_terminal(*arguments: str) -> bytes:
    """Return what a command draws on a terminal until its first picture is complete."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "changewindow", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "include"), "TERM": "xterm"}
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    drawn = b""
    while b"let it through" not in drawn and (part := os.read(ours, 10_000)):
        drawn += part
    running.terminate()
    running.wait()
    os.close(ours)
    return drawn


@pytest.fixture
def running(ledger: Ledger) -> str:
    """Return a change that runs."""
    submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    return submitted.change


def test_a_watch_is_seen_with_its_time_and_conditions(ledger: Ledger, running: str) -> None:
    """As in the golden text."""
    watches.keep(ledger, [Kept(running, intent("").run, progress(), NOW)])
    text, outcome = seen(ledger, running)
    assert text == SEEN.read_text(encoding="utf-8")
    assert outcome is None


def test_a_verdict_is_seen_with_its_reason(ledger: Ledger, running: str) -> None:
    """The bar has stopped."""
    decided = ("fail", "error rate is bad")
    watches.keep(ledger, [Kept(running, intent("").run, progress(decided=decided), NOW)])
    assert "fail: error rate is bad" in seen(ledger, running)[0]


def test_the_watch_of_an_earlier_run_is_not_shown_as_this_one(ledger: Ledger, running: str) -> None:
    """A change that is tried again has a watch of its own."""
    watches.keep(ledger, [Kept(running, "an earlier run", progress(), NOW)])
    assert "59 samples" not in seen(ledger, running)[0]


def test_following_ends_with_the_change(ledger: Ledger) -> None:
    """The outcome and its reason stand in the head."""
    change = approved(ledger, banner()).change
    cancel(ledger, change, person="alice", reason="never mind", now=NOW)
    text, outcome = seen(ledger, change)
    assert outcome == "cancelled"
    assert "cancelled: cancelled by alice: never mind" in text


def test_a_ledger_that_is_found_goes_by_the_policy_beside_it(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has to approve is said as the running demo asks, not as the policy of the checkout would; and where."""
    monkeypatch.delenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", raising=False)
    monkeypatch.delenv("CHANGEWINDOW_POLICY", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(Path(str(ledger.url.database)).parent))
    rules = "groups: {peers: [bob, carol]}\nrules: [{name: all, levels: [{name: peer, from: [peers]}]}]\n"
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked" / "approvals.yaml").write_text(rules)
    (tmp_path / "asked" / "services.yaml").write_text("unlisted: allow\nservices: {}\n")
    (tmp_path / "asked" / "calendar.yaml").write_text("zone: UTC\ndefault: open\n")
    change = submit(ledger, banner(), requester="alice", now=NOW).change
    (Path(str(ledger.url.database)).parent / "policy").symlink_to(tmp_path / "asked")
    assert main(["follow", change]) == 0
    shown = capsys.readouterr().out
    assert "waits: nobody has approved it. Ask bob or carol to approve it (under Required Actions in Airflow)." in shown


def test_in_a_pipe_no_line_is_broken(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that `grep` finds a summary."""
    monkeypatch.delenv("COLUMNS", raising=False)
    submitted = approved(ledger, banner(summary=f"Switch {'on ' * 30}the banner."))
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    assert main(["follow", submitted.change, "--ledger", str(ledger.url)]) == 0
    assert f"{submitted.change} Switch {'on ' * 30}the banner.\n" in capsys.readouterr().out


def test_on_a_narrow_terminal_no_row_of_bars_is_broken(ledger: Ledger, running: str) -> None:
    """The newest ones stay."""
    bars = [Followed(name="error rate over all", limits="bad when above 0.01 or so", recent=[0.0] * 39 + [1.0])]
    watches.keep(ledger, [Kept(running, intent("").run, progress(conditions=bars), NOW)])
    shown, _ = look(ledger, running, NOW, POLICY)
    console = Console(file=io.StringIO(), width=80)
    console.print(shown)
    assert f"{'▁' * 19}█" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_is_drawn_on_and_what_a_ticket_says_does_nothing_there(ledger: Ledger) -> None:
    """Colours and movements of the cursor reach it; an escape sequence in a summary is shown."""
    submitted = approved(ledger, banner(summary="Switch \x1b[2J it on."))
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    drawn = on_a_terminal("follow", submitted.change, "--ledger", str(ledger.url))
    assert b"\x1b[?25l" in drawn, "the cursor is hidden while it draws"
    assert rb"Switch \u001b[2J it on." in drawn


def test_without_a_terminal_it_prints_once(ledger: Ledger, running: str, capsys: pytest.CaptureFixture[str]) -> None:
    """So that scripts can read it."""
    assert main(["follow", running, "--ledger", str(ledger.url)]) == 0
    assert running in capsys.readouterr().out
    assert main(["follow", "CHG-9999", "--ledger", str(ledger.url)]) == 1
