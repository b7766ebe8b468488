"""Looks up the incident of an emergency at PagerDuty or Opsgenie, or opens it there; within seconds, or not at all."""

from asyncio import timeout
from collections.abc import Callable
from dataclasses import replace

from changewindow.documents.text import visible
from changewindow.documents.types import duration_text
from changewindow.errors import ChangeError, UnusableConnection
from changewindow.ledger.payloads import Declared, IncidentSeen
from changewindow.policy.emergencies import FILE, IncidentDesk
from changewindow.systems import opsgenie, pagerduty
from changewindow.systems.http.api import Api
from changewindow.systems.incident import Incident, NewIncident
from changewindow.systems.left_behind import LeftBehind, run_alone
from changewindow.systems.measurement import Connections, SourceContext, SourceError
from changewindow.ticket.model import Ticket
from changewindow.watch.shared_answers import client

PRODUCTS = {"pagerduty": pagerduty, "opsgenie": opsgenie}
MORE = 1.0
"""Seconds after its own limit at which an answer is not waited for any more."""
LONGEST = 200
"""Characters of what the product calls something."""
NO_DESK = f"no PagerDuty or Opsgenie is configured. Declare it by hand now; later, name one as `incidents` in {FILE}"
NO_SERVICE = f"`incidents` in {FILE} names no service on which it could be opened. Add `service`"


def new_incident(change: str, ticket: Ticket, declared: Declared, hide: Callable[[str], str]) -> NewIncident:
    """Return what is said of an incident that is opened for an emergency; `hide` takes the secrets out of a text."""
    facts = {
        "change": change,
        "broken": hide(declared.broken),
        "on": ", ".join(ticket.targets),
        "commander": declared.commander,
        "executor": declared.executor,
    }
    details = "\n".join(f"{name.capitalize()}: {value}" for name, value in facts.items())
    key = f"changewindow-{change}-{declared.digest[:12]}"  # other installations have a change of that number, too
    return NewIncident(key, f"EMERGENCY {change}: {facts['broken']}", details, "", facts)


def find(desk: IncidentDesk | None, wanted: str, new: NewIncident, connections: Connections) -> IncidentSeen | None:
    """Return what the product knows of an incident, or open the new one where none is named."""
    return look_up(desk, wanted, connections) if wanted else open_one(desk, new, connections)


def look_up(desk: IncidentDesk | None, wanted: str, connections: Connections) -> IncidentSeen | None:
    """Return what the product knows of an incident; None where no product is configured."""
    return None if desk is None else _asked(_Desk(desk, connections), wanted, None)


def open_one(desk: IncidentDesk | None, new: NewIncident, connections: Connections) -> IncidentSeen:
    """Open an incident, once however often that is asked for; return what it is called, or why there is none."""
    if desk is None:
        return IncidentSeen(standing="unreachable", reason=NO_DESK)
    if desk.kind == "pagerduty" and not desk.service:
        return IncidentSeen(standing="unreachable", product=pagerduty.PRODUCT.name, reason=NO_SERVICE)
    return _asked(_Desk(desk, connections), "", replace(new, whom=desk.service or desk.team))


def _asked(desk: "_Desk", wanted: str, new: NewIncident | None) -> IncidentSeen:
    """Return the answer of a product; whatever becomes of the question, an answer comes in time."""
    limit = desk.settings.within
    try:
        asked = LeftBehind().submit(run_alone, desk.answer(wanted, new))
        incident: Incident | None = asked.result(limit.total_seconds() + MORE)
    except TimeoutError:
        late = f"no answer within {duration_text(limit)}. Look there yourself; later, raise `within` in {FILE}"
        return IncidentSeen(standing="unreachable", incident=wanted, product=desk.name, reason=late)
    except (SourceError, ChangeError) as error:
        return IncidentSeen(standing="unreachable", incident=wanted, product=desk.name, reason=str(error))
    except Exception as error:  # noqa: BLE001  an answer that nobody understands fails no emergency
        reason = f"its answer makes no sense ({type(error).__name__}). Check the host of '{desk.settings.connection}'"
        return IncidentSeen(standing="unreachable", incident=wanted, product=desk.name, reason=reason)
    if incident is None:
        return IncidentSeen(standing="unknown", incident=wanted, product=desk.name)
    return IncidentSeen(
        standing="open" if incident.is_open else "closed",
        incident=_line(incident.id),
        product=desk.name,
        title=_line(incident.title),
        product_status=_line(incident.status),
        address=_line(incident.address),
        opened=new is not None,
    )


def _line(text: str) -> str:
    return " ".join(visible(text).split())[:LONGEST]


class _Desk:
    """A product behind its connection."""

    def __init__(self, settings: IncidentDesk, connections: Connections) -> None:
        self.settings, self.connections = settings, connections
        self.name = PRODUCTS[settings.kind].PRODUCT.name

    async def answer(self, wanted: str, new: NewIncident | None) -> Incident | None:
        """Return the incident of that name, or the new one."""
        async with timeout(self.settings.within.total_seconds()), client() as http:
            context = SourceContext(http, self.connections)
            return await (self._opened(context, new) if new else self._known(context, wanted))

    async def _known(self, context: SourceContext, wanted: str) -> Incident | None:
        product = PRODUCTS[self.settings.kind]
        api = Api(context, self.settings.connection, product.PRODUCT, written_in=FILE)
        incident: Incident | None = await product.incident(api, wanted)
        return incident

    async def _opened(self, context: SourceContext, new: NewIncident) -> Incident:
        product = PRODUCTS[self.settings.kind]
        writing = replace(product.PRODUCT, needs=product.NEEDS_TO_OPEN)
        api = Api(context, self.settings.connection, writing, written_in=FILE)
        if self.settings.kind == "opsgenie":
            return await opsgenie.declare(api, new)
        sender = (await context.connection(api.connection)).login
        if "@" not in sender:
            raise UnusableConnection(api.connection, "login; it must be the e-mail address of a PagerDuty user")
        return await pagerduty.declare(api, new, sender)
