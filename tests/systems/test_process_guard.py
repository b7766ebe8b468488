"""Programs that cannot outlive who asked for them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from changewindow.errors import LockRevoked
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1] + '.grandchild', 'w').write(str(os.getpid()))
        time.sleep(600)
open(sys.argv[1], 'w').write(str(os.getpid()))
time.sleep(600)
"""


def until(is_so: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def lives(file: Path) -> bool:
    """Return whether the process whose id stands in a file is alive; it may end while it is looked at."""
    try:
        return psutil.Process(int(file.read_text())).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def context() -> Context:
    """Return a context without connections."""
    return Context("CHG-1001", 1, lambda name: Connection(name, "http"), lambda _: None)


def started(file: Path) -> bool:
    """Return whether the stubborn program and its grandchild have written who they are."""
    both = (file, Path(f"{file}.grandchild"))
    return all(file.exists() and file.read_text() for file in both)


def test_stop_returns_when_a_stubborn_program_and_its_descendants_are_dead(tmp_path: Path) -> None:
    """A program that ignores SIGTERM and hides a grandchild in another session is dead when `stop` returns."""
    file, here = tmp_path / "pid", context()
    raised: list[Exception] = []

    def run() -> None:
        try:
            here.run([sys.executable, "-c", STUBBORN, str(file)])
        except LockRevoked as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: started(file), "the program did not start")
    here.stop()
    assert not lives(file)
    assert not lives(Path(f"{file}.grandchild"))
    thread.join(5)
    assert len(raised) == 1


def test_a_killed_process_takes_its_programs_along(tmp_path: Path) -> None:
    """SIGKILL to the process that runs a step ends what the step started, within a second."""
    file = tmp_path / "pid"
    code = (
        "import sys; sys.path.insert(0, 'include')\n"
        "from changewindow.systems.context import Context\n"
        f"Context('CHG-1', 1, None, print).run([sys.executable, '-c', {STUBBORN!r}, {str(file)!r}])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    until(lambda: started(file), "the program did not start")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not lives(file) and not lives(Path(f"{file}.grandchild")), "it lives on", 1)


def test_nothing_acts_after_stop() -> None:
    """A step that lost its turn cannot start anything any more."""
    here = context()
    here.stop()
    with pytest.raises(LockRevoked):
        here.run(["true"])


def test_a_daemon_left_behind_by_a_program_that_ended_well_is_left_alone(tmp_path: Path) -> None:
    """A step may start a daemon; it neither blocks the step nor dies with it."""
    file = tmp_path / "pid"
    ran = context().run(["sh", "-c", f"sleep 30 & echo $! > {file}; echo started"])
    assert (ran.code, ran.output) == (0, "started")
    assert lives(file)
    os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        (["sh", "-c", "echo out; echo err >&2; exit 3"], 3, "out\nerr"),
        (["printf", "no newline"], 0, "no newline"),
        (["printf", r"\377\n"], 0, "\ufffd"),
        (["sh", "-c", "kill -9 $$"], 137, ""),
        (["no-such-program"], 127, "no-such-program: No such file or directory"),
        (["sh", "-c", "seq 5000 | tail -n 5000"], 0, "\n".join(map(str, range(4001, 5001)))),
    ],
)
def test_a_program_ends_with_its_code_and_output(arguments: list[str], code: int, output: str) -> None:
    """Both outputs come as one text; of a long one the end is kept."""
    ran = context().run(arguments)
    assert (ran.code, ran.output) == (code, output)


def test_output_without_lines_comes_in_parts() -> None:
    """A progress bar or a binary file neither fills the memory nor slows down with its length."""
    logged: list[str] = []
    here = Context("CHG-1001", 1, lambda name: Connection(name, "http"), logged.append)
    here.run(["sh", "-c", "head -c 20000000 /dev/zero; echo; echo end"])
    parts = [line.count("\\u0000") for line in logged]
    assert (sum(parts), max(parts) < 300_000, logged[-2]) == (20_000_000, True, "end")


def test_a_dry_run_starts_only_what_reads(tmp_path: Path) -> None:
    """`run` only says what it would do; `look` looks."""
    here = context()
    here.dry_run = True
    here.run(["touch", str(tmp_path / "file")])
    assert not (tmp_path / "file").exists()
    assert here.look(["echo", "seen"]).output == "seen"
