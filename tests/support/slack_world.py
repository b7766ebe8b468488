"""A change with its message in Slack, people who may click there, and a policy; what they click is decided for real."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from changewindow.changes.buttons import Action, Carried
from changewindow.changes.click_acts import Click, JudgedBy
from changewindow.changes.slack_clicks import Decision, decide
from changewindow.documents.model_file import Read
from changewindow.ledger import approvals, changes, events, leases, outbox
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.models import EventRow
from changewindow.ledger.outbox import Outgoing
from changewindow.ledger.payloads import Asked, Payload
from changewindow.notify.base import Reference
from changewindow.policy.approvals import Approvals
from changewindow.policy.messages import Messages
from changewindow.policy.model import Policy
from changewindow.policy.rights import May, Rights
from changewindow.policy.standing import Intent
from support.changes import NOW
from support.tickets import SHIPPED, banner

ROOM, TEAM, CARD = "#changes", "T0001", Reference("C0001", "1900000000.000100")
RUN = "scheduled__1"
IDS = {name: f"U{name.upper()}" for name in ("alice", "bob", "carol", "dora", "erik", "eve")}
"""Alice requests and owns, bob reviews; bob and carol approve first, dora after them; erik is an operator."""
MESSAGES: dict[str, Any] = {"people": {name: {"slack": known} for name, known in IDS.items()}}
RULES = (
    {
        "name": "High risk",
        "when": {"risks": ["high"]},
        "levels": [{"name": "peer", "from": ["peers"]}, {"name": "second", "from": ["leads"]}],
    },
    {"name": "Others", "levels": [{"name": "peer", "from": ["peers"]}], "valid": "1h"},
)
GROUPS = {"peers": ["alice", "bob", "carol"], "leads": ["dora"]}
POLICY = replace(
    SHIPPED,
    approvals=Approvals.model_validate({"groups": GROUPS, "rules": RULES}),
    rights=Rights(operators=("erik",), may=May(abort=("owners", "approvers", "operators"))),
)


@dataclass
class SlackWorld:
    """A change, the message that shows it, and who clicks on it when."""

    ledger: Ledger
    messages: dict[str, Any] = field(default_factory=lambda: dict(MESSAGES))
    policy: Callable[[], Policy] = lambda: POLICY
    change: str = ""
    digest: str = ""
    state: str = "asked"
    now: datetime = NOW
    clicks: int = 0

    @classmethod
    def asked(cls, ledger: Ledger, **changed: Any) -> "SlackWorld":
        """Return one whose approvers are asked."""
        world = cls(ledger)
        submitted = changes.submit(ledger, banner(**changed), requester="alice", now=NOW)
        world.change, world.digest = submitted.change, submitted.digest
        outbox.add(ledger, [world._card()])
        return world

    @classmethod
    def scheduled(cls, ledger: Ledger, **changed: Any) -> "SlackWorld":
        """Return one that is approved."""
        world = cls.asked(ledger, **changed)
        approvals.decide(ledger, world.change, world.intent, person="bob", is_yes=True, now=NOW - timedelta(minutes=5))
        return world.shows("scheduled")

    @classmethod
    def running(cls, ledger: Ledger, **changed: Any) -> "SlackWorld":
        """Return one that acts."""
        world = cls.scheduled(ledger, **changed)
        leases.start(ledger, world.change, world.intent, targets=("production/orders",), now=NOW)
        return world.shows("running")

    @classmethod
    def waiting(cls, ledger: Ledger, **changed: Any) -> "SlackWorld":
        """Return one whose people are asked whether it is kept."""
        world = cls.running(ledger, **changed).ask()
        return world.shows("waiting")

    @classmethod
    def completed(cls, ledger: Ledger, **changed: Any) -> "SlackWorld":
        """Return one that is completed."""
        world = cls.running(ledger, **changed)
        changes.close(ledger, world.change, run=RUN, outcome="completed", reason="good", now=NOW)
        return world.shows("completed")

    @property
    def intent(self) -> Intent:
        """Return what its run wants."""
        stored = changes.get(self.ledger, self.change)
        needs = POLICY.approvals.needs(POLICY.approvals.rules[-1], ())
        return Intent(RUN, self.digest, stored.opens, stored.closes, timedelta(minutes=4), approvals=needs)

    def shows(self, state: str) -> "SlackWorld":
        """Let the message show another state, with the newest text; return this."""
        self.state = state
        kept = outbox.of_change(self.ledger, self.change)[0]
        outbox.keep(self.ledger, replace(kept, state=state, digest=self.digest))
        return self

    def ask(self) -> "SlackWorld":
        """Let the watch ask its people; return this."""
        asked = Asked(run=RUN, people=("alice", "bob"), reason="no data", until=self.now + timedelta(minutes=10))
        return self.happened(asked)

    def happened(self, payload: Payload, actor: str = f"{RUN}/watch") -> "SlackWorld":
        """Record an event; return this."""
        events.record(self.ledger, Event(self.change, actor, self.now, payload))
        return self

    def revise(self) -> "SlackWorld":
        """Give the change another text; return this."""
        data = banner(details="another text")
        self.digest = changes.revise(self.ledger, self.change, data, person="alice", now=self.now).digest
        return self

    def button(self) -> str:
        """Return what a button of the message holds."""
        return Carried(self.change, self.digest, self.state).value

    def click(self, person: str, action: Action, **changed: Any) -> Click:
        """Return a new click of somebody."""
        self.clicks += 1
        user = IDS.get(person, person)
        click = Click(user, TEAM, action, self.button(), CARD, f"{self.now.timestamp():.6f}-{self.clicks}", self.now)
        return replace(click, **changed)

    def decide(self, click: Click) -> Decision:
        """Decide about a click."""
        messages = Messages.model_validate(self.messages)
        return decide(JudgedBy(self.ledger, self.policy, lambda: Read(messages), TEAM), click, self.now)

    def clicked(self, person: str, action: Action, **changed: Any) -> Decision:
        """Let somebody click; return what is decided."""
        return self.decide(self.click(person, action, **changed))

    @property
    def events(self) -> list[EventRow]:
        """Return the events of the change."""
        return events.history(self.ledger, self.change)

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of its events."""
        return [row.kind for row in self.events]

    @property
    def status(self) -> str:
        """Return its status."""
        return changes.get(self.ledger, self.change).status

    def _card(self) -> Outgoing:
        return Outgoing(
            change=self.change,
            sort="card",
            room=ROOM,
            channel="slack",
            name="card",
            about=NOW,
            due=NOW,
            reference=CARD,
            state=self.state,
            digest=self.digest,
        )
