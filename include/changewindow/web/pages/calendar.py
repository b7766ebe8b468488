"""The calendar: changes, windows, freezes and openings, by month, week, day, list, and target."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from changewindow.calendar.intervals import Interval
from changewindow.changes.agenda import MOST, Agenda, agenda, next_openings
from changewindow.errors import BadPolicy
from changewindow.ledger import feeds
from changewindow.ledger.planned import Wanted
from changewindow.policy.model import Policy
from changewindow.web.calendar_events import ask_path, events, rows_of
from changewindow.web.feed import FILTERS
from changewindow.web.menu import Item
from changewindow.web.stretch import VIEWS, day_of, days_between, stretch_of
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("calendar", "Calendar", place=20)


@dataclass(frozen=True)
class Known:
    """The policy, or why it cannot be read."""

    policy: Policy | None
    problem: str = ""


@router.get("/calendar")
def show(visit: LoggedIn) -> Response:
    """Show a stretch of days: drawn by the browser, and as tables that say the same."""
    stretch = stretch_of(visit.request.query_params, visit.now.astimezone(visit.zone).date())
    within, wanted, known = days_between(stretch.first, stretch.last, visit.zone), _wanted(visit), _known(visit)
    return visit.show(
        "calendar.html",
        stretch=stretch,
        views=VIEWS,
        wanted=wanted,
        agenda=_agenda(visit, known, within),
        known=known,
        environments=_environments(known.policy),
        most=MOST,
        openings=_openings(visit, known, within),
        feed_since=feeds.made_at(visit.ledger, visit.viewer.identity) if visit.viewer.identity else None,
        filters={name: getattr(wanted, name) for name in FILTERS},
        data=visit.path("calendar/events", **_asked(visit, {"from": stretch.first, "to": stretch.last})),
        offset=visit.now.astimezone(visit.zone).isoformat()[-6:],
    )


@router.get("/calendar/events")
def data(visit: LoggedIn) -> Response:
    """Return the events of the days `from` up to `to` as JSON, with local times of the visit's zone.

    Without both they are those of the stretch that the page would show.
    """
    query = visit.request.query_params
    stretch = stretch_of(query, visit.now.astimezone(visit.zone).date())
    first, last = day_of(query.get("from") or "", stretch.first), day_of(query.get("to") or "", stretch.last)
    known, wanted = _known(visit), _wanted(visit)
    held = _agenda(visit, known, days_between(first, last, visit.zone))
    rows = rows_of(held, known.policy, wanted)
    return JSONResponse(
        {
            "events": events(held, wanted, rows, visit),
            "resources": [{"id": row, "title": row} for row in rows],
            "is_cut": held.is_cut,
            "problem": known.problem,
        }
    )


def _agenda(visit: Visit, known: Known, within: Interval) -> Agenda:
    return agenda(visit.ledger, known.policy, within, _wanted(visit), numbers=visit.viewer.numbers, now=visit.now)


def _openings(visit: Visit, known: Known, within: Interval) -> list[dict[str, Any]]:
    """Return the next openings from the first day on that is not over, each with where to ask for a change in it."""
    after, wanted = max(within.start, visit.now), _wanted(visit)
    coming = next_openings(known.policy, wanted, after) if known.policy else []
    spans = [Interval(opening.start, opening.end or opening.start + (within.end - within.start)) for opening in coming]
    return [
        {"opening": opening, "path": ask_path(span, wanted, visit)} for opening, span in zip(coming, spans, strict=True)
    ]


def _environments(policy: Policy | None) -> list[str]:
    services = policy.catalogue.services.values() if policy else ()
    return sorted({name for service in services for name in service.environments})


def _known(visit: Visit) -> Known:
    """Return the policy; changes are shown without it, too."""
    try:
        return Known(visit.policy)
    except BadPolicy as bad:
        return Known(None, str(bad))


def _wanted(visit: Visit) -> Wanted:
    return Wanted(**{name: (visit.request.query_params.get(name) or "").strip() for name in FILTERS})


def _asked(visit: Visit, days: dict[str, Any]) -> dict[str, Any]:
    """Return the query for the events of some days, in the zone and with the filters of the page."""
    wanted = _wanted(visit)
    return {**days, "zone": visit.zone, **{name: getattr(wanted, name) for name in FILTERS}}
