"""The page that says what changed of late, as the ledger has it; to ask the collectors now is a run of a DAG."""

from datetime import timedelta
from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from changewindow.changes.recorded_changes import Asked, recently
from changewindow.errors import BadRequest
from changewindow.systems.collection import Span
from changewindow.web.asked_changes import given
from changewindow.web.menu import Item
from changewindow.web.moments import moment
from changewindow.web.naming_changes import parts
from changewindow.web.pages.findings import sights
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("what-changed", "What changed", place=50, dag="what_changed")
USUAL = "2h"
LONGEST = timedelta(days=31)


@router.get("/what-changed")
def show(visit: LoggedIn) -> Response:
    """Show a time line, with who could not see first."""
    visit.require("what_changed")
    since, until, service = given(visit, "since") or USUAL, given(visit, "until"), given(visit, "service")
    span = _span(visit, since, until)
    may_see_findings = visit.viewer.may_see("silent_changes")
    answer = recently(visit.ledger, Asked(span, service, visit.viewer.numbers, with_findings=may_see_findings))
    return visit.show(
        "what_changed.html",
        asked={"since": since, "until": until, "service": service},
        span=span,
        answer=answer,
        may_see_findings=may_see_findings,
        is_all=visit.viewer.numbers is None,
        sights=sights(answer.looks, visit.now),
        parts=partial(parts, viewer=visit.viewer),
    )


def _span(visit: Visit, since: str, until: str) -> Span:
    begin = moment("Since", since, visit.now, visit.zone)
    end = min(moment("Until", until, visit.now, visit.zone, is_end=True) or visit.now, visit.now)
    if begin is None or begin >= end:
        raise BadRequest(f"Since {since} is not before the end of the span. Write a length of time like 2h.")
    if end - begin > LONGEST:
        raise BadRequest(f"From {since} on is more than {LONGEST.days} days. Ask for less, or search the history.")
    return Span(begin, end)
