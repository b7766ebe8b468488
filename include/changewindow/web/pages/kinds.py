"""The page with all kinds: what may stand in a ticket or in the policy, with every field and an example."""

from functools import cache
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from changewindow import kinds
from changewindow.documents.yaml_writing import written
from changewindow.web.menu import Item
from changewindow.web.visit import LoggedIn

router = APIRouter()
ITEM = Item("kinds", "Kinds", place=90)


@router.get("/kinds")
def show(visit: LoggedIn) -> Response:
    """Show every kind, by the room it belongs to."""
    return visit.show("kinds.html", rooms=_rooms())


@cache
def _rooms() -> dict[str, list[dict[str, Any]]]:
    """Return the facts of each kind; they stay the same for as long as the process lives."""
    return {room: [_shown(room, kind) for kind in kinds.names(room)] for room in kinds.CONTRACTS}


def _shown(room: str, kind: str) -> dict[str, Any]:
    facts = kinds.facts(room, kinds.CONTRACTS[room], kind)
    return facts | {"example": facts["example"] and written(facts["example"])}
