"""Takes in requests: for a ticket, for a standard change, or for a new text or window of a change in the ledger."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from changewindow.documents.findings import Finding
from changewindow.errors import BadRequest
from changewindow.ledger import changes, queries
from changewindow.ledger.database import Ledger
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import of_ticket, overlaps
from changewindow.policy.model import Policy
from changewindow.policy.review import load_text
from changewindow.ticket.reader import Loaded
from changewindow.ticket.window import local_time_text, parse_zone


@dataclass(frozen=True)
class Request:
    """What a form, a REST call or a file asks for."""

    person: str
    ticket: str | None = None
    """The text of a ticket."""
    standard: str | None = None
    """The name of a standard change, instead of a ticket."""
    values: Mapping[str, Any] | None = None
    """Its parameters."""
    start: datetime | None = None
    """The window of a standard change, or the new one of a change."""
    end: datetime | None = None
    zone: str = "UTC"
    reviewer: str | None = None
    change: str | None = None
    """The change that gets a new text; on its own, its approval is asked for again."""
    origin: str | None = None
    """Where it comes from, such as a file or a run; two requests from there are about one change while it is open."""
    is_proven: bool = True
    """Whether it is known who asks; the author of a commit is not, unless a signature names them."""


@dataclass(frozen=True)
class TakenIn:
    """The result of a request: a change in the ledger, or findings."""

    change: str | None
    loaded: Loaded
    is_new_text: bool = True
    digest: str = ""


def take_in(ledger: Ledger, policy: Policy, request: Request, *, now: datetime) -> TakenIn:
    """Check a request and put it into the ledger; with any finding that is more than a warning, nothing is written.

    Raises:
        BadRequest: it asks for nothing, or for two things at once.
        LedgerUnknown: it names a change that there is not.
        NotAllowed: it is too late to give the change a new text.
    """
    if request.change is not None:
        changes.get(ledger, request.change)
    request = _with_change(ledger, request)
    text = _text(ledger, policy, request)
    facts = Facts(now=now, policy=policy, change=request.change or "", requester=request.person)
    quick = load_text(text, Facts(now=now))
    if quick.ticket is not None:
        window = quick.ticket.window
        others = queries.others(ledger, window.opens, window.closes, but=request.change or "")
        facts = replace(facts, others=tuple(others))
    loaded = load_text(text, facts)
    if loaded.ticket is None:
        return TakenIn(None, loaded)
    taken = _kept(ledger, policy, request, loaded, now=now)
    return replace(taken, loaded=_with_rivals(ledger, facts, taken))


def errors(findings: tuple[Finding, ...]) -> list[Finding]:
    """Return every finding that is more than a warning."""
    return [finding for finding in findings if not finding.is_warning]


def _kept(ledger: Ledger, policy: Policy, request: Request, loaded: Loaded, *, now: datetime) -> TakenIn:
    """Put a ticket without findings into the ledger, as a new change or as the text of one."""
    given: Any = {"now": now, "is_proven": request.is_proven}
    if request.change is None:
        submitted = changes.submit(ledger, loaded.data, requester=request.person, origin=request.origin, **given)
        return TakenIn(submitted.change, loaded, digest=submitted.digest)
    keeps = policy.approvals.reslot_keeps and _only_moves_the_window(request)
    revised = changes.revise(ledger, request.change, loaded.data, person=request.person, keeps=keeps, **given)
    return TakenIn(request.change, loaded, revised.is_new_text, revised.digest)


def _with_rivals(ledger: Ledger, facts: Facts, taken: TakenIn) -> Loaded:
    """Return what was loaded, with a warning of each change that was asked for while this one was judged.

    Both are in the ledger then, and the gate lets only one of them act; who approves is to know.
    """
    change, ticket = taken.change, taken.loaded.ticket
    if change is None or ticket is None or facts.policy is None:
        return taken.loaded
    others = queries.others(ledger, ticket.window.opens, ticket.window.closes, but=change)
    judged = [replace(other, status="") for other in facts.others]
    rivals = [other for other in others if replace(other, status="") not in judged]
    met = overlaps(facts.policy.catalogue, of_ticket(change, ticket), rivals)
    warnings = [replace(overlap.finding, is_warning=True) for overlap in met]
    return replace(taken.loaded, findings=(*taken.loaded.findings, *warnings))


def _with_change(ledger: Ledger, request: Request) -> Request:
    """Return the request with the change that an earlier one has made, if that can still get a new text."""
    known = queries.of_origin(ledger, request.origin) if request.origin and request.change is None else None
    return replace(request, change=known.id) if known and known.status in changes.CHANGEABLE else request


def _text(ledger: Ledger, policy: Policy, request: Request) -> str:
    """Return the requested ticket, as YAML."""
    if request.ticket and request.standard:
        raise BadRequest("Both a ticket and a standard change are given. Leave one of them empty.")
    if request.ticket:
        return request.ticket
    if request.standard:
        window = _window(request)
        if window is None:
            raise BadRequest(f"The standard change '{request.standard}' needs a window. Fill in its start and end.")
        values, owner = request.values or {}, request.person
        standards = policy.standards
        return _yaml(
            standards.ticket_data(
                request.standard, values=values, window=window, owner=owner, reviewer=request.reviewer
            )
        )
    if request.change is None:
        raise BadRequest("Nothing is asked for. Paste a ticket, or choose a standard change with its window.")
    data = changes.revision(ledger, request.change)
    window = _window(request)
    return _yaml({**data, "window": window} if window else data)


def _only_moves_the_window(request: Request) -> bool:
    return request.ticket is None and request.standard is None


def _window(request: Request) -> dict[str, str] | None:
    """Return the window as it stands in a ticket, in local time."""
    if request.start is None or request.end is None:
        return None
    zone = ZoneInfo(parse_zone(request.zone))
    local = (moment.astimezone(zone).replace(tzinfo=None) for moment in (request.start, request.end))
    start, end = map(local_time_text, local)
    return {"zone": request.zone, "start": start, "end": end}


def _yaml(data: Mapping[str, Any]) -> str:
    """Return a ticket's data as text; JSON is YAML, and leaves no doubt about types."""
    return json.dumps(data, indent=2, ensure_ascii=False)
