"""The page of findings: changes of the world that nobody announced, and times in which nobody could see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import get_args

from fastapi import APIRouter
from starlette.responses import Response

from changewindow.changes.blindness import LATE
from changewindow.errors import BadPolicy, BadRequest
from changewindow.ledger import findings, findings_search, looks
from changewindow.ledger.findings_search import Wanted
from changewindow.policy.world_finding import State
from changewindow.web.asked_changes import given
from changewindow.web.menu import Item
from changewindow.web.naming_changes import parts
from changewindow.web.visit import LoggedIn, Visit

router = APIRouter()
ITEM = Item("findings", "Findings", place=60, dag="silent_changes")
PAGE = 50
STATES: tuple[State, ...] = get_args(State)
ANY = "any"


@dataclass(frozen=True)
class Sight:
    """How far a collector has seen."""

    collector: str
    until: datetime | None
    """None where nobody knows."""
    is_behind: bool
    why: str = ""
    """Why nobody knows, as what is said of it."""


@router.get("/findings")
def show(visit: LoggedIn) -> Response:
    """Show the findings that are asked for; without a word, those that are open."""
    visit.require("silent_changes")
    asked = {name: given(visit, name) for name in ("state", "service", "collector")}
    before = given(visit, "before")
    wanted = Wanted(
        state=_state(asked["state"]), service=asked["service"], collector=asked["collector"], before=_number(before)
    )
    found = findings.find(visit.ledger, wanted, limit=PAGE + 1)
    return visit.show(
        "findings.html",
        asked={**asked, "state": asked["state"] or "open"},
        before=before,
        found=found[:PAGE],
        is_more=len(found) > PAGE,
        open=findings_search.open_by_kind(visit.ledger),
        states=STATES,
        collectors=findings_search.collectors(visit.ledger),
        sights=sights(looks.looks(visit.ledger), visit.now),
        owners=_owners(visit, found[:PAGE]),
        parts=partial(parts, viewer=visit.viewer),
    )


def sights(seen_until: looks.Looks, now: datetime) -> list[Sight]:
    """Return how far each collector has seen that was ever asked."""
    return [
        Sight(name, None, is_behind=True, why=look)
        if isinstance(look, str)
        else Sight(name, look.until, is_behind=now - look.until > LATE)
        for name, look in seen_until.items()
    ]


def _owners(visit: Visit, found: list[findings.Recorded]) -> Mapping[int, tuple[str, ...]] | None:
    """Return who owns what each finding is about; None where the policy cannot be read."""
    try:
        catalogue = visit.policy.catalogue
    except BadPolicy:
        return None
    return {each.number: catalogue.owners(each.finding.services) for each in found}


def _state(asked: str) -> State | None:
    if asked == ANY:
        return None
    for state in STATES:
        if state == (asked or "open"):
            return state
    raise BadRequest(f"There is no state '{asked}'. States of findings are {', '.join((*STATES, ANY))}.")


def _number(before: str) -> int | None:
    if not before:
        return None
    if not before.isascii() or not before.isdigit() or len(before) > 9:
        raise BadRequest(f"Before: '{before}' is no number of a finding. Write one like 12.")
    return int(before)
