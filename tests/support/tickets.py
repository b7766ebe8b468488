"""A small valid ticket and the examples, for tests to start from."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from changewindow.policy.check import Facts
from changewindow.policy.connections import Connections, Served
from changewindow.policy.load import load_policy
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.schema import ticket_schema

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FACTS = Facts(now=NOW)
"""What can be known of a ticket alone."""
TESTS = Path(__file__).parents[1]
SHIPPED = load_policy(TESTS.parent / "include" / "policy")
"""The policy as it is delivered."""
LISTED = SHIPPED.connections.connections if SHIPPED.connections else {}
SHOP = dict.fromkeys(("shop", "shop_config"), Served(services=("all",), environments=("all",)))
POLICY = replace(SHIPPED, connections=Connections(connections={**LISTED, **SHOP}))
"""The same with the connections of the tests' tickets; any other is refused."""
EXAMPLES = sorted((TESTS.parent / "include" / "tickets").glob("*.yaml"))
SOURCE = {"kind": "http", "connection": "shop", "path": "/banner"}
BANNER: dict[str, Any] = {
    "summary": "Switch the banner on.",
    "services": ["orders"],
    "environment": "production",
    "type": "normal",
    "risk": "low",
    "owner": "alice",
    "reviewer": "bob",
    "window": {"zone": "UTC", "start": "2031-03-18 14:00", "end": "2031-03-18 15:00"},
    "steps": [{"name": "Switch it on", "kind": "command", "run": ["banner", "on"], "undo": ["banner", "off"]}],
    "rollback": {"estimate": "1m", "verify": [{"name": "Banner is off", "source": SOURCE, "pass": {"equals": 404}}]},
    "watch": {"for": "1m"},
    "validation": [{"name": "Banner is on", "source": SOURCE, "pass": {"equals": 200}}],
}


def banner(**changed: Any) -> dict[str, Any]:
    """Return the data of the ticket, with some fields changed."""
    return copy.deepcopy({**BANNER, **changed})


def ticket(**changed: Any) -> Ticket:
    """Return the ticket, with some fields changed."""
    return build_ticket(banner(**changed))


def golden(name: str) -> str:
    """Return a text that somebody has read and found right."""
    return (TESTS / "golden" / name).read_text(encoding="utf-8")


@cache
def by_schema() -> jsonschema.Draft202012Validator:
    """Return what judges tickets by their JSON Schema; to make it takes longer than most files of tests."""
    return jsonschema.Draft202012Validator(ticket_schema())
