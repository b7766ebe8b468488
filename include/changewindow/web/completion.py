"""What an editor of tickets completes: the fields and values of the schema, and the names of the policy."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import changewindow
from changewindow.changes.viewer import Viewer
from changewindow.documents.types import duration_text
from changewindow.policy.model import Policy
from changewindow.ticket.schema import USE, ticket_schema

KEPT = ("$ref", "type", "const", "enum", "required")
"""Keywords that are kept as they are; those that only judge are left to whoever judges."""
PRODUCT = Path(changewindow.__file__).parent
MADE_OF = {"ticket", "steps", "sources", "silences", "watch", "documents"}
"""The rooms that the schema is made of."""
LENGTH = re.compile("P(T?[0-9.]+[DHMS])+")
LONGEST = 200
"""Characters of a description that fit beside a list of names."""


@cache
def schema_text() -> str:
    """Return the schema of tickets, cut down to what completes them, as JSON."""
    whole = ticket_schema()
    definitions = {name: _cut(part) for name, part in whole["$defs"].items()}
    return json.dumps({**_cut(whole), "$defs": definitions}, separators=(",", ":"), ensure_ascii=False)


@cache
def schema_version() -> str:
    """Return what changes whenever the schema may: with the product, for to make the schema takes seconds."""
    files = sorted(path for path in PRODUCT.rglob("*.py") if path.parent.name in MADE_OF)
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def names(policy: Policy | None, viewer: Viewer) -> dict[str, list[str]]:
    """Return the names that may be completed: connections only to those who may ask for something with them."""
    if policy is None:
        return {}
    services = policy.catalogue.services
    environments = sorted({name for service in services.values() for name in service.environments})
    listed = policy.connections.connections if policy.connections and viewer.may_act else {}
    return {"services": sorted(services), "environments": environments, "connections": sorted(listed)}


def _cut(part: Mapping[str, Any]) -> dict[str, Any]:
    cut: dict[str, Any] = {name: part[name] for name in KEPT if name in part}
    if part.get("default") not in (None, "", [], {}):
        cut["default"] = _as_written(part["default"])
    if "description" in part:
        cut["description"] = str(part["description"]).split("\n\n", 1)[0].replace("\n", " ")[:LONGEST]
    if "properties" in part:
        cut["properties"] = {name: _cut(value) for name, value in part["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(part.get(name), dict):
            cut[name] = _cut(part[name])
    choices = [_cut(choice) for name in ("anyOf", "oneOf") for choice in part.get(name, ()) if choice != USE]
    return {**cut, "anyOf": choices} if choices else cut


def _as_written(value: Any) -> Any:
    """Return a default as an author would write it: a length of time is `5m`, and no ISO 8601."""
    is_length = isinstance(value, str) and LENGTH.fullmatch(value)
    return duration_text(TypeAdapter(timedelta).validate_python(value)) if is_length else value
