"""Who clicks what when in Slack: the table of what counts, and what it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from changewindow.changes.buttons import Action
from changewindow.errors import BadPolicy
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Answered, Watched
from support.changes import NOW
from support.slack_world import IDS, MESSAGES, RUN, SlackWorld

World = Callable[..., SlackWorld]
Asked, Scheduled, Running = SlackWorld.asked, SlackWorld.scheduled, SlackWorld.running
Waiting, Completed = SlackWorld.waiting, SlackWorld.completed
SECOND = {"risk": "high"}
ANY_RISK = {**MESSAGES, "approve_up_to": "high"}


def no_policy() -> Any:
    """Have no policy that can be read."""
    raise BadPolicy(["approvals.yaml: it is broken"])


@dataclass(frozen=True)
class Row:
    """Somebody clicks; it counts, or it does not."""

    when: World
    who: str
    what: Action
    says: str
    """How the sentence goes on after the change."""
    counts: bool = True
    leaves: str = ""
    """The status of the change afterwards."""


def world_of(ledger: Ledger, *, messages: Any, **changed: Any) -> SlackWorld:
    """Return a change whose approvers are asked, with another messages.yaml."""
    return replace(SlackWorld.asked(ledger, **changed), messages=messages)


def later(world: SlackWorld, passed: timedelta) -> SlackWorld:
    """Let time pass."""
    return replace(world, now=NOW + passed)


def cancelled(world: SlackWorld) -> SlackWorld:
    """Let it be cancelled elsewhere."""
    changes.cancel(world.ledger, world.change, person="alice", reason="x", now=NOW)
    return world


def aborted(world: SlackWorld) -> SlackWorld:
    """Let it be aborted elsewhere."""
    changes.abort(world.ledger, world.change, person="erik", reason="x", now=NOW)
    return world


ROWS = {
    "an approver approves": Row(
        Asked, "bob", "approve", "approved by bob. Every approval is given.", leaves="approved"
    ),
    "an approver rejects": Row(Asked, "carol", "reject", "rejected by carol. It will not run.", leaves="rejected"),
    "the requester approves": Row(Asked, "alice", "approve", "alice requested", counts=False, leaves="submitted"),
    "the requester rejects, who is not asked": Row(
        Asked, "alice", "reject", "alice's no does not count at level 'peer'", counts=False, leaves="submitted"
    ),
    "somebody approves who is not asked": Row(
        Asked, "eve", "approve", "eve's yes does not count at level 'peer'", counts=False, leaves="submitted"
    ),
    "somebody rejects who is not asked": Row(
        Asked, "eve", "reject", "eve's no does not count at level 'peer'", counts=False, leaves="submitted"
    ),
    "a stranger approves": Row(
        Asked,
        "USTRANGER",
        "approve",
        "nobody in messages.yaml has the Slack id USTRANGER",
        counts=False,
        leaves="submitted",
    ),
    "an approver of the second level approves first": Row(
        lambda ledger: world_of(ledger, messages=ANY_RISK, **SECOND),
        "dora",
        "approve",
        "dora's yes does not count at level 'peer'",
        counts=False,
        leaves="submitted",
    ),
    "the first of two levels is approved": Row(
        lambda ledger: world_of(ledger, messages=ANY_RISK, **SECOND),
        "bob",
        "approve",
        "approved by bob. Still needed: 1 at level 'second', from dora.",
        leaves="submitted",
    ),
    "high risk is approved": Row(
        lambda ledger: Asked(ledger, **SECOND),
        "bob",
        "approve",
        "its risk is high. Approve it under Required Actions in Airflow.",
        counts=False,
        leaves="submitted",
    ),
    "high risk is rejected": Row(
        lambda ledger: Asked(ledger, **SECOND), "bob", "reject", "rejected by bob", leaves="rejected"
    ),
    "what is approved already is approved": Row(
        lambda ledger: Scheduled(ledger).shows("asked"),
        "carol",
        "approve",
        "{change} is approved; nothing waits for a decision",
        counts=False,
        leaves="approved",
    ),
    "what is approved already is rejected": Row(
        lambda ledger: Scheduled(ledger).shows("asked"),
        "carol",
        "reject",
        "{change} is approved; nothing waits for a decision",
        counts=False,
        leaves="approved",
    ),
    "what is cancelled is approved": Row(
        lambda ledger: cancelled(Asked(ledger)),
        "bob",
        "approve",
        "{change} is cancelled; nothing waits for a decision",
        counts=False,
        leaves="cancelled",
    ),
    "the window has ended": Row(
        lambda ledger: later(Asked(ledger), timedelta(hours=2)),
        "bob",
        "approve",
        "the window ended 2031-03-18 15:00 UTC",
        counts=False,
        leaves="submitted",
    ),
    "the policy cannot be read": Row(
        lambda ledger: replace(Asked(ledger), policy=no_policy),
        "bob",
        "approve",
        "The policy cannot be read",
        counts=False,
        leaves="submitted",
    ),
    "what is asked is not what the state offers": Row(
        Asked, "bob", "take_back", "'roll back' is not possible while it is asked", counts=False, leaves="submitted"
    ),
    "the rooms have no buttons": Row(
        lambda ledger: world_of(ledger, messages={**MESSAGES, "rooms": {"#changes": {"buttons": False}}}),
        "bob",
        "approve",
        "messages.yaml allows no buttons in #changes",
        counts=False,
        leaves="submitted",
    ),
    "two people share an id": Row(
        lambda ledger: world_of(ledger, messages={"people": {**MESSAGES["people"], "mallory": {"slack": IDS["bob"]}}}),
        "bob",
        "approve",
        "bob and mallory share the Slack id UBOB",
        counts=False,
        leaves="submitted",
    ),
    "a person of the change keeps it": Row(Waiting, "bob", "keep", "bob keeps it.", leaves="running"),
    "a person of the change has it rolled back": Row(
        Waiting, "alice", "take_back", "alice rolls it back.", leaves="running"
    ),
    "somebody else keeps it": Row(
        Waiting, "carol", "keep", "alice, bob are asked whether it is kept, and carol is not.", counts=False
    ),
    "an operator who is not asked keeps it": Row(Waiting, "erik", "keep", "alice, bob are asked", counts=False),
    "it is kept after the answer was due": Row(
        lambda ledger: later(Waiting(ledger), timedelta(minutes=11)),
        "bob",
        "keep",
        "the answer was due by 14:20:00 UTC",
        counts=False,
    ),
    "it is kept after it was aborted": Row(
        lambda ledger: aborted(Waiting(ledger)), "bob", "keep", "nobody is asked any more", counts=False
    ),
    "it is kept after the watch has decided": Row(
        lambda ledger: Waiting(ledger).happened(Watched(run=RUN, verdict="fail", reason="bad")),
        "bob",
        "keep",
        "nobody is asked any more",
        counts=False,
    ),
    "it is kept after somebody has answered in Airflow": Row(
        lambda ledger: Waiting(ledger).happened(Answered(run=RUN, by="alice", answer=("Roll back",))),
        "bob",
        "keep",
        "alice has answered already: Roll back.",
        counts=False,
    ),
    "an owner aborts what acts": Row(
        Running, "bob", "abort", "aborted by bob. It is being rolled back now.", leaves="running"
    ),
    "an approver has rolled back what is watched": Row(
        lambda ledger: Running(ledger).shows("watching"),
        "carol",
        "take_back",
        "aborted by carol. It is being rolled back now.",
        leaves="running",
    ),
    "an operator by name aborts": Row(Running, "erik", "abort", "aborted by erik", leaves="running"),
    "somebody aborts who may not": Row(
        Running, "eve", "abort", "eve may not abort a change", counts=False, leaves="running"
    ),
    "what waits for its window is aborted": Row(
        Scheduled, "bob", "abort", "aborted by bob. It had touched nothing, and never runs.", leaves="cancelled"
    ),
    "what was aborted is aborted": Row(
        lambda ledger: aborted(Running(ledger)),
        "bob",
        "abort",
        "it was aborted by erik: x; it is being rolled back",
        counts=False,
    ),
    "what was watched has completed": Row(
        lambda ledger: Completed(ledger).shows("watching"),
        "bob",
        "take_back",
        "it is completed by now",
        counts=False,
        leaves="completed",
    ),
    "what acts is aborted while the policy cannot be read": Row(
        lambda ledger: replace(Running(ledger), policy=no_policy), "eve", "abort", "aborted by eve", leaves="running"
    ),
    "an approver has rolled back what is completed": Row(
        Completed, "carol", "take_back", "carol rolls it back; the rollback starts within seconds.", leaves="completed"
    ),
    "somebody has it rolled back who may not": Row(
        Completed, "eve", "take_back", "eve may not roll back a completed change", counts=False, leaves="completed"
    ),
    "what is completed is rolled back while the policy cannot be read": Row(
        lambda ledger: replace(Completed(ledger), policy=no_policy),
        "carol",
        "take_back",
        "carol may not roll back",
        counts=False,
    ),
    "what was completed days ago is rolled back": Row(
        lambda ledger: later(Completed(ledger), timedelta(days=2)),
        "bob",
        "take_back",
        "it was completed more than a day ago",
        counts=False,
    ),
}
"""At least one row for each way in which a click counts, or does not."""
