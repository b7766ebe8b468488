"""What the policy says of one change: who must approve it, whether the calendar allows it, what it collides with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from changewindow.calendar.objections import objections
from changewindow.calendar.scope import Scope, Span
from changewindow.documents.findings import Finding
from changewindow.policy import approvals, connections
from changewindow.policy.conflicts import Other, collisions, of_ticket
from changewindow.policy.model import Policy
from changewindow.policy.sign_off import RequiredApproval
from changewindow.ticket.model import Ticket


@dataclass(frozen=True)
class Assessment:
    """The policy applied to one change; pure."""

    policy: Policy
    ticket: Ticket
    data: Mapping[str, Any]
    change: str = ""

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """Return the owners of the services."""
        return tuple(self.policy.catalogue.owners(self.ticket.services))

    @cached_property
    def standard(self) -> str | None:
        """Return the template of the catalogue of standard changes from which this is made, if it is inside of it."""
        return self.policy.standards.is_inside(self.data)

    @cached_property
    def rule(self) -> approvals.Rule:
        """Return the rule of approval that decides."""
        return self.policy.approvals.rule(self.ticket, self.owners, is_standard=self.standard is not None)

    @cached_property
    def needs(self) -> tuple[RequiredApproval, ...]:
        """Return who must approve it, level by level."""
        return self.policy.approvals.needs(self.rule, self.owners)

    @cached_property
    def connections(self) -> list[Finding]:
        """Return which connections the ticket may not use; warnings are for the author and the approver."""
        findings = connections.findings(self.ticket, self.policy.connections)
        return [finding for finding in findings if not finding.is_warning]

    def objections(self, start: datetime, *, done: timedelta = timedelta(0)) -> list[Finding]:
        """Return what the calendar has against acting from `start`, when `done` of the time for it is over."""
        watched = start + self.ticket.forward - done
        scope = Scope(self.ticket.environment, self.ticket.services, self.ticket.type, self.change)
        span = Span(start, watched, start + self.ticket.needs - done)
        return objections(self.policy.schedule, scope, span)

    def forbids(self, now: datetime, *, done: timedelta = timedelta(0)) -> list[Finding]:
        """Return why the calendar forbids to act now, for the gate and for every further step."""
        return [finding for finding in self.objections(now, done=done) if not finding.is_warning]

    def collides(self, acting: Iterable[Other]) -> list[Finding]:
        """Return which changes that act now stand against this one; who holds its own targets the leases know."""
        mine = of_ticket(self.change, self.ticket)
        elsewhere = [other for other in acting if not set(other.targets) & set(mine.targets)]
        overlaps = collisions(self.policy.catalogue, mine, elsewhere)
        return [overlap.finding for overlap in overlaps if not overlap.finding.is_warning]
