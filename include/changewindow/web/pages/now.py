"""The page with what is going on now: what acts, what starts, who has to answer, and what forbids it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from changewindow.changes.present import Present, present
from changewindow.errors import BadPolicy, ChangeError
from changewindow.ledger import findings
from changewindow.ledger.findings import Recorded
from changewindow.ledger.findings_search import Wanted
from changewindow.web.menu import Item
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("now", "Now", place=10)
MOST = 10
"""How many of what is owed, and how many answers, are shown; the reports list the others."""
NEWEST = 5
"""How many findings are shown."""
E_co = TypeVar("E_co", bound=ChangeError, covariant=True)
T = TypeVar("T")


@dataclass(frozen=True)
class OpenFindings:
    """The open findings, for who may see the DAG that makes them."""

    count: int = 0
    newest: tuple[Recorded, ...] = ()
    unknown: str = ""


@router.get("/now")
def show(visit: LoggedIn) -> Response:
    """Show what is going on."""
    policy = _or_why(lambda: visit.policy, BadPolicy)
    seen = present(_or_why(lambda: visit.ledger, ChangeError), policy, visit.now, visit.viewer.numbers)
    found = _findings(visit) if visit.viewer.may_see("silent_changes") else None
    return visit.show(
        "now.html",
        seen=seen,
        found=found,
        alarms=_alarms(seen, found),
        is_calm=_is_calm(seen, found),
        summary=_summary(seen, found),
        most=MOST,
    )


def _or_why(ask: Callable[[], T], why: type[E_co]) -> T | E_co:
    """Return what is asked for, or why it cannot be had."""
    try:
        return ask()
    except why as error:
        return error


def _findings(visit: Visit) -> OpenFindings:
    try:
        newest = findings.find(visit.ledger, Wanted(state="open"), limit=NEWEST)
        return OpenFindings(findings.count_open(visit.ledger), tuple(newest))
    except ChangeError as error:
        return OpenFindings(unknown=str(error))


def _alarms(seen: Present, found: OpenFindings | None) -> dict[str, list[str]]:
    """Return what is not known, by why nobody can say it."""
    questions = {
        "which changes act": seen.acting.unknown,
        "which start within the hour": seen.coming.unknown,
        "who has to answer": seen.answers.unknown,
        "whether the line is stopped": seen.stops.unknown,
        "which targets are held": seen.held.unknown,
        "what is owed": seen.owed.unknown,
        "which freezes and windows are in force": seen.calendar.unknown,
        "which findings are open": found.unknown if found else "",
    }
    alarms: dict[str, list[str]] = {}
    for question, why in questions.items():
        if why:
            alarms.setdefault(why, []).append(question)
    return alarms


def _is_calm(seen: Present, found: OpenFindings | None) -> bool:
    """Return whether it is known that there is nothing to look at."""
    parts = (seen.acting, seen.coming, seen.answers, seen.stops, seen.held, seen.owed)
    is_known = not any(part.unknown for part in (*parts, seen.calendar)) and not (found and found.unknown)
    is_empty = not any(part.items for part in parts) and not seen.unreadable and not (found and found.count)
    freezes = any(row.kind == "freeze" for row in seen.calendar.items)
    return is_known and is_empty and not freezes


def _summary(seen: Present, found: OpenFindings | None) -> str:
    """Return in one sentence what there is; it stays the same while nothing begins or ends."""
    acting, answers = seen.acting.items, seen.answers.items
    expired = [row for row in seen.held.items if row.is_expired or not row.is_acting]
    counts = {
        "change cannot be trusted|changes cannot be trusted": len(seen.unreadable),
        "change acts|changes act": len(acting),
        "is rolled back|are rolled back": sum(row.is_rolled_back for row in acting),
        "has a problem|have a problem": sum(bool(row.problems) for row in acting),
        "change starts within the hour|changes start within the hour": len(seen.coming.items),
        "answer is wanted|answers are wanted": len(answers),
        "target is held although nothing acts on it|targets are held although nothing acts on them": len(expired),
        "thing is overdue|things are overdue": sum(row.is_overdue for row in seen.owed.items),
        "finding is open|findings are open": found.count if found else 0,
    }
    said = [f"{count} {words.split('|')[count > 1]}" for words, count in counts.items() if count]
    stopped = ["the line is stopped"] * bool(seen.stops.items)
    unknown = ["not everything is known"] * bool(_alarms(seen, found))
    sentence = (
        "; ".join([*unknown, *stopped, *said]) or "Of what you may see, nothing acts and nothing waits for an answer"
    )
    return f"{sentence[0].upper()}{sentence[1:]}."
