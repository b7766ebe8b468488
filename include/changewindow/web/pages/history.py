"""The page with every change there ever was: to search, to filter, and to take along as CSV."""

from collections.abc import Iterator
from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response, StreamingResponse

from changewindow.changes import owed
from changewindow.documents import csv_text
from changewindow.errors import LedgerUnknown
from changewindow.ledger import search
from changewindow.ledger.search import Found, Wanted
from changewindow.web.asked_changes import GROUPS, RISKS, STATES, TYPES, Asked, asked_of, wanted
from changewindow.web.menu import Item
from changewindow.web.naming_changes import told
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("history", "History", place=40)
PAGE = 50
AT_ONCE = 2_500
"""How many changes a download asks the ledger for at a time."""
OFFERED = 500
"""How many services are offered while somebody writes one."""
COLUMNS = (*search.FACTS, "owes")


@router.get("/history")
def show(visit: LoggedIn) -> Response:
    """Show the changes that are asked for, or lead to the one whose id is."""
    asked = asked_of(visit)
    if asked.name and _is_there(visit, asked.name):
        return RedirectResponse(visit.path(f"changes/{asked.name}"), status_code=303)
    found = search.find(visit.ledger, wanted(asked, visit), limit=PAGE + 1)
    shown = found[:PAGE]
    targets = [target.partition("/") for target in search.targets(visit.ledger, visit.viewer.numbers)]
    return visit.show(
        "history.html",
        asked=asked,
        found=shown,
        is_more=len(found) > PAGE,
        owes=owed.of_changes(visit.ledger, [each.change.id for each in shown], visit.now),
        services=sorted({service for _, _, service in targets})[:OFFERED],
        environments=sorted({environment for environment, _, _ in targets})[:OFFERED],
        states=STATES,
        groups=GROUPS,
        choices={"type": TYPES, "risk": RISKS},
        ready=_ready(visit),
    )


@router.get("/history.csv")
def download(visit: LoggedIn) -> Response:
    """Return every change that is asked for, as comma-separated values."""
    looked_for = wanted(asked_of(visit), visit)
    first = search.find(visit.ledger, looked_for, limit=AT_ONCE)  # what is wrong is said before the file begins
    rows = _rows(visit, looked_for, first)
    headers = {"Content-Disposition": f'attachment; filename="changes-{visit.now:%Y-%m-%d}.csv"'}
    return StreamingResponse(csv_text.lines(rows), media_type="text/csv; charset=utf-8", headers=headers)


def _rows(visit: Visit, looked_for: Wanted, found: list[Found]) -> Iterator[list[object]]:
    yield list(COLUMNS)
    while found:
        owes = owed.of_changes(visit.ledger, [each.change.id for each in found], visit.now)
        for each in found:
            facts = {
                **each.facts,
                "reason": told(each.change.reason, visit.viewer),
                "owes": owes.get(each.change.id, []),
            }
            yield [facts[name] for name in COLUMNS]
        if len(found) < AT_ONCE:
            return
        found = search.find(visit.ledger, replace(looked_for, before=found[-1].change.number), limit=AT_ONCE)


def _is_there(visit: Visit, name: str) -> bool:
    try:
        visit.change(name)
    except LedgerUnknown:
        return False
    return True


def _ready(visit: Visit) -> dict[str, Asked]:
    """Return searches that are often wanted, by what they are called."""
    return {
        "Everything": Asked(),
        "Mine": Asked(person=visit.viewer.name),
        "Waiting for approval": Asked(state="submitted"),
        "Approved": Asked(state="approved"),
        "Failed in the last 7 days": Asked(state="failed", ended="7d"),
        "Changed in the last 24 hours": Asked(since="24h"),
        "Done by hand": Asked(state="recorded"),
    }
