"""The embedded default heals: what dies is started again, what it left is killed, and all end together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from changewindow.cli import supervisor
from changewindow.cli.supervisor import PID_FILE, TOKENS, end_session, sessions
from support.layout import INCLUDE

pytestmark = pytest.mark.integration

RUNS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from changewindow.cli import supervisor
supervisor.PATIENCE, supervisor.LONGEST_PAUSE = 1.0, 0.2
home = Path(sys.argv[1])
program = (sys.executable, "-S", str(home / "component.py"))
sys.exit(supervisor.Supervisor.of(home, {name: (*program, name) for name in ("scheduler", "triggerer")}).run())
"""
COMPONENT = """
import os, signal, sys, time
name = sys.argv[1]
if os.path.exists("broken-" + name):
    print("the database is of a later version", flush=True)
    sys.exit(3)
if os.path.exists("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    time.sleep(600)
print(name, os.getpid(), child, flush=True)
time.sleep(600)
"""


@dataclass
class Running:
    """A supervisor of two programs, each with a child in a process group of its own."""

    home: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> None:
        """Start it."""
        with (self.home / "standalone.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUNS, str(self.home)],
                env={**os.environ, "PYTHONPATH": str(INCLUDE)},
                cwd=self.home,
                stdout=log,
                stderr=log,
            )

    def started(self, name: str) -> list[tuple[int, int]]:
        """Return the ids of each start of a component, and of its child."""
        log = self.home / f"{name}.log"
        whole = log.read_text().rpartition("\n")[0] if log.exists() else ""  # the last line may still be written
        lines = whole.splitlines()
        return [(int(pid), int(child)) for _, pid, child in (line.split() for line in lines if line.startswith(name))]

    def says(self) -> str:
        """Return what the supervisor has said."""
        return (self.home / "standalone.log").read_text()

    def is_up(self) -> bool:
        """Return whether both have started."""
        return bool(self.started("scheduler") and self.started("triggerer"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Return a supervisor that is not started yet; nothing of it outlives the test."""
    (tmp_path / "component.py").write_text(COMPONENT)
    supervised = Running(tmp_path)
    yield supervised
    supervised.process.kill()
    supervised.process.wait()
    for name in ("scheduler", "triggerer"):
        for pid in (pid for pair in supervised.started(name) for pid in pair):
            end_session(pid, signal.SIGKILL)


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Return whether a process lives; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_component_that_is_killed_is_started_again(running: Running) -> None:
    """What it has started is killed before, wherever it has put itself; the other one is left alone."""
    running.start()
    until(running.is_up)
    (scheduler, child), (triggerer, _) = running.started("scheduler")[0], running.started("triggerer")[0]
    os.kill(scheduler, signal.SIGKILL)
    until(lambda: len(running.started("scheduler")) == 2)
    assert not lives(child)
    assert lives(triggerer)
    assert len(running.started("triggerer")) == 1
    assert "standalone: the scheduler was killed by SIGKILL after " in running.says()
    log = running.home / "scheduler.log"
    assert f"s; its log is {log}. Starting it again in 0 s, try 1 of 4.\n" in running.says()


def test_a_component_gets_no_key_with_which_it_has_nothing_to_do(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The triggerer asks services outside, and makes no token; the scheduler makes those of tasks."""
    monkeypatch.setenv(TOKENS, "with which anybody's token is made")
    running.start()
    until(running.is_up)
    held = {
        name: Path(f"/proc/{running.started(name)[0][0]}/environ").read_bytes() for name in ("scheduler", "triggerer")
    }
    assert {name: TOKENS.encode() in text for name, text in held.items()} == {"scheduler": True, "triggerer": False}
    assert b"PYTHONPATH=" in held["triggerer"]


def test_a_component_that_dies_again_and_again_ends_everything(running: Running) -> None:
    """With a sentence that says which one, how and what to do, and an exit code that is not 0."""
    (running.home / "broken-triggerer").touch()
    running.start()
    assert running.process.wait(30) == 1
    last = running.says().splitlines()[-1]
    assert "standalone: the triggerer ended with exit code 3 after " in last
    assert last.endswith(
        f"its log is {running.home / 'triggerer.log'}. It died 5 times in a row, never up for 60 s. Airflow is "
        "stopped; put right what the log says, then start it again."
    )
    assert not any(lives(pid) for pair in running.started("scheduler") for pid in pair)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("deaf", [False, True], ids=["who listens", "who does not"])
def test_nothing_is_left_when_it_is_ended(running: Running, number: signal.Signals, deaf: bool) -> None:  # noqa: FBT001
    """Components and what they started; one that does not listen is killed after a while."""
    if deaf:
        (running.home / "deaf").touch()
    running.start()
    until(running.is_up)
    running.process.send_signal(number)
    assert running.process.wait(15) == 0
    leaders = {pid for name in ("scheduler", "triggerer") for pid, _ in running.started(name)}
    assert [pid for pid, session in sessions().items() if session in leaders] == []
    assert running.says().endswith("all components have ended\n")


def test_components_end_with_a_supervisor_that_is_killed(running: Running) -> None:
    """Whoever kills it leaves no Airflow behind that nobody looks after; its file names what to look for."""
    running.start()
    until(running.is_up)
    pids = [int(line) for line in (running.home / PID_FILE).read_text().split()]
    assert pids[0] == running.process.pid
    assert sorted(pids[1:]) == sorted(running.started(name)[0][0] for name in ("scheduler", "triggerer"))
    running.process.kill()
    until(lambda: not any(map(lives, pids[1:])))


def test_a_database_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started then."""
    monkeypatch.setattr(supervisor, "subprocess", SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=0)))
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/gone/airflow.db")
    assert supervisor.main() == 1
    assert "cannot be brought up to date, so nothing is started: " in capsys.readouterr().out
