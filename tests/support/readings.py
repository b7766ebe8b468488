"""Rows of readings, written as letters, for tests of what a watch makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from changewindow.systems.measurement import Cause, Value
from changewindow.watch.condition import Condition
from changewindow.watch.judgement import Judgement, Route
from changewindow.watch.verdict import Verdict
from support.tickets import SOURCE

LETTERS: dict[str, tuple[Verdict, Cause | None]] = {
    "g": ("pass", None),
    "b": ("fail", None),
    "i": ("inconclusive", None),
    "n": ("error", "no_data"),
    "s": ("error", "stale"),
    "u": ("error", "unreachable"),
    "x": ("error", "invalid"),
}
"""Good, bad, inconclusive, no data, stale, unreachable, and invalid: not a number, or several series."""
Settings = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """A reading, without a source."""

    condition: str
    verdict: Verdict
    cause: Cause | None = None
    value: Value | None = None
    detail: str = "limit"

    @property
    def account(self) -> str:
        """Return what is known about it."""
        return self.detail

    def line(self) -> str:
        """Return it as a line."""
        return f"{self.condition} {self.cause or self.verdict}"


def read(condition: str, letter: str) -> Read:
    """Return the reading that a letter stands for."""
    return Read(condition, *LETTERS[letter])


def condition(name: str, settings: Settings) -> Condition:
    """Return a condition as a ticket would have it, bad above 1 if nothing else is said."""
    limits = {} if {"pass", "fail"} & settings.keys() else {"fail": {"above": 1}}
    return Condition.model_validate({"name": name, "source": SOURCE, **limits, **settings})


def judging(every: Sequence[Settings]) -> Judgement:
    """Return what judges conditions with these settings, called c0, c1 and so on."""
    conditions = [condition(f"c{place}", settings) for place, settings in enumerate(every)]
    return Judgement([condition.tally() for condition in conditions])


def routes(judgement: Judgement, *rows: str) -> list[tuple[Route, str] | None]:
    """Return what follows from each sample; each row is one condition, and `|` ends the watch's length."""
    over = rows[0].find("|") if "|" in rows[0] else len(rows[0])
    samples = zip(*(row.replace("|", "") for row in rows), strict=True)
    return [
        judgement.add([read(f"c{name}", letter) for name, letter in enumerate(letters)], is_over=place >= over)
        for place, letters in enumerate(samples)
    ]
