"""Finds out, for the room, about the incident of an emergency: it is looked up or opened, and written down once."""

from changewindow import settings
from changewindow.changes import incident_desk
from changewindow.flow.fetched_connections import among, fetched
from changewindow.flow.owed import emergencies
from changewindow.flow.runtime import log, now
from changewindow.flow.secrecy import SECRETS, clean
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Declared, IncidentSeen
from changewindow.ledger.spool import Spool
from changewindow.policy.emergencies import FILE
from changewindow.ticket.model import Ticket

ACTOR = "emergency_change"


def find(here: Ledger, change: str, ticket: Ticket, *, opens: bool) -> None:
    """Look up the incident that an emergency names; open one if it names none and somebody asked for that.

    Nothing fails for it. What the product has answered is in the record, and is not asked for again.
    """
    try:
        declared, seen = events.past(here, change, Declared)[0], events.past(here, change, IncidentSeen)
        if declared.is_drill or any(event.standing != "unreachable" for event in seen):
            return
        if event := _asked(change, ticket, declared, opens=opens):
            _record(here, change, event)
    except Exception as error:  # noqa: BLE001  no emergency fails for its incident
        log.warning("the incident of %s was not looked up: %s", change, error)


def _asked(change: str, ticket: Ticket, declared: Declared, *, opens: bool) -> IncidentSeen | None:
    if not (declared.incident or opens):
        return None
    desk = emergencies().incidents
    connections = among(fetched([desk] if desk else []), FILE)
    new = incident_desk.new_incident(change, ticket, declared, SECRETS.line)
    return incident_desk.find(desk, declared.incident, new, connections)


def _record(here: Ledger, change: str, event: IncidentSeen) -> None:
    if event.reason:
        log.warning("the incident of %s: %s", change, event.reason)
    spool = Spool(here, settings.read().spool)
    said = clean(event, title=SECRETS.line(event.title))
    if not spool.record(Event(change, ACTOR, now(), said)):
        log.warning("the ledger is down; the event '%s' waits in %s", event.kind, spool.path)
