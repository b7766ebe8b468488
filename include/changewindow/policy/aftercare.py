"""What a change owes after it has acted: the retroactive approval, the review, the end of a workaround, follow-ups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from changewindow.documents.findings import Finding
from changewindow.policy.approvals import ANYBODY, persons_of
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.sign_off import same_person

Because = Literal["emergency", "record", "rolled_back", "rollback_failed"]
State = Literal["none", "owed", "overdue", "approved", "refused", "late"]
LATE = "late"
"""The code of what stands against a word that came after the deadline."""


@dataclass(frozen=True)
class Retroactive:
    """A person's word about what ran, given afterwards."""

    person: str
    digest: str
    is_yes: bool
    at: datetime
    counts: bool
    reason: str = ""
    is_late: bool = False
    """Whether nothing stands against it but that the deadline had passed."""


@dataclass(frozen=True)
class FollowUp:
    """What somebody has to do by a day."""

    number: int
    """From 1, as it stands in the review."""
    what: str
    owner: str
    due: datetime | None
    is_done: bool = False
    since: datetime | None = None
    """When the review asked for it."""

    @property
    def about(self) -> str:
        """Return how the ledger names it."""
        return f"follow_up:{self.number}"


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
    """Whose review settled it: the first one."""
    reviewers: tuple[str, ...] = ()
    """Everybody who has reviewed it, in order; whoever comes later adds to the first review."""
    workaround_until: datetime | None = None
    """When a workaround has to be gone; None: there is none, or it is gone."""
    follow_ups: tuple[FollowUp, ...] = ()
    told: frozenset[tuple[str, datetime]] = frozenset()
    """Of what, and of which of its moments, people were told already."""
    heads: frozenset[str] = frozenset()
    """The first lines of the messages about it that were sent."""
    is_drill: bool = False
    is_proven: bool = True
    """Whether it is known who asked for it; else anybody may have, and one person more has to agree."""
    has_acted: bool = True
    """Whether anything was done; of an emergency that was declared and never began, nothing is to be approved."""

    @property
    def involved(self) -> tuple[str, ...]:
        """Return who asked, did or commanded: none of them may approve it."""
        return tuple(dict.fromkeys(name for name in (self.requester, self.executor, self.commander) if name))

    @property
    def decision(self) -> Retroactive | None:
        """Return the word that settles it: a no, or the last yes that is needed, in time or late."""
        needed = 1 if self.is_proven else 2
        for word in self.words:
            if word.counts or word.is_late:
                needed -= 1
                if not word.is_yes or not needed:
                    return word
        return None

    def approval(self, now: datetime) -> State:
        """Return how its retroactive approval stands; a yes after the deadline makes it `late`, not approved."""
        if self.due is None or not self.has_acted:
            return "none"
        if decision := self.decision:
            return "refused" if not decision.is_yes else "late" if decision.is_late else "approved"
        return "overdue" if now > self.due else "owed"

    @property
    def is_asked(self) -> bool:
        """Return whether people are still asked for its retroactive approval.

        A review ends that, but not one by those who asked, did or commanded: they would silence what they owe.
        """
        is_owed = self.due is not None and self.has_acted
        is_reviewed = self.reviewed_at is not None and not self._is_reviewed_by_the_involved_alone
        return is_owed and self.decision is None and not is_reviewed

    @property
    def _is_reviewed_by_the_involved_alone(self) -> bool:
        return bool(self.reviewers) and not _others(self, self.reviewers)

    def is_review_overdue(self, now: datetime) -> bool:
        """Return whether its review is owed, and the deadline has passed."""
        return self.review_due is not None and self.reviewed_at is None and now > self.review_due


def nothing_owed(change: str) -> Finding:
    """Return that a change never owed a retroactive approval."""
    why = "only what ran as an emergency, or was done by hand and recorded, does"
    remedy = "There is nothing to decide; check the number: `changewindow report emergencies` lists what is owed."
    return Finding("nothing_owed", f"{change} owes no retroactive approval: {why}", remedy)


def why_not_asked(owed: Aftercare | None, change: str) -> Finding | None:
    """Return why nobody is asked to approve a change afterwards; nothing if somebody is to be."""
    if owed is None or owed.due is None:
        return nothing_owed(change)
    if not owed.has_acted:
        return Finding("nothing_owed", f"{change} owes no retroactive approval: it has not acted", "Nothing is owed.")
    if decision := owed.decision:
        word = "approved" if decision.is_yes else "refused"
        sentence = f"{change} owes no retroactive approval any more: {decision.person} has {word} it"
        return Finding(
            "decided", sentence, f"There is nothing left to decide; `changewindow history {change}` shows it."
        )
    if not owed.is_asked:
        sentence = f"{change} is not asked about any more: {owed.reviewed_by} has reviewed it"
        return Finding("reviewed", sentence, f"Read the review with `changewindow history {change}`.")
    return None


def who_may(owed: Aftercare, rules: Emergencies, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return who may approve it afterwards; nobody named means anybody who neither asked for it, did it nor commanded.

    They are those whose approval was skipped, and those whom the policy names. Where all of them are involved, it is
    those who are told when it is overdue.
    """
    policy = persons_of((name for name in rules.approvers if name != ANYBODY), groups)
    return _others(owed, (*policy, *owed.skipped_people)) or _others(owed, persons_of(rules.escalate_to, groups))


def _others(owed: Aftercare, people: Iterable[str]) -> tuple[str, ...]:
    involved = owed.involved
    return tuple(dict.fromkeys(name for name in people if not any(same_person(name, other) for other in involved)))


def why_not(owed: Aftercare, person: str, digest: str, *, people: Iterable[str], now: datetime) -> Finding | None:
    """Return why a person's word about a text does not count afterwards; nothing if it does.

    `people` are those who may give it; nobody named means anybody who neither asked for it, did it, nor commanded. That
    it is late is only said of a word that would have counted in time.
    """
    named = tuple(people)
    if owed.due is None or not owed.has_acted:
        return why_not_asked(owed, owed.change)
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
    if any(same_person(person, word.person) and (word.counts or word.is_late) for word in owed.words):
        sentence = f"{person} has said yes already, and nothing proves who requested it"
        return Finding("second_person", sentence, "Ask one person more.")
    if now > owed.due:
        sentence = f"it is {now:%Y-%m-%d %H:%M} UTC, and it was owed by {owed.due:%Y-%m-%d %H:%M} UTC"
        return Finding(LATE, sentence, "It stays on record as late; the review says why.")
    return None
