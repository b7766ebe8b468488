"""Says why a change may not act: the last question before the first step, and again before every further one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from changewindow.documents.types import duration_text
from changewindow.policy.outcome import Outcome
from changewindow.policy.sign_off import ONE_PERSON, PendingApproval, RecordedApproval, RequiredApproval, same_person

Mode = Literal["run", "dry_run", "rollback"]
AGAIN = {"approved", "refused"}
"""States in which a run may start: a refusal touched nothing, so the same approval may be tried again in its window."""


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
    held: tuple[tuple[str, str], ...] = ()
    """Targets that another change holds, with its id."""
    stops: tuple[str, ...] = ()
    """Why the whole line is stopped."""


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
    """What must have been approved, as the policy says now; nothing for a pre-approved standard change."""
    is_emergency: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    """What was chosen for parameters in place of their defaults."""


def reasons(standing: Standing, intent: Intent, now: datetime) -> list[str]:
    """Return each reason why the run may not start, or nothing when it may."""
    found = [*_state_reasons(standing, intent), *approval_reasons(standing, intent, now)]
    found += [f"{target} is held by {change}; wait until it is closed" for target, change in standing.held]
    if intent.mode == "run":
        found += time_reasons(intent, now)
        found += [] if intent.is_emergency else standing.stops
    return found


def time_reasons(intent: Intent, now: datetime) -> list[str]:
    """Return why the clock forbids it: too early, too late, or no longer enough time."""
    if now < intent.opens:
        ahead = f"the window opens {intent.opens:%Y-%m-%d %H:%M} UTC, in {duration_text(intent.opens - now)}"
        return [f"{ahead}; wait for it, or run reslot_change to give it another one"]
    if is_late(intent, now):
        left = max(intent.closes - now, timedelta(0))
        ended = f"the window ended {intent.closes:%Y-%m-%d %H:%M} UTC"
        short = f"the change needs {duration_text(intent.needs)}, the window has {duration_text(left)} left"
        return [f"{short if left else ended}; run reslot_change to give it another one"]
    return []


def is_late(intent: Intent, now: datetime) -> bool:
    """Return whether steps, watch and the way back no longer fit before the window's end."""
    return now + intent.needs > intent.closes


def approval_reasons(standing: Standing, intent: Intent, now: datetime) -> list[str]:
    """Return why no sufficient approval covers exactly this text now; the way back needs none that is fresh."""
    if standing.digest not in (None, intent.digest):
        newest = f"{str(standing.digest)[:12]}…"
        says = f"its text ({intent.digest[:12]}…) is not the newest one ({newest})"
        return [f"{says}; have the newest approved, it is published then"]
    if intent.mode == "rollback":
        return []
    rejected = [given for given in standing.approvals if given.digest == intent.digest and not given.is_yes]
    if rejected:
        return [f"{rejected[0].person} rejected it; submit a corrected ticket"]
    asked = next_approval(standing, intent, now)
    return [_why_not_approved(standing, intent, asked, now)] if asked else []


def next_approval(standing: Standing, intent: Intent, now: datetime) -> PendingApproval | None:
    """Return what approval is asked for next, level by level; None when all are given."""
    valid = [given for given in standing.approvals if given.is_yes and given.digest == intent.digest]
    said = {given.person.strip().casefold(): given for given in valid if given.expires_at > now}
    said.pop(standing.requester.strip().casefold(), None)
    but = (standing.requester, *(given.person for given in said.values()))
    for need in intent.approvals:
        still = need.count - sum(given.level == need.level for given in said.values())
        if still > 0:
            people = tuple(one for one in need.people if not any(same_person(one, other) for other in but))
            return PendingApproval(need, still, people, but)
    return None


def _why_not_approved(standing: Standing, intent: Intent, asked: PendingApproval, now: datetime) -> str:
    yes = [given for given in standing.approvals if given.is_yes]
    same_text = [given for given in yes if given.digest == intent.digest]
    others = [given for given in same_text if not same_person(given.person, standing.requester)]
    expired = [given for given in others if given.expires_at <= now]
    if not yes:
        return "nobody has approved it; ask for an approval"
    if not same_text:
        says = f"its text ({intent.digest[:12]}…) is not the approved one ({yes[-1].digest[:12]}…)"
        return f"{says}; submit the new text for approval"
    if not others:
        return f"only its requester {standing.requester} approved it; a second person has to"
    if expired:
        return f"the approval of {expired[-1].person} expired {expired[-1].expires_at:%Y-%m-%d %H:%M} UTC; ask again"
    return f"level '{asked.need.level}' lacks {asked.still} of {asked.need.count} approvals; ask {_any_of(asked)}"


def _any_of(asked: PendingApproval) -> str:
    return " or ".join(asked.people) if asked.people else "a second person"


def outcome_of_refusal(found: Iterable[str], intent: Intent, now: datetime) -> Outcome:
    """Return `missed` when lateness is the only reason, else `refused`."""
    late = set(time_reasons(intent, now)) if is_late(intent, now) else set()
    return "missed" if late and set(found) <= late else "refused"


def _state_reasons(standing: Standing, intent: Intent) -> list[str]:
    if standing.status == "running" and standing.run is not None:
        return [] if standing.run == intent.run else [f"run {standing.run} of this change is acting; wait for its end"]
    if intent.mode == "rollback":
        if standing.status in {"completed", "rollback_failed", "running"}:
            return []
        return [f"it is {standing.status}; only a completed change, or one whose rollback failed, can be rolled back"]
    if standing.status in {*AGAIN, "submitted"}:
        return []
    if standing.status == "running":
        return ["its run died; it can only be taken back, in mode rollback"]
    return [f"it is closed: {standing.status}; submit a new ticket to do it again"]
