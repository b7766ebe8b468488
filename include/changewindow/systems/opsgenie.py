"""Asks Opsgenie: open incidents, and who is on call; opens an alert.

Source: https://docs.opsgenie.com/docs/api-overview
"""

import re
from asyncio import sleep
from typing import Any
from urllib.parse import quote

from changewindow.systems.http.api import Api, Product
from changewindow.systems.incident import Incident, NewIncident
from changewindow.systems.measurement import SourceError

PRODUCT = Product(
    "Opsgenie",
    needs="the key of an API integration with the right to read, and to access configurations (Settings, API keys)",
    scheme="GenieKey {}",
    address="https://api.opsgenie.com",
)
NEEDS_TO_OPEN = "the key of an API integration that may read, create and update (Settings, API keys)"
INCIDENT = re.compile(
    r"(?:https://[a-z0-9.-]+\.opsgenie\.com/(?:incident|alert)/detail/|#)?"
    r"(?:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-[0-9]+)?)|([0-9]{1,9}))(?:[/?#].*)?"
)
"""The id or tiny id of an incident or alert, or the address of its page."""
LONGEST = 130
"""Characters of the message of an alert."""
LOOKS, PAUSE = 8, 0.25
"""How often it is looked whether an alert is there, and the seconds between."""
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


async def incident(api: Api, wanted: str) -> Incident | None:
    """Return an alert or incident by its id, tiny id or address; None where there is neither."""
    named = INCIDENT.fullmatch(wanted)
    if named is None:
        return None
    number, kind = (named[1], "id") if named[1] else (named[2], "tiny")
    for path in ("/v2/alerts", "/v1/incidents"):
        if body := await api.json_or_none(f"{path}/{number}", {"identifierType": kind}):
            return _incident(body["data"])
    return None


async def declare(api: Api, new: NewIncident) -> Incident:
    """Open an alert, unless one of its alias is open; return it by its id, or by its alias while Opsgenie makes it.

    Raises:
        SourceError: it was refused, or whether it is open is not known.
    """
    alert = {
        "message": new.title[:LONGEST],
        "alias": new.key,
        "description": new.details,
        "details": new.facts,
        "source": "Change Windows",
        "priority": "P1",
        **({"responders": [{"name": new.whom, "type": "team"}]} if new.whom else {}),
    }
    reply = await api.deliver("POST", "/v2/alerts", alert)
    if not isinstance(reply, dict) or not reply.get("requestId"):
        raise SourceError(
            "invalid", f"something else than Opsgenie has answered. Correct the host of '{api.connection}'"
        )
    return Incident(await _made(api, str(reply["requestId"])) or new.key, new.title, "open", is_open=True)


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


async def _made(api: Api, request: str) -> str:
    """Return the id of the alert that a request has made; empty while it has made none."""
    for _ in range(LOOKS):
        body = await api.json_or_none(f"/v2/alerts/requests/{quote(request, safe='')}")
        done = body["data"] if body else {}
        if done.get("alertId"):
            return str(done["alertId"])
        if done.get("isSuccess") is False:
            raise SourceError("invalid", f"Opsgenie opened no alert: {done.get('status')}")
        await sleep(PAUSE)
    return ""


def _incident(entry: Entry) -> Incident:
    status = str(entry["status"])
    return Incident(str(entry["id"]), str(entry["message"]), status, is_open=status == "open")


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
