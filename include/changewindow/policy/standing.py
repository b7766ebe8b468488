"""The facts on which the gate decides: what is known of a change at one moment, and what a run is about to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from changewindow.errors import BadPolicy
from changewindow.policy.assessment import Assessment
from changewindow.policy.conflicts import Other
from changewindow.policy.sign_off import ONE_PERSON, RecordedApproval, RequiredApproval

Mode = Literal["run", "dry_run", "rollback"]
Act = Literal["start", "apply", "undo", "read"]
"""What is about to happen: the run passes its gate, applies a step, undoes one, or only reads what the text names."""
AGAIN = ("approved", "refused")
"""States in which a run may start: a refusal touched nothing, so the same approval may be tried again in its window."""
ROLLED_BACK = "Wait for the end of the run; it rolls back what it has applied."
ALTERED = "Somebody has written into the ledger; run `changewindow verify --all`, and restore it from backup."
Assessed = Assessment | BadPolicy | None
"""What the policy says of the change, or why it cannot be read; None where no policy applies, as for a rollback."""
SECOND = "second person"
"""The level of the approval that is needed besides, where nobody knows who requested a change."""
WAITING = ("submitted", *AGAIN)
"""States in which nothing was touched and the change may still be done."""


@dataclass(frozen=True)
class LineStop:
    """A stop of the line that is in force."""

    person: str
    reason: str
    until: datetime

    @property
    def sentence(self) -> str:
        """Return who stopped the line, until when, and why."""
        return f"the line is stopped by {self.person} until {self.until:%Y-%m-%d %H:%M} UTC: {self.reason}"


@dataclass(frozen=True)
class HeldTarget:
    """A target that another change holds."""

    target: str
    change: str
    is_acting: bool = True
    """Whether that change still acts; otherwise its rollback failed, and only a person can release the target."""


@dataclass(frozen=True)
class Standing:
    """What the ledger knows of a change at one moment."""

    status: str
    requester: str
    run: str | None
    approvals: tuple[RecordedApproval, ...]
    digest: str | None = None
    """The newest text; None: not asked for."""
    aborted: str | None = None
    """Who ended the run that acts, and why."""
    has_lease: bool = True
    """Whether the run that acts still holds its targets."""
    held: tuple[HeldTarget, ...] = ()
    """Targets of this change that another one holds."""
    stops: tuple[LineStop, ...] = ()
    """What stops the whole line now."""
    acting: tuple[Other, ...] = ()
    """The other changes that hold targets now."""
    declared: Mapping[str, str] = field(default_factory=dict)
    """The texts that were declared to be emergencies, as sealed events say, each with a sentence of who agreed."""
    started: frozenset[str] | None = None
    """The texts with which it has passed the gate, as sealed events say; None: not asked for."""
    is_proven: bool = True
    """Whether it is known who requested it: Airflow knew them, or a signature names them. Else anybody may have."""
    altered: tuple[str, ...] = ()
    """What the rows of the ledger say otherwise than its events: somebody has written them past Change Windows."""


@dataclass(frozen=True)
class Preflight:
    """What a run found out before its gate; only Airflow knows it."""

    failed: Mapping[str, str] = field(default_factory=dict)
    """The tasks before the gate that failed, each with its reason."""
    unproven: Mapping[str, str] = field(default_factory=dict)
    """The tasks before the gate that proved nothing, each with its state."""
    missing: tuple[tuple[str, str], ...] = ()
    """The missing prerequisites: the name of the step, and what it lacks with what to do."""
    not_good: str = ""
    """What was not good when all checks were read once more, at the gate."""
    is_whole: bool = True
    """Whether prerequisites and checks were read at the gate; they are not when the change cannot start anyway."""


@dataclass(frozen=True)
class StepStart:
    """A step that is about to be applied."""

    number: int
    name: str
    not_applied: tuple[int, ...] = ()
    """The earlier steps that are not applied."""
    has_started: bool = False
    """Whether it started before in this run."""
    safe_to_repeat: bool = False
    done: timedelta = timedelta(0)
    """How much of the time that the change needs belongs to the steps before."""


@dataclass(frozen=True)
class Intent:
    """What a run is about to do."""

    run: str
    digest: str
    opens: datetime
    closes: datetime
    needs: timedelta
    mode: Mode = "run"
    approvals: tuple[RequiredApproval, ...] = ONE_PERSON
    """What must have been approved where no policy says so; nothing for a pre-approved standard change."""
    is_emergency: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    """What was chosen for parameters in place of their defaults."""
    act: Act = "start"
    preflight: Preflight | None = None
    """What was found before the gate; None where Airflow is not asked."""
    step: StepStart | None = None
    """The step that is about to be applied."""

    @property
    def done(self) -> timedelta:
        """Return how much of the time that the change needs is over already."""
        return self.step.done if self.step else timedelta(0)

    def is_late(self, now: datetime) -> bool:
        """Return whether what is left to do, watch and rollback included, no longer fits before the window's end."""
        return now + self.needs - self.done > self.closes


@dataclass(frozen=True)
class Case:
    """All that the gate decides on."""

    standing: Standing
    intent: Intent
    assessment: Assessed
    now: datetime

    @property
    def required(self) -> tuple[RequiredApproval, ...]:
        """Return what must have been approved: as the policy says now, where there is one.

        Where nobody knows who requested it, one person more: of two, one at least is not who wrote it.
        """
        is_policy = self.assessment is not None and not isinstance(self.assessment, BadPolicy)
        needs = cast("Assessment", self.assessment).needs if is_policy else self.intent.approvals
        if self.standing.is_proven or not needs:
            return needs
        return (*needs, RequiredApproval(SECOND, 1, valid=min(required.valid for required in needs)))

    @property
    def is_declared(self) -> bool:
        """Return whether exactly this text was declared to be an emergency, which owes its approval afterwards."""
        return self.intent.digest in self.standing.declared

    def remedy(self, at_the_gate: str) -> str:
        """Return what would make it right; a run past its gate ends all the same, and rolls back what it applied."""
        return at_the_gate if self.intent.act in {"start", "read"} else ROLLED_BACK
