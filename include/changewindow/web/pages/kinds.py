"""The page with all kinds: what may stand in a ticket or in the policy, with every field and an example."""

from functools import cache
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from changewindow import kinds
from changewindow.documents.yaml_writing import written
from changewindow.web.menu import Item
from changewindow.web.prose import blocks, pieces
from changewindow.web.visit import LoggedIn

router = APIRouter()
ITEM = Item("kinds", "Kinds", place=90)
ROOMS = {
    "steps": "What a change does: each step can be applied, and undone if the change is rolled back.",
    "sources": "What can be measured: before a change (preflight), while it is watched, and to validate it at the end.",
    "checks": "What every ticket is judged by before anybody is asked to approve it.",
    "notify": "Where messages go: the rooms and mailboxes that hear of a change.",
    "collectors": "Where changes of the world show, so that one that nobody announced is found.",
    "silences": "What keeps alerts of a change's targets quiet while it acts, and for no longer.",
    "markers": "What draws a change onto dashboards and into the tools of those who are on call.",
}
"""What the kinds of a room are for, in a sentence."""


@router.get("/kinds")
def show(visit: LoggedIn) -> Response:
    """Show every kind, by the room it belongs to."""
    return visit.show("kinds.html", rooms=_rooms(), means=ROOMS)


@cache
def _rooms() -> dict[str, list[dict[str, Any]]]:
    """Return the facts of each kind; they stay the same for as long as the process lives."""
    return {room: [_shown(room, kind) for kind in kinds.names(room)] for room in kinds.CONTRACTS}


def _shown(room: str, kind: str) -> dict[str, Any]:
    facts = kinds.facts(room, kinds.CONTRACTS[room], kind)
    fields = [field | {"about": pieces(field["description"] or "")} for field in facts["fields"]]
    text = {"head": pieces(facts["summary"]), "blocks": list(blocks(facts["documentation"]))}
    return facts | text | {"fields": fields, "example": facts["example"] and written(facts["example"])}
