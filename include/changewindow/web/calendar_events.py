"""Turns an agenda into the events that the calendar of a browser draws, in the local time of a zone."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from changewindow.calendar.intervals import Interval
from changewindow.calendar.marked import Marked
from changewindow.calendar.scope import is_for
from changewindow.calendar.text import span_text
from changewindow.changes.agenda import ENVIRONMENT, Agenda
from changewindow.documents.text import spoken, visible
from changewindow.ledger.planned import Planned, Wanted
from changewindow.policy.model import Policy
from changewindow.web.visit import Visit

LONG = timedelta(hours=4)
"""An opening that is longer is no window that anybody would ask for."""
ASKED = timedelta(hours=1)
"""What is asked for in such an opening, to begin with."""


def events(agenda: Agenda, wanted: Wanted, rows: Sequence[str], visit: Visit) -> list[dict[str, Any]]:
    """Return the events; `rows` are the targets that the view by target shows.

    Times are local ones of the visit's zone, without an offset; exact ones stand in the text.
    """
    marks = [_mark(mark, rows, visit) for mark in agenda.marks]
    free = [_opening(span, wanted, rows, visit) for span in agenda.free]
    return [*marks, *free, *(_change(change, agenda, visit) for change in agenda.changes)]


def rows_of(agenda: Agenda, policy: Policy | None, wanted: Wanted) -> list[str]:
    """Return the targets of the changes, and of the wanted service in the catalogue."""
    service = policy.catalogue.services.get(wanted.service) if policy else None
    there = service.environments if service else ()
    catalogued = {f"{name}/{wanted.service}" for name in there if wanted.environment in {"", name}}
    return sorted(catalogued.union(*(change.targets for change in agenda.changes)))


def ask_path(span: Interval, wanted: Wanted, visit: Visit) -> str:
    """Return where a change is asked for in an opening, with times like `2026-12-24T22:00+01:00`."""
    end = span.end if span.length <= LONG else span.start + ASKED
    start, end = (moment.astimezone(visit.zone) for moment in (span.start, end))
    times = {"start": start.isoformat(timespec="minutes"), "end": end.isoformat(timespec="minutes"), "zone": visit.zone}
    return visit.path("ask", **times, service=wanted.service, environment=wanted.environment or ENVIRONMENT)


def local_times(span: Interval, zone: tzinfo) -> dict[str, str]:
    """Return start and end as clocks of a zone show them.

    In the night in which clocks go back the end may come before the start; it is drawn as long after it as it lasts.
    """
    start, end = (moment.astimezone(zone).replace(tzinfo=None) for moment in (span.start, span.end))
    return {"start": _written(start), "end": _written(end if end > start else start + span.length)}


def _written(local: datetime) -> str:
    return local.isoformat(timespec="seconds")


def _change(change: Planned, agenda: Agenda, visit: Visit) -> dict[str, Any]:
    collisions = agenda.collisions.get(change.id, ())
    state = spoken(change.status) + (", collides" if collisions else "")
    return {
        "id": change.id,
        "title": visible(f"{change.id} {state}: {change.summary}"),
        **local_times(change.window, visit.zone),
        "resourceIds": change.targets,
        "classNames": ["change", f"state-{change.status}", *(["collides"] if collisions else [])],
        "extendedProps": {
            "url": visit.path(f"changes/{change.id}"),
            "text": visible("\n".join([span_text(change.window, str(visit.zone)), *map(visit.told, collisions)])),
        },
    }


def _mark(mark: Marked, rows: Sequence[str], visit: Visit) -> dict[str, Any]:
    return {
        "title": visible(f"{mark.kind} {mark.name}"),
        **local_times(mark.span, visit.zone),
        "resourceIds": [row for row in rows if is_for(mark.entry, *row.split("/", 1))],
        "classNames": [mark.kind],
        "extendedProps": {"url": "", "text": visible(f"{mark.text}, for {mark.whom}")},
    }


def _opening(span: Interval, wanted: Wanted, rows: Sequence[str], visit: Visit) -> dict[str, Any]:
    target = f"{wanted.environment or ENVIRONMENT}/{wanted.service}"
    return {
        "title": visible(f"open for {wanted.service}: ask for a change"),
        **local_times(span, visit.zone),
        "resourceIds": [target] if target in rows else [],
        "classNames": ["opening"],
        "extendedProps": {"url": ask_path(span, wanted, visit), "text": span_text(span, str(visit.zone))},
    }
