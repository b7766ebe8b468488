"""What the message of a change shows: where it stands at one moment, as plain values that templates read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from changewindow.policy.outcome import Outcome

BeforeTheEnd = Literal[
    "asked",  # whoever has to approve it is asked
    "scheduled",  # approved; its window opens later
    "starting",  # its run is here: preflight, gate
    "running",  # a step is applied
    "watching",  # all steps are applied; it is measured
    "waiting",  # people are asked whether it is kept
    "rolling_back",  # steps are undone, or what is undone is verified
]
StepState = Literal["to come", "applying", "applied", "undoing", "undone", "undo failed"]
State = BeforeTheEnd | Outcome | Literal["recorded", "altered"]
"""Where a change is; `recorded` is what was done by hand, `altered` one whose record somebody has written into."""
STATES: tuple[str, ...] = (*get_args(BeforeTheEnd), *get_args(Outcome), "recorded", "altered")
LOUD = frozenset({"rolling_back", "rolled_back", "rollback_failed", "missed", "refused", "altered"})
"""States that are said in the room itself, to owner and on call."""


@dataclass(frozen=True)
class CardStep:
    """One step of a change."""

    number: int
    name: str
    does: str
    undoes: str
    state: StepState = "to come"
    back_to: str = ""
    """What it went back to, such as `orders:1.4.2`."""


@dataclass(frozen=True)
class CardCondition:
    """A watched condition as last read."""

    name: str
    verdict: str
    """pass, fail, inconclusive, error; empty before the first reading."""
    value: str
    """With its unit, such as `348 ms`; empty where there is none."""
    limits: str
    """With their unit, such as `< 200 ms`."""
    bars: str = ""
    """The last values as a line of blocks, the oldest first."""


@dataclass(frozen=True)
class CardWatch:
    """How far a watch is."""

    passed: timedelta
    length: timedelta
    samples: int
    conditions: tuple[CardCondition, ...]
    worst: CardCondition | None
    """What is most likely to end it; None before the first sample."""


@dataclass(frozen=True)
class CardEnding:
    """How a change ended."""

    reason: str
    started: datetime | None
    ended: datetime
    undone: datetime | None = None
    """When the last step was undone."""
    restored: datetime | None = None
    """When everything was verified to be as it was before."""
    back_to: tuple[str, ...] = ()
    """What each step that was undone has gone back to, where it has a value to name."""
    validated: tuple[str, ...] = ()
    follow_up: tuple[str, ...] = ()
    is_by_hand: bool = False
    """Whether a person ended it or had it rolled back."""
    head: str = ""
    """The hash of the newest event of the change, which `changewindow verify --head` finds again."""
    may_start: bool = False
    """Whether its window had room for another try when it ended."""


@dataclass(frozen=True)
class CardApproval:
    """Somebody's yes or no."""

    person: str
    is_yes: bool
    at: datetime


@dataclass(frozen=True)
class CardEmergency:
    """What was declared of an emergency."""

    broken: str
    incident: str
    """Its id or address; empty where none was open."""
    commander: str
    executor: str
    agreed_at: datetime
    agreed_how: str
    unwatched_because: str = ""
    """Why nothing is measured by which it could be undone; empty where it is watched."""


@dataclass(frozen=True)
class Card:
    """Where a change stands; every text is as people wrote it, and templates escape it."""

    change: str
    state: State
    digest: str
    """Of the text that is shown; what somebody decides here is bound to it."""
    sequence: int
    """The number of the newest event that it knows of."""
    since: datetime
    """When it came into this state."""
    summary: str
    environment: str
    services: tuple[str, ...]
    targets: tuple[str, ...]
    opens: datetime
    closes: datetime
    zone: str
    """Of the ticket's window."""
    requester: str
    owner: str
    reviewer: str
    on_call: str
    risk: str
    type: str
    steps: tuple[CardStep, ...]
    rollback: str
    """How it is rolled back, and in how long."""
    approvals: tuple[CardApproval, ...] = ()
    waits_for: tuple[str, ...] = ()
    """What it waits for, a sentence each."""
    asks: tuple[str, ...] = ()
    """The people who have to answer now."""
    until: datetime | None = None
    """Until when they may."""
    reason: str = ""
    """Why it is rolled back, or people are asked."""
    watch: CardWatch | None = None
    ending: CardEnding | None = None
    emergency: CardEmergency | None = None
    is_drill: bool = False
    owes: tuple[str, ...] = ()
    """What it owes afterwards, a sentence each."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Addresses by `run`, `log`, `page` and `actions` (Airflow's Required Actions), as far as they are known."""

    @property
    def step(self) -> CardStep | None:
        """Return the step that is applied or undone now."""
        return next((step for step in self.steps if step.state in {"applying", "undoing"}), None)

    @property
    def is_emergency(self) -> bool:
        """Return whether it was declared to be an emergency."""
        return self.emergency is not None

    @property
    def calls(self) -> tuple[str, ...]:
        """Return whom it calls: those who have to answer, else owner, on call and the commander of an emergency."""
        commander = self.emergency.commander if self.emergency and not self.is_drill else ""
        people = self.asks or (self.owner, self.on_call, commander)
        return tuple(dict.fromkeys(person for person in people if person))
