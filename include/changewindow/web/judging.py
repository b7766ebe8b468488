"""Judges for whoever looks at a page what they write, by what they may know."""

from dataclasses import replace
from datetime import datetime
from functools import cache

from changewindow.changes.judging import Asking, Judged, get_ready, judged, window_of
from changewindow.errors import LedgerDown
from changewindow.ledger import queries
from changewindow.policy.conflicts import Other
from changewindow.systems.process.bounded import TooLong, Workers
from changewindow.web.visit import Visit

UNSEEN = "Changes that are not shown to you are only looked at once you ask: they may overlap with this one."
REMEDY = "Wait a moment and check again; if that does not help, write fewer steps, or fewer values for parameters."


@cache
def workers() -> Workers:
    """Return the processes that judge for this one."""
    return Workers(get_ready)


def judge(visit: Visit, text: str, *, change: str = "") -> Judged:
    """Return what is wrong with the text of a ticket, its plan, and the next openings; nothing of it is kept.

    `change` is the one that gets this text; empty for a new one. What takes too long is a finding.
    """
    person = visit.viewer.name
    remarks = [] if visit.viewer.sees_every_dag else [UNSEEN]
    try:
        others = _others(visit, workers().compute(person, window_of, text), change)
    except TooLong as error:
        return Judged([_late(error)])
    except LedgerDown as down:
        others, remarks = (), [*remarks, f"Other changes were not looked at. {down}"]
    asking = Asking(visit.now, *visit.surroundings.policy_files(), person, others, change)
    try:
        made = workers().compute(person, judged, text, asking)
    except TooLong as error:
        return Judged([_late(error)])
    findings = [
        {**each, "sentence": visit.local(each["sentence"]), "remedy": visit.local(each["remedy"])}
        for each in made.findings
    ]
    return replace(made, findings=findings, remarks=[*made.remarks, *remarks])


def _others(visit: Visit, window: tuple[datetime, datetime] | None, change: str) -> tuple[Other, ...]:
    """Return the changes at the same time, as far as they are shown to who looks."""
    near = queries.others(visit.ledger, *window, but=change) if window else []
    return tuple(other for other in near if visit.viewer.may_see(other.change))


def _late(error: TooLong) -> dict[str, str | int]:
    about = {"severity": "error", "who": "limits", "place": "", "sentence": str(error), "remedy": REMEDY}
    return {"line": 1, "column": 1, **about}
