"""The page of one change: what it is, where it stands and why, what was measured, and everything that happened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from changewindow.changes import owed
from changewindow.changes.card_course import ACTING
from changewindow.changes.change_facts import Asked, ChangeFacts, facts_of
from changewindow.changes.event_lines import lines
from changewindow.changes.measured import measured
from changewindow.changes.moments import marks
from changewindow.changes.offers import Held, Offer, offers
from changewindow.changes.tasks_seen import runs_of, tasks_seen
from changewindow.documents.yaml_writing import written
from changewindow.errors import BadPolicy, BadRequest, LedgerUnknown
from changewindow.ledger import changes, queries, records
from changewindow.ledger.events import is_id
from changewindow.policy.manual_change import RECORDED
from changewindow.policy.model import Policy
from changewindow.ticket import every_field
from changewindow.ticket.plan import plan
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
PAGE = 100
"""Lines of what happened on a page."""
LONGEST = 40_000
"""Characters of a ticket on the page; a longer one is downloaded."""
MOST_TEXTS = 100
"""How many texts are compared at once."""
LIVE, AT_REST = 5, 60
"""Seconds from one look to the next, while it acts and otherwise."""


@router.get("/changes/{change}")
def show(change: str, visit: LoggedIn, before: str = "", texts: str = "") -> Response:
    """Show a change."""
    _require_seen(visit, change)
    asked = Asked(_policy(visit), visit.now, "run", texts=MOST_TEXTS if texts == "all" else 4)
    facts = facts_of(visit.ledger, change, asked)
    return visit.show(
        "change.html",
        change=change,
        facts=facts,
        policy_refused=str(asked.policy) if isinstance(asked.policy, BadPolicy) else "",
        owes=owed.owes(facts.owed, visit.now) if facts.owed else [],
        live=LIVE if _is_live(facts) else AT_REST,
        offered=[_form(offer) for offer in _offered(facts, visit)],
        yaml=_yaml(facts),
        longest=LONGEST,
        is_all=texts == "all",
        **_watched(facts),
        **_tasks(change, facts),
        **_happened(facts, before),
    )


@router.get("/changes/{change}/ticket.yaml")
def ticket(change: str, visit: LoggedIn, text: str = "") -> Response:
    """Return a text of a change as a file: that with this digest, or else the newest; of a record, what was told.

    Raises:
        BadRequest: it has no text with this digest.
    """
    _require_seen(visit, change)
    row = visit.change(change)
    digest = text or row.digest
    if text and text not in queries.digests(visit.ledger, change):
        raise BadRequest(f"{change} has no text {text[:12]}. Choose one under Text on its page.")
    if row.status == RECORDED:
        data = records.manual_change(visit.ledger, change).data
    else:
        data = every_field.in_order(changes.text_of(visit.ledger, change, digest))
    file = change if digest == row.digest else f"{change}-{digest[:12]}"
    name = {"Content-Disposition": f'attachment; filename="{file}.yaml"'}
    return Response(written(data), media_type="application/yaml", headers=name)


def _require_seen(visit: Visit, change: str) -> None:
    """Let who looks go on if there may be such a change for them.

    Raises:
        LedgerUnknown: it is none, or it is not shown to them; nobody can tell which.
    """
    if not is_id(change) or not visit.viewer.may_see(change):
        raise LedgerUnknown(change)


def _policy(visit: Visit) -> Policy | BadPolicy:
    try:
        return visit.policy
    except BadPolicy as bad:
        return bad


def _is_live(facts: ChangeFacts) -> bool:
    return facts.row.status == "running" or facts.course.state in ACTING | {"starting"}


def _yaml(facts: ChangeFacts) -> str:
    return written(every_field.in_order(facts.data)) if facts.data is not None else ""


def _watched(facts: ChangeFacts) -> dict[str, Any]:
    """Return what was measured, and the moments that are drawn beside it."""
    conditions = facts.ticket.conditions if facts.ticket else ()
    return {"measured": measured(facts.rows, conditions), "marks": list(marks(facts.rows))}


def _tasks(change: str, facts: ChangeFacts) -> dict[str, Any]:
    """Return the runs of a change, and each task of its plan as the newest of them has left it."""
    runs = runs_of(facts.rows)
    acting = [run for run in runs if not run.is_dry]
    newest = (acting or runs)[-1] if runs else None
    nodes = plan(facts.ticket) if facts.ticket else ()
    return {
        "runs": [(run, f"dags/{change}/runs/{quote(run.id, safe='')}") for run in runs],
        "newest": newest,
        "tasks": tasks_seen(nodes, facts.rows, newest.id if newest else ""),
    }


def _happened(facts: ChangeFacts, before: str) -> dict[str, Any]:
    """Return the lines of what happened, the newest first, and from which event on there are earlier ones.

    Raises:
        BadRequest: `before` is no number of an event.
    """
    if before and not (before.isascii() and before.isdecimal() and len(before) < 10):
        raise BadRequest(f"'{before[:40]}' is no number of an event. Leave `before` out to see the newest ones.")
    rows = [row for row in facts.rows if row.sequence < int(before)] if before else facts.rows
    told = list(lines(rows, PAGE))
    earlier = told[0].first.sequence if told and told[0].first.sequence > _first(facts.rows) else None
    return {"told": told[::-1], "earlier": earlier, "is_part": bool(before)}


def _first(rows: Sequence[Any]) -> int:
    return int(rows[0].sequence) if rows else 0


def _offered(facts: ChangeFacts, visit: Visit) -> list[Offer]:
    row = facts.row
    closes = facts.known.closes or row.closes
    held = Held(
        change=row.id,
        status=row.status,
        run=row.run,
        is_emergency=bool(facts.known.declared),
        is_rolled_back=facts.course.state == "rolling_back",
        opens=row.opens,
        closes=closes,
        targets=facts.held,
        owed=facts.owed,
    )

    def shown(moment: datetime) -> str:
        # On a small phone +00:00 would be cut off.
        return moment.astimezone(visit.zone).isoformat(timespec="minutes").replace("+00:00", "Z")

    return list(offers(held, shown))


def _form(offer: Offer) -> tuple[Offer, list[tuple[Any, ...]]]:
    """Return what is offered, with its fields as the form of pages takes them."""
    return offer, [(each.name, each.label, each.value, each.type, each.is_needed) for each in offer.fields]
