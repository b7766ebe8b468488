"""The command: `make fuzz`, for FUZZ_MINUTES, with FUZZ_SEED; FUZZ_CASE=door:17 tries that one again.

Ends with 1 where something has broken; each finding lies in `.demo/fuzz`, once.
"""

import gc
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.guarded import Finding, Surface, limit_memory, tried

FINDINGS = Path(".demo/fuzz")
TURN = 5.0
"""Seconds for which one surface is tried before the next one."""


def surfaces(folder: Path) -> list[Surface]:
    """Return everything that is tried."""
    os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(Path(__file__).resolve().parents[2] / "plugins")
    os.environ["CHANGEWINDOW_SEAL_KEY"] = "the-key-with-which-all-tests-seal"
    os.environ["CHANGEWINDOW_HEADS"] = str(folder / "heads")
    from fuzz import answers, door, policies, tickets  # noqa: PLC0415  Airflow reads its settings as it is imported

    made: list[Surface] = []
    for kind in (door.Doors, tickets.Tickets, policies.Policies, answers.Answers):
        place = folder / kind.name
        place.mkdir()
        made.append(kind(place))
    return made


@dataclass
class Tried:
    """What was tried, and what has broken, each thing once."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def try_until(self, surface: Surface, end: float) -> None:
        """Try one surface for a while."""
        while time.monotonic() < end:
            self.counts[surface.name] += 1
            finding = tried(surface, self.seed, self.counts[surface.name])
            if finding and finding.key not in self.found:
                self.found[finding.key] = finding
                path = finding.write(FINDINGS)
                print(f"{surface.name}:{finding.number}: {finding.where}: {finding.error} ({path})", flush=True)

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {name}" for name, count in sorted(self.counts.items()))
        return f"{counted}; {len(self.found)} findings"


def fuzz(made: list[Surface], seed: int, minutes: float) -> Tried:
    """Try all surfaces in turns."""
    tried_out = Tried(seed)
    end = time.monotonic() + minutes * 60
    while (left := end - time.monotonic()) > 0:
        for surface in made:
            tried_out.try_until(surface, min(end, time.monotonic() + TURN))
        gc.collect()
        if left % 60 < TURN * len(made):
            print(f"{left / 60:.0f} minutes left: {tried_out}", flush=True)
    return tried_out


def main() -> int:
    """Do what the environment asks for."""
    logging.disable(logging.CRITICAL)
    seed = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(10**6))
    minutes = float(os.environ.get("FUZZ_MINUTES") or 5)
    with tempfile.TemporaryDirectory(prefix="changewindow-fuzz-") as folder:
        made = surfaces(Path(folder))
        if wanted := os.environ.get("FUZZ_CASE"):
            name, _, number = wanted.partition(":")
            finding = tried(next(surface for surface in made if surface.name == name), seed, int(number))
            print(f"{finding.case[:3000]}\n{finding.trace}" if finding else "nothing is wrong with it")
            return int(finding is not None)
        limit_memory()
        print(f"seed {seed}, {minutes:g} minutes", flush=True)
        done = fuzz(made, seed, minutes)
    print(f"seed {seed}: {done}", flush=True)
    return int(bool(done.found))


if __name__ == "__main__":
    sys.stdout.flush()
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Airflow leaves threads behind that wait for nothing
