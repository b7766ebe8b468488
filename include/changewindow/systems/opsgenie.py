"""Asks Opsgenie: open incidents, and who is on call.

Source: https://docs.opsgenie.com/docs/api-overview
"""

import re
from typing import Any
from urllib.parse import quote

from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceError

PRODUCT = Product(
    "Opsgenie",
    needs="the key of an API integration with the right to read, and to access configurations (Settings, API keys)",
    scheme="GenieKey {}",
    address="https://api.opsgenie.com",
)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PAGE = 100
MOST = 20_000
"""Opsgenie pages no further."""
Entry = dict[str, Any]


async def open_incidents(api: Api, service: str) -> list[str]:
    """Return the messages of the open incidents that impact a service, given by its name or id."""
    number = await _service(api, service)
    incidents = await _listed(api, "incidents", {"query": "status:open"})
    return [str(incident["message"]) for incident in incidents if number in (incident.get("impactedServices") or [])]


async def on_call(api: Api, *, schedule: str) -> list[str]:
    """Return the user names, which are e-mail addresses, of those who are on call now by a schedule."""
    kind = "id" if ID.fullmatch(schedule) else "name"
    asked = {"scheduleIdentifierType": kind, "flat": "true"}
    body = await api.json(f"/v2/schedules/{quote(schedule, safe='')}/on-calls", asked, what=f"schedule '{schedule}'")
    if not body["data"]["_parent"].get("enabled", True):
        raise SourceError("no_data", f"the schedule '{schedule}' is disabled: Opsgenie calls nobody by it. Enable it.")
    return list(body["data"]["onCallRecipients"])


async def full_name(api: Api, user: str) -> str:
    """Return the name of a user, given by the user name."""
    body = await api.json(f"/v2/users/{quote(user, safe='')}", what=f"user '{user}'")
    return str(body["data"]["fullName"])


async def _service(api: Api, wanted: str) -> str:
    if ID.fullmatch(wanted):
        await api.json(f"/v1/services/{wanted}", what=f"service with the id '{wanted}'")
        return wanted
    named = [service for service in await _listed(api, "services", {}) if service["name"] == wanted]
    if len(named) == 1:
        return str(named[0]["id"])
    if named:
        ids = ", ".join(str(service["id"]) for service in named)
        raise SourceError("invalid", f"Opsgenie has {len(named)} services named '{wanted}'. Write one id: {ids}.")
    problem = f"Opsgenie has no service named '{wanted}' that the key of '{api.connection}' can see"
    raise SourceError("invalid", f"{problem}. Correct the ticket, or use a key that can.")


async def _listed(api: Api, kind: str, asked: dict[str, str]) -> list[Entry]:
    """Return all entries of a list, page by page."""
    entries: list[Entry] = []
    for offset in range(0, MOST, PAGE):
        body = await api.json(f"/v1/{kind}", {**asked, "limit": str(PAGE), "offset": str(offset)}, what=kind)
        entries += body["data"]
        has_more = "next" in (body.get("paging") or {}) or len(body["data"]) >= PAGE
        if not has_more:
            return entries
    raise SourceError("invalid", f"Opsgenie has more than {MOST} {kind}; it lists no more")
