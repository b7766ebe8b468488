"""Runs Airflow's components beside each other, and starts again whichever dies; ends all of them with itself.

`airflow standalone` starts its components once: one that dies is not started again, and nobody says so. What a dead one
has started still holds its ports and its locks, so all of that ends before the next one starts. Linux only.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from changewindow.cli.trigger_numbers import give_no_number_twice

COMPONENTS = ("scheduler", "dag-processor", "api-server", "triggerer")
PID_FILE = "standalone.pid"
"""Holds the id of this process, and below it those of the components."""
TRIES = 5
"""How often in a row a component may die within `STEADY` seconds of its start."""
STEADY = 60.0
LONGEST_PAUSE = 15.0
PATIENCE = 10.0
"""Seconds that components have to end when asked."""
PR_SET_PDEATHSIG = 1
TOKENS, PAGES = "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY"
WITHOUT: Mapping[str, tuple[str, ...]] = {"dag-processor": (TOKENS, PAGES), "triggerer": (TOKENS,)}
"""Keys that a component does not get, because it makes no token: it runs DAG files, or asks services outside."""
libc = ctypes.CDLL(None)


@dataclass
class Component:
    """One component of Airflow, in a session of its own."""

    name: str
    command: tuple[str, ...]
    home: Path
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    deaths: int = 0
    """How often it has died in a row, never having been up for a while."""
    starts_at: float = 0.0
    """When it is to be started."""

    @property
    def log(self) -> Path:
        """Return the file into which it writes."""
        return self.home / f"{self.name}.log"

    def start(self, now: float) -> None:
        """Start it; it dies with this process, however that ends."""
        kept = {name: value for name, value in os.environ.items() if name not in WITHOUT.get(self.name, ())}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=kept,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  this process has no threads
            )
        self.started = now

    def buried(self, now: float) -> str:
        """Return what is to be said of its death, or an empty text; everything that it has started is killed first."""
        if self.process is None or self.process.poll() is None:
            return ""
        code = self.process.returncode
        end_session(self.process.pid, signal.SIGKILL)
        self.process = None
        self.deaths = 1 if now - self.started >= STEADY else self.deaths + 1
        pause = min(2.0 ** (self.deaths - 1), LONGEST_PAUSE)
        self.starts_at = now + pause
        ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        then = f"Starting it again in {pause:.0f} s, try {self.deaths} of {TRIES - 1}."
        return f"the {self.name} {ended} after {now - self.started:.0f} s; its log is {self.log}. {then}"


@dataclass
class Supervisor:
    """The components of one Airflow."""

    home: Path
    components: list[Component]
    is_ending: bool = field(default=False, init=False)

    @classmethod
    def of(cls, home: Path, commands: Mapping[str, tuple[str, ...]]) -> "Supervisor":
        """Return the supervisor of these commands by the names of their components."""
        return cls(home, [Component(name, command, home) for name, command in commands.items()])

    def run(self) -> int:
        """Keep all components up until this process is to end; return 1 when one of them cannot be kept up."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            while not self.is_ending and self._keep_all_up():
                time.sleep(0.2)
        finally:
            self.stop()
        if not self.is_ending:
            return 1
        say("all components have ended")
        return 0

    def _keep_all_up(self) -> bool:
        return all(self._keep_up(component, time.monotonic()) for component in self.components)

    def _keep_up(self, component: Component, now: float) -> bool:
        """Start a component if it is down and its pause is over; return whether that makes sense any more."""
        if sentence := component.buried(now):
            say(sentence if component.deaths < TRIES else _given_up(component, sentence))
        if component.deaths >= TRIES:
            return False
        if component.process is None and now >= component.starts_at and not self.is_ending:
            component.start(now)
            self._write_pids()
        return True

    def stop(self) -> None:
        """End every component with all that it has started: asked first, killed when it does not listen."""
        running = [component.process for component in self.components if component.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + PATIENCE
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            end_session(process.pid, signal.SIGKILL)
            process.wait()

    def _write_pids(self) -> None:
        pids = [os.getpid(), *(part.process.pid for part in self.components if part.process is not None)]
        partial = self.home / f".{PID_FILE}.partial"
        partial.write_text("".join(f"{pid}\n" for pid in pids))
        partial.replace(self.home / PID_FILE)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.is_ending = True


def end_session(leader: int, number: signal.Signals) -> None:
    """Send a signal to every process of a session, whatever process group it has made itself since."""
    for pid, session in sessions().items():
        if session == leader:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def sessions() -> dict[int, int]:
    """Return the session of each process that lives now; one that is dead and not yet waited for does not."""
    living: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                state, _, _, session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
                living |= {int(folder.name): int(session)} if state not in "ZX" else {}
    return living


def say(sentence: str) -> None:
    """Write a sentence into the log of the whole."""
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} standalone: {sentence}", flush=True)


def _given_up(component: Component, sentence: str) -> str:
    about = sentence.partition(" Starting it again")[0]
    return (
        f"{about} It died {component.deaths} times in a row, never up for {STEADY:.0f} s. Airflow is stopped; put "
        "right what the log says, then start it again."
    )


def _die_with_parent() -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def main() -> int:
    """Bring Airflow's database up to date and run its components; return the exit code."""
    airflow = (sys.executable, "-m", "changewindow.cli.component")
    say("bringing Airflow's database up to date")
    if code := subprocess.run([*airflow, "db", "migrate"], check=False).returncode:
        say(f"Airflow's database cannot be brought up to date (exit code {code}); what it says stands above")
        return 1
    try:
        give_no_number_twice(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    except SQLAlchemyError as error:
        say(f"Airflow's database cannot be brought up to date, so nothing is started: {error}")
        return 1
    home = Path(os.environ["AIRFLOW_HOME"])
    return Supervisor.of(home, {name: (*airflow, name) for name in COMPONENTS}).run()


if __name__ == "__main__":
    sys.exit(main())
