"""What a change owes after it has acted: the retroactive approval, the review, the end of a workaround, follow-ups."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from changewindow.documents.findings import Finding
from changewindow.policy.sign_off import same_person

Because = Literal["emergency", "record", "rolled_back", "rollback_failed"]
State = Literal["none", "owed", "overdue", "approved", "refused", "late"]


@dataclass(frozen=True)
class Retroactive:
    """A person's word about what ran, given afterwards."""

    person: str
    digest: str
    is_yes: bool
    at: datetime
    counts: bool
    reason: str = ""


@dataclass(frozen=True)
class FollowUp:
    """What somebody has to do by a day."""

    number: int
    """From 1, as it stands in the review."""
    what: str
    owner: str
    due: datetime | None
    is_done: bool = False


@dataclass(frozen=True)
class Aftercare:
    """What one change owes, as its sealed events say."""

    change: str
    because: Because
    digest: str
    """Of what ran, or of what was recorded."""
    summary: str
    targets: tuple[str, ...]
    began: datetime
    """When it was declared, recorded, or had ended."""
    requester: str
    executor: str = ""
    commander: str = ""
    incident: str = ""
    skipped_people: tuple[str, ...] = ()
    """Whose yes was skipped."""
    due: datetime | None = None
    """By when the retroactive approval is owed; None: none is."""
    words: tuple[Retroactive, ...] = ()
    """What people have said of it afterwards, oldest first."""
    review_due: datetime | None = None
    reviewed_at: datetime | None = None
    reviewed_by: str = ""
    workaround_until: datetime | None = None
    """When a workaround has to be gone; None: there is none, or it is gone."""
    follow_ups: tuple[FollowUp, ...] = ()
    told: frozenset[tuple[str, datetime]] = frozenset()
    """Of what, and of which of its moments, people were told already."""
    is_drill: bool = False

    @property
    def involved(self) -> tuple[str, ...]:
        """Return who asked, did or commanded: none of them may approve it."""
        return tuple(dict.fromkeys(name for name in (self.requester, self.executor, self.commander) if name))

    @property
    def decision(self) -> Retroactive | None:
        """Return the word that settles it."""
        return next((word for word in self.words if word.counts), None)

    def approval(self, now: datetime) -> State:
        """Return how its retroactive approval stands; a yes after the deadline makes it `late`, not approved."""
        if self.due is None:
            return "none"
        if self.decision:
            return "approved" if self.decision.is_yes else "refused"
        if any(word.is_yes and word.digest == self.digest and word.at > self.due for word in self.words):
            return "late"
        return "overdue" if now > self.due else "owed"

    def is_review_overdue(self, now: datetime) -> bool:
        """Return whether its review is owed, and the deadline has passed."""
        return self.review_due is not None and self.reviewed_at is None and now > self.review_due


def why_not(owed: Aftercare, person: str, digest: str, *, people: Iterable[str], now: datetime) -> Finding | None:
    """Return why a person's word about a text does not count afterwards; nothing if it does.

    `people` are those who may give it; nobody named means anybody who neither asked for it, did it, nor commanded.
    """
    named = tuple(people)
    if owed.due is None:
        return Finding("nothing_owed", f"{owed.change} owes no retroactive approval", "There is nothing to decide.")
    if owed.decision:
        word = "approved" if owed.decision.is_yes else "refused"
        return Finding("decided", f"{owed.decision.person} has {word} it already", "There is nothing left to decide.")
    if digest != owed.digest:
        sentence = f"the text that was shown ({digest[:12]}…) is not the one that ran ({owed.digest[:12]}…)"
        return Finding("other_text", sentence, "Look at what ran, and decide again.")
    involved = {"requested": owed.requester, "carried out": owed.executor, "commanded": owed.commander}
    for deed, who in involved.items():
        if who and same_person(who, person):
            return Finding("involved", f"{person} {deed} it", "Ask somebody who neither asked, did nor commanded.")
    if named and not any(same_person(person, name) for name in named):
        return Finding("not_asked", f"{person} is not asked", f"Asked are {', '.join(named)}.")
    if now > owed.due:
        sentence = f"it is {now:%Y-%m-%d %H:%M} UTC, and it was owed by {owed.due:%Y-%m-%d %H:%M} UTC"
        return Finding("late", sentence, "It stays on record as late; the review says why.")
    return None
