"""What looks for mistakes finds them, and the same ones again."""

import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from fuzz.guarded import Surface, random_of, tried
from fuzz.policies import Policies
from fuzz.tickets import Tickets


class Breaks:
    """A surface on which every case of a kind breaks."""

    name = "breaks"

    def case(self, random: Random) -> int:
        """Return a number."""
        return random.randrange(100)

    def try_out(self, case: int) -> None:
        """Break."""
        raise ZeroDivisionError(case)


class Hangs(Breaks):
    """A surface that comes to no end, and catches whatever it can."""

    def try_out(self, case: int) -> None:
        """Compute for ever."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(Exception):
                sum(range(10_000))


@pytest.mark.parametrize(("surface", "error"), [(Breaks(), "ZeroDivisionError"), (Hangs(), "TooSlow")])
def test_what_breaks_or_hangs_is_found(surface: Surface, error: str) -> None:
    """With its case, which is the same whenever it is asked for."""
    finding = tried(surface, 1, 7)
    assert finding
    assert error in finding.error
    assert finding.case == repr(random_of(1, "breaks", 7).randrange(100))


@pytest.mark.parametrize("kind", [Tickets, Policies])
def test_a_few_cases_break_nothing(tmp_path: Path, kind: type[Tickets] | type[Policies]) -> None:
    """`make fuzz` tries more of them, and requests and answers too."""
    surface = kind(tmp_path)
    findings = [finding for number in range(1, 21) if (finding := tried(surface, 1, number))]
    assert findings == []
