"""Measures how changes are delivered: DORA's five metrics, success and overruns, each with the changes that it counts.

Definitions: https://dora.dev/guides/dora-metrics/ (January 2026). What they leave open is decided here, and said.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from statistics import median
from typing import Literal

from changewindow.policy.delivered import BY_HAND, Delivered

FEW = 5
"""With fewer changes than this, a number says little."""
WEEK = timedelta(days=7)
CLOCKS_GO_FORWARD = timedelta(hours=1)
"""By as much one week of the year is shorter."""
Unit = Literal["seconds", "share", "per week"]
Test = Callable[[Delivered], object]


@dataclass(frozen=True)
class Measure:
    """What is measured, and of which changes."""

    name: str
    text: str
    unit: Unit
    definition: str
    nothing: str
    """Why there is no number, where there are no changes to measure."""
    whole: Test | None = None
    """Whether a change is among those of which something is measured; None: each is."""
    part: Test | None = None
    """Whether it is among those that are counted, too; None: each is."""
    length: Callable[[Delivered], timedelta] | None = None
    """What is measured of each, where that is a length of time."""
    uncounted: str = ""
    """Why there is none, where there are such changes, but of none of them a length of time is known."""


@dataclass(frozen=True)
class Measured:
    """A number, with the changes behind it: those that are counted, out of those that could have been."""

    measure: Measure
    value: float | None
    """Seconds, a share from 0 to 1, or changes per week; None: there is nothing to measure, see `why`."""
    part: tuple[Delivered, ...]
    whole: tuple[Delivered, ...]
    why: str = ""

    @property
    def is_small(self) -> bool:
        """Return whether there are so few changes that the number says little."""
        return 0 < len(self.whole) < FEW


def _asked_for(row: Delivered) -> bool:
    return row.asked is not None and not row.has_failed


def _took(row: Delivered) -> timedelta:
    return row.ended - (row.asked or row.began)


def _recovery(row: Delivered) -> timedelta:
    return (row.recovered or row.ended) - (row.failing or row.began)


def _was_run(row: Delivered) -> bool:
    return row.type != BY_HAND


DORA = (
    Measure(
        "change_lead_time",
        "Change lead time",
        "seconds",
        "The median time from when the ticket entered the ledger until its change was completed. DORA measures from "
        "the commit, whose time the ledger does not know. Changes that were rolled back, and what was done by hand, "
        "have no lead time.",
        "no change was completed",
        whole=_asked_for,
        length=_took,
    ),
    Measure(
        "deployment_frequency",
        "Deployment frequency",
        "per week",
        "Deployments per week: changes that passed their gate, acted and have ended, emergencies and those that were "
        "rolled back included, and records of what was done by hand. Drills, dry runs, and changes that still act, or "
        "were refused, missed, rejected or cancelled, are none.",
        "nothing was deployed",
    ),
    Measure(
        "failed_deployment_recovery_time",
        "Failed deployment recovery time",
        "seconds",
        "The median time from the decision to take a deployment back (by its watch, an abort, or a later rollback) "
        "until the rollback was verified. A rollback that has failed has not recovered: it is among the failed "
        "ones, and has no time.",
        "no deployment failed",
        whole=lambda row: row.has_failed,
        part=lambda row: row.recovered,
        length=_recovery,
        uncounted="no failed deployment has recovered",
    ),
    Measure(
        "change_fail_rate",
        "Change fail rate",
        "share",
        "Deployments that were rolled back, or whose rollback failed, out of all that ran here; a change fails once, "
        "however many of its conditions do. What was done by hand is not counted: nobody watched it, so nobody knows "
        "how it went. A fix by another change is counted as rework instead.",
        "no change ran",
        whole=_was_run,
        part=lambda row: row.has_failed,
    ),
    Measure(
        "deployment_rework_rate",
        "Deployment rework rate",
        "share",
        "Unplanned deployments because of an incident, out of all: emergencies, and records that name an incident.",
        "nothing was deployed",
        part=lambda row: row.is_unplanned,
    ),
)
SUCCESS = Measure(
    "success",
    "Success",
    "share",
    "Changes that were completed and not rolled back later, out of all that ran here.",
    "no change ran",
    whole=_was_run,
    part=lambda row: not row.has_failed,
)
OVERRUNS = (
    Measure(
        "ended_after_window",
        "Ended after the end of the window",
        "share",
        "Changes that were over only after the end of their window, as it was extended, out of all that ran here.",
        "no change ran",
        whole=lambda row: _was_run(row) and row.closes,
        part=lambda row: row.closes and row.ended > row.closes,
    ),
    Measure(
        "longer_than_planned",
        "Took longer than steps and watch may",
        "share",
        "Changes that took longer from gate to end than the timeouts of their steps and the length of their watch add "
        "up to, out of those that were completed.",
        "no change was completed",
        whole=lambda row: _was_run(row) and row.longest and not row.has_failed,
        part=lambda row: row.longest and row.ended - row.began > row.longest,
    ),
    Measure(
        "rollback_longer_than_estimated",
        "Rollback took longer than estimated",
        "share",
        "Rollbacks that took longer from decision to verification than their tickets had estimated, out of those that "
        "were verified.",
        "no change was rolled back",
        whole=lambda row: row.recovered and row.rollback_estimate,
        part=lambda row: row.rollback_estimate and _recovery(row) > row.rollback_estimate,
    ),
)
MEASURES = {measure.name: measure for measure in (*DORA, SUCCESS, *OVERRUNS)}


def measured(measure: Measure, rows: Iterable[Delivered], length: timedelta | None) -> Measured:
    """Return what is measured of deployments in a time of this length; None: the ledger knows nothing of that time."""
    whole = _those(measure.whole, tuple(rows))
    part = _those(measure.part, whole)
    if length is None:
        return Measured(measure, None, part, whole, "the ledger had not begun")
    if not whole or (measure.length and not part):
        return Measured(measure, None, part, whole, measure.uncounted if whole else measure.nothing)
    if measure.unit == "per week" and length < WEEK - CLOCKS_GO_FORWARD:
        return Measured(measure, None, part, whole, "less than a week to count in")
    return Measured(measure, _value(measure, part, whole, length), part, whole)


def _those(is_so: Test | None, rows: tuple[Delivered, ...]) -> tuple[Delivered, ...]:
    return rows if is_so is None else tuple(filter(is_so, rows))


def _value(measure: Measure, part: Sequence[Delivered], whole: Sequence[Delivered], length: timedelta) -> float:
    if measure.length:
        return median([measure.length(row).total_seconds() for row in part])
    return len(part) / len(whole) if measure.unit == "share" else len(part) * (WEEK / length)


def grouped(rows: Iterable[Delivered], key: Callable[[Delivered], Iterable[str]]) -> dict[str, list[Delivered]]:
    """Return deployments by what they have in common, the largest group first; one may be in several."""
    groups: dict[str, list[Delivered]] = {}
    for row in rows:
        for name in key(row):
            groups.setdefault(name, []).append(row)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest of the values that so large a share of them does not exceed; None: there are none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def compared(value: float | None, before: float | None) -> str:
    """Return in a word how a number stands to the one before: up, down or same; empty where one of them is missing."""
    if value is None or before is None:
        return ""
    if abs(value - before) <= 1e-9 * max(abs(value), abs(before)):
        return "same"
    return "up" if value > before else "down"
