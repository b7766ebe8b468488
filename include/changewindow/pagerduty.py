"""Asks PagerDuty: open incidents, and who is on call.

Source: https://developer.pagerduty.com/api-reference/
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from changewindow.api import Api, Product
from changewindow.sources.base import SourceError

PRODUCT = Product(
    "PagerDuty",
    needs="a REST API key, which may be read-only (Integrations, API Access Keys)",
    scheme="Token token={}",
    address="https://api.pagerduty.com",
    accept="application/vnd.pagerduty+json;version=2",
)
WORDS = {"services": "service", "schedules": "schedule", "escalation_policies": "escalation policy"}
ID = re.compile(r"[A-Z0-9]{6,20}")
PAGE = 100
MOST = 10_000
"""PagerDuty pages no further."""
Entry = dict[str, Any]


async def identity(api: Api, kind: str, wanted: str) -> str:
    """Return the id of a service, schedule or escalation policy (`kind` as its path says) that has this id or name.

    Raises:
        SourceError: `invalid`, there is none, or several.
    """
    if ID.fullmatch(wanted) and await api.json_or_none(f"/{kind}/{wanted}") is not None:
        return wanted
    named = [one for one in await _listed(api, kind, {"query": wanted}) if one["name"] == wanted]
    if len(named) == 1:
        return str(named[0]["id"])
    if named:
        ids = ", ".join(str(one["id"]) for one in named)
        raise SourceError("invalid", f"PagerDuty has {len(named)} {kind} named '{wanted}'. Write one id: {ids}.")
    says = f"PagerDuty has no {WORDS[kind]} with the name or id '{wanted}' that the token of '{api.connection}' can see"
    raise SourceError("invalid", f"{says}. Correct the ticket, or use a token that can.")


async def open_incidents(api: Api, service: str) -> list[str]:
    """Return the titles of the triggered and acknowledged incidents of a service."""
    asked = {
        "service_ids[]": await identity(api, "services", service),
        "statuses[]": ["triggered", "acknowledged"],
        # Without it, PagerDuty forgets what has been open for more than a month.
        "date_range": "all",
    }
    found = {str(one["id"]): str(one["title"]) for one in await _listed(api, "incidents", asked)}
    return list(found.values())


async def on_call(api: Api, *, schedule: str, policy: str, level: int) -> list[Entry]:
    """Return the users who are on call now: by a schedule, or at a level of an escalation policy."""
    if schedule:
        number = quote(await identity(api, "schedules", schedule), safe="")
        now = api.asking.now()
        moment = {"since": now.isoformat(), "until": (now + timedelta(seconds=1)).isoformat()}
        body = await api.json(f"/schedules/{number}/users", moment, what=f"schedule '{schedule}'")
        return list(body["users"])
    asked = {"escalation_policy_ids[]": await identity(api, "escalation_policies", policy), "include[]": "users"}
    found = await _listed(api, "oncalls", asked)
    return [one["user"] for one in found if one["escalation_level"] == level]


async def _listed(api: Api, kind: str, asked: Mapping[str, str | Sequence[str]]) -> list[Entry]:
    """Return all entries of a list, page by page."""
    found: list[Entry] = []
    for offset in range(0, MOST, PAGE):
        body = await api.json(f"/{kind}", {**asked, "limit": str(PAGE), "offset": str(offset)}, what=kind)
        found += body[kind]
        if not body["more"]:
            return found
    raise SourceError("invalid", f"PagerDuty has more than {MOST} {kind}; it lists no more")
