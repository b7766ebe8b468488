"""Waits for an embedded Airflow to come up, for as long as something of it still moves."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from changewindow.cli.standalone import Place, awaited
from changewindow.cli.supervisor import PID_FILE, sessions
from changewindow.errors import PlatformError

STILL = 180.0
"""Seconds for which nothing may move."""
LONGEST = 1800.0
BUSY = 2.0
"""Seconds of CPU by which a component that works is told from one that only waits."""
TICKS = 100.0
"""Of the CPU time in /proc, per second."""
Report = Callable[[str], None]


def wait_until_healthy(place: Place, process: "subprocess.Popen[bytes]", report: Report = lambda _: None) -> None:
    """Wait until every component answers: for as long as those that do not are still at work; `report` what for.

    Raises:
        PlatformError: Airflow ended, or nothing of it moved for a while; its log is named.
    """
    begun = moved = time.monotonic()
    seen = Progress((), 0, 0.0)
    while missing := awaited(place):
        now = time.monotonic()
        if process.poll() is not None:
            raise PlatformError(f"Airflow ended while it was starting: {why_ended(place.home)}")
        if (progress := Progress.of(place.home, missing)).is_more_than(seen):
            seen, moved = progress, now
        if now - moved > STILL or now - begun > LONGEST:
            raise PlatformError(_gave_up(place.home, missing, now - begun, now - moved))
        report(f"waiting for the {_listed(missing)} ({now - begun:.0f} s)")
        time.sleep(0.5)


@dataclass(frozen=True)
class Progress:
    """How far those components have come that do not answer yet."""

    missing: tuple[str, ...]
    written: int
    """Bytes of their logs."""
    cpu: float
    """Seconds of CPU that they have used, with what they have started."""

    @classmethod
    def of(cls, home: Path, missing: tuple[str, ...]) -> "Progress":
        """Return the progress of the components that do not answer."""
        logs = [home / "standalone.log", *(home / f"{name}.log" for name in missing)]
        return cls(missing, sum(log.stat().st_size for log in logs if log.exists()), _cpu_seconds(home))

    def is_more_than(self, before: "Progress") -> bool:
        """Return whether something moved since."""
        return self.missing != before.missing or self.written != before.written or self.cpu - before.cpu >= BUSY


def _cpu_seconds(home: Path) -> float:
    """Return the CPU time of this Airflow and of all that it has started."""
    path = home / PID_FILE
    leaders = {int(line) for line in path.read_text().split()} if path.exists() else set()
    return sum(_cpu_of(pid) for pid, session in sessions().items() if session in leaders)


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS  # of itself, and of its children that have ended


def _gave_up(home: Path, missing: tuple[str, ...], waited: float, still: float) -> str:
    logs = " and ".join(str(home / f"{name}.log") for name in missing)
    nothing = f" and nothing of it moved for {still:.0f} s" if still > STILL else ""
    return f"The {_listed(missing)} of Airflow did not answer in {waited:.0f} s{nothing}; see {logs}."


def _listed(names: tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def why_ended(home: Path) -> str:
    """Return the last that an Airflow which has ended said of itself."""
    path = home / "standalone.log"
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    return next((line for line in reversed(lines) if line.strip()), f"{path} says nothing")
