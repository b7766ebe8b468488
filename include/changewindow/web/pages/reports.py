"""The reports: how changes are delivered, how long people are waited for, and emergencies; with the changes of each."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from changewindow.changes.delivery_report import Report, as_csv, owner, services
from changewindow.changes.figure_text import figure_text, length_text
from changewindow.ledger import events, queries
from changewindow.ledger.activity import Activity, activity
from changewindow.ledger.population import last_drills, population
from changewindow.policy.approval_waits import Waits, waits
from changewindow.policy.delivered import Choice
from changewindow.policy.delivery_metrics import DORA, MEASURES, SUCCESS
from changewindow.policy.population import Population, figures
from changewindow.web.menu import Item
from changewindow.web.rendering import day
from changewindow.web.report_query import DAYS, MOST, Query, named, query_of, whole
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("reports", "Reports", place=70)
ROWS = 40
"""How many services and owners are shown; the CSV has all."""
PAGE = 200
"""How many changes of a number a page lists."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SIDES = ("part", "whole")


@router.get("/reports")
def show(visit: LoggedIn) -> Response:
    """Show how changes are delivered."""
    query = query_of(visit.request.query_params, now=visit.now, zone=visit.zone)
    known = _activity(visit, query)
    report = _report(visit, query, known)
    return visit.show(
        "reports.html",
        **_frame(visit, query, report),
        report=report,
        services=report.by(services, *DORA),
        owners=report.by(owner, *DORA),
        success={
            "risk": report.by(lambda row: (row.risk,), SUCCESS),
            "type": report.by(lambda row: (row.type,), SUCCESS),
        },
        by_hour=report.success_by_hour(),
        waits=_waits(query, known),
        dora=DORA,
        shown=ROWS,
    )


@router.get("/reports/csv")
def download(visit: LoggedIn) -> Response:
    """Return the numbers of the same page as a file."""
    query = query_of(visit.request.query_params, now=visit.now, zone=visit.zone)
    name = f"changes-{query.span.since:%Y-%m-%d}-{query.span.until:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(
        as_csv(_report(visit, query, _activity(visit, query))), media_type="text/csv; charset=utf-8", headers=headers
    )


@router.get("/reports/changes")
def changes(visit: LoggedIn) -> Response:
    """Show exactly the changes of a number."""
    asked = visit.request.query_params
    query = query_of(asked, now=visit.now, zone=visit.zone)
    measure = MEASURES[named(asked, "of", MEASURES, DORA[1].name)]
    side = named(asked, "side", SIDES, "part")
    report = _report(visit, query, _activity(visit, query))
    number = report.measured(measure, report.rows)
    rows = number.part if side == "part" else number.whole
    return visit.show(
        "reports_changes.html",
        query=query,
        measure=measure,
        side=side,
        weekdays=WEEKDAYS,
        **_part(visit, sorted(rows, key=attrgetter("began", "change")), "rows"),
    )


@router.get("/reports/decisions")
def decided(visit: LoggedIn) -> Response:
    """Show the changes about which one level of approval has decided."""
    query = query_of(visit.request.query_params, now=visit.now, zone=visit.zone)
    level = visit.request.query_params.get("level", "")
    of_level = [name for each in _waits(query, _activity(visit, query)) if each.level == level for name in each.changes]
    names = sorted(set(of_level), key=events.number)
    return visit.show(
        "reports_names.html",
        query=query,
        title=f"Decisions of level {level}",
        level=level,
        decisions=len(of_level),
        **_part(visit, names, "names"),
    )


@router.get("/reports/emergencies")
def emergencies(visit: LoggedIn) -> Response:
    """Show the figures of `changewindow report emergencies`."""
    query = query_of(visit.request.query_params, now=visit.now, zone=visit.zone)
    rules = visit.policy.emergencies
    known = _visible(visit, population(visit.ledger, query.span.since, query.span.until, rules))
    drills = last_drills(visit.ledger)
    sees_drills = all(
        visit.viewer.may_see(name) for name in ("emergency_drill", *(each.change for each in drills if each))
    )
    return visit.show(
        "reports_emergencies.html",
        query=query,
        restricted=visit.viewer.numbers is not None,
        figures=[figure for figure in figures(known) if figure.name != "unreadable" or figure.changes],
        figure_text=figure_text,
        habits=known.habits,
        drills=drills if sees_drills else None,
        every=rules.drill_every,
        most=PAGE,
        sees_silent=visit.viewer.may_see("silent_changes"),
    )


def _activity(visit: Visit, query: Query) -> Activity:
    """Return what was done in the time that is asked for and in the one before, as far as who looks may see it."""
    return activity(visit.ledger, query.span.before.since, query.span.until, visit.viewer.numbers)


def _report(visit: Visit, query: Query, known: Activity) -> Report:
    # When the ledger began is when the first change was asked for, which only those may know who may see it.
    begun = queries.begun(visit.ledger) if visit.viewer.numbers is None else query.span.before.since
    return Report(query.span, query.choice, visit.zone, begun, known.delivered)


def _waits(query: Query, known: Activity) -> list[Waits]:
    recent = [each for each in known.waited if each.at >= query.span.since]
    return waits(recent if query.choice == Choice() else filter(query.choice.is_about, recent))


def _part(visit: Visit, listed: Sequence[object], name: str) -> dict[str, Any]:
    """Return the part of a list that is asked for, under a name, and which part that is."""
    at = whole(visit.request.query_params, "at", below=MOST) or 1
    part = listed[(at - 1) * PAGE : at * PAGE]
    return {name: part, "count": len(listed), "at": at, "pages": -(-len(listed) // PAGE)}


def _frame(visit: Visit, query: Query, report: Report) -> dict[str, Any]:
    """Return what the form needs, and what a template calls."""
    chosen = query.choice
    return {
        "query": query,
        "days": DAYS,
        "last_day": day(query.span.until - timedelta(microseconds=1), visit.zone),
        "restricted": visit.viewer.numbers is not None,
        "known_services": _names(chosen.service, (name for row in report.known for name in row.services)),
        "known_environments": _names(chosen.environment, (row.environment for row in report.known)),
        "known_owners": _names(chosen.owner, (row.owner for row in report.known)),
        "figure_text": figure_text,
        "length_text": length_text,
        "weekdays": WEEKDAYS,
    }


def _names(chosen: str | None, known: Iterable[str]) -> list[str]:
    """Return what may be chosen, the choice of now included, whether there is such a thing or not."""
    return sorted({*known, *([chosen] if chosen else [])})


def _visible(visit: Visit, known: Population) -> Population:
    """Return of what is known that which is shown to who looks."""
    sees = visit.viewer.may_see
    return replace(
        known,
        started=tuple(filter(sees, known.started)),
        records=tuple(filter(sees, known.records)),
        silent=known.silent if sees("silent_changes") else (),
        owing=tuple(owed for owed in known.owing if sees(owed.change)),
        unreadable=tuple(filter(sees, known.unreadable)),
        habits=tuple(habit for habit in known.habits if all(map(sees, habit.changes))),
    )
