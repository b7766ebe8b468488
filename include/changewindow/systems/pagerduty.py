"""Asks PagerDuty: open incidents, and who is on call; opens an incident.

Source: https://developer.pagerduty.com/api-reference/
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from changewindow.systems.alert_labels import Matcher
from changewindow.systems.http.api import Api, Product
from changewindow.systems.incident import Incident, NewIncident
from changewindow.systems.measurement import SourceError

PRODUCT = Product(
    "PagerDuty",
    needs="a REST API key, which may be read-only (Integrations, API Access Keys)",
    scheme="Token token={}",
    address="https://api.pagerduty.com",
    accept="application/vnd.pagerduty+json;version=2",
)
NEEDS_TO_OPEN = (
    "a REST API key that may write (Integrations, API Access Keys), with a user's e-mail address as the login"
)
WORDS = {"services": "service", "schedules": "schedule", "escalation_policies": "escalation policy"}
SILENT = {
    "maintenance": ("in maintenance", "End its maintenance window"),
    "disabled": ("disabled", "Enable it"),
}
ID = re.compile(r"[A-Z0-9]{6,20}")
NUMBER = re.compile(r"[PQ](?=[A-Z]*[0-9])([A-Z0-9]{6}|[A-Z0-9]{13})|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id that nobody would give a service for a name: PagerDuty's with a digit in it, or Opsgenie's."""
INCIDENT = re.compile(
    r"(?:https://[a-z0-9-]+(?:\.eu)?\.pagerduty\.com/incidents/|#)?([A-Z0-9]{6,20}|[0-9]{1,9})/?(?:[?#].*)?"
)
"""The id or number of an incident, or the address of its page."""
OPEN = ("triggered", "acknowledged")
PAGE = 100
MOST = 10_000
"""PagerDuty pages no further."""
Entry = dict[str, Any]


def of_services(services: Sequence[str]) -> tuple[Matcher, ...]:
    """Return what tells the incidents of one service from those of others: its id; a name may be that of any id."""
    return tuple(Matcher("service", "=", service) for service in services if NUMBER.fullmatch(service))


async def open_incidents(api: Api, service: str) -> list[str]:
    """Return the titles of the triggered and acknowledged incidents of a service.

    Raises:
        SourceError: `no_data`, there is none because PagerDuty opens none for the service now.
    """
    known = await _entry_of(api, "services", service)
    asked = {
        "service_ids[]": str(known["id"]),
        "statuses[]": OPEN,
        # Without it, PagerDuty forgets what has been open for more than a month.
        "date_range": "all",
    }
    incidents = {str(incident["id"]): str(incident["title"]) for incident in await _listed(api, "incidents", asked)}
    if not incidents and known.get("status") in SILENT:
        why, remedy = SILENT[known["status"]]
        problem = f"none is open, which proves nothing: '{service}' is {why}, and PagerDuty opens no incidents for it"
        raise SourceError("no_data", f"{problem}. {remedy}, then ask again.")
    return list(incidents.values())


async def incident(api: Api, wanted: str) -> Incident | None:
    """Return an incident by its id, number or address; None where there is none."""
    named = INCIDENT.fullmatch(wanted)
    body = await api.json_or_none(f"/incidents/{named[1]}") if named else None
    return _incident(body["incident"]) if body else None


async def declare(api: Api, new: NewIncident, sender: str) -> Incident:
    """Open an incident in the name of a user, given by the e-mail address; return the open one of its key if there is.

    Raises:
        SourceError: it was refused, or whether it is open is not known.
    """
    asked = {"incident_key": new.key, "statuses[]": OPEN, "date_range": "all"}
    if known := await _listed(api, "incidents", asked):
        return _incident(known[0])
    service = await _entry_of(api, "services", new.whom)
    wanted = {
        "type": "incident",
        "title": new.title,
        "service": {"id": service["id"], "type": "service_reference"},
        "incident_key": new.key,
        "urgency": "high",
        "body": {"type": "incident_body", "details": new.details},
    }
    reply = await api.deliver("POST", "/incidents", {"incident": wanted}, headers={"From": sender})
    if not isinstance(reply, dict) or "incident" not in reply:
        raise SourceError(
            "invalid", f"something else than PagerDuty has answered. Correct the host of '{api.connection}'"
        )
    return _incident(reply["incident"])


async def on_call(api: Api, *, schedule: str, policy: str, level: int) -> list[Entry]:
    """Return the users who are on call now: by a schedule, or at a level of an escalation policy."""
    if schedule:
        number = quote(str((await _entry_of(api, "schedules", schedule))["id"]), safe="")
        now = api.context.now()
        moment = {"since": now.isoformat(), "until": (now + timedelta(seconds=1)).isoformat()}
        body = await api.json(f"/schedules/{number}/users", moment, what=f"schedule '{schedule}'")
        return list(body["users"])
    number = str((await _entry_of(api, "escalation_policies", policy))["id"])
    asked = {"escalation_policy_ids[]": number, "include[]": "users"}
    shifts = await _listed(api, "oncalls", asked)
    return [shift["user"] for shift in shifts if shift["escalation_level"] == level]


def _incident(entry: Entry) -> Incident:
    status = str(entry["status"])
    address = str(entry.get("html_url") or "")
    return Incident(str(entry["id"]), str(entry["title"]), status, is_open=status in OPEN, address=address)


async def _entry_of(api: Api, kind: str, wanted: str) -> Entry:
    """Return the service, schedule or escalation policy (`kind` as its path says) that has this id or name.

    Raises:
        SourceError: `invalid`, there is none, or several.
    """
    by_id = await api.json_or_none(f"/{kind}/{wanted}") if ID.fullmatch(wanted) else None
    if by_id is not None:
        return dict(by_id[WORDS[kind].replace(" ", "_")])
    named = [entry for entry in await _listed(api, kind, {"query": wanted}) if entry["name"] == wanted]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(str(entry["id"]) for entry in named)
        raise SourceError("invalid", f"PagerDuty has {len(named)} {kind} named '{wanted}'. Write one id: {ids}.")
    problem = (
        f"PagerDuty has no {WORDS[kind]} with the name or id '{wanted}' that the token of '{api.connection}' can see"
    )
    raise SourceError("invalid", f"{problem}. Correct the ticket, or use a token that can.")


async def _listed(api: Api, kind: str, asked: Mapping[str, str | Sequence[str]]) -> list[Entry]:
    """Return all entries of a list, page by page."""
    entries: list[Entry] = []
    for offset in range(0, MOST, PAGE):
        body = await api.json(f"/{kind}", {**asked, "limit": str(PAGE), "offset": str(offset)}, what=kind)
        entries += body[kind]
        if not body["more"]:
            return entries
    raise SourceError("invalid", f"PagerDuty has more than {MOST} {kind}; it lists no more")
