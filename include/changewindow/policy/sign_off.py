"""A person's yes or no: what is required, what is recorded, and who is asked next."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class RequiredApproval:
    """A level of approval: how many of which people."""

    level: str
    count: int
    people: tuple[str, ...] = ()
    """Who may; nobody named means anybody but the requester."""
    valid: timedelta = timedelta(days=30)
    """How long a yes counts."""


ONE_PERSON = (RequiredApproval("approver", 1),)
"""What is asked where no policy says more: one person who is not the requester."""


@dataclass(frozen=True)
class RecordedApproval:
    """A person's yes or no to one digest, at one level."""

    person: str
    digest: str
    is_yes: bool
    expires_at: datetime
    level: str = "approver"


@dataclass(frozen=True)
class PendingApproval:
    """Who is asked for the next approval."""

    required: RequiredApproval
    missing: int
    """How many approvals are still missing at this level."""
    people: tuple[str, ...]
    """Who may give it; nobody named means anybody but the requester and those who have said yes."""
    excluded: tuple[str, ...]
    """The requester, and who has said yes already: one person counts once."""

    @property
    def given(self) -> int:
        """Return how many approvals count already."""
        return len(self.excluded) - 1

    def asks(self, person: str) -> bool:
        """Return whether a person is asked: whoever is named, else everybody."""
        return not self.people or any(same_person(person, named) for named in self.people)

    def admits(self, person: str) -> bool:
        """Return whether a person's yes counts now."""
        return self.asks(person) and not any(same_person(person, named) for named in self.excluded)


def same_person(name: str, other: str) -> bool:
    """Return whether two names are one person's, however they are written."""
    return name.strip().casefold() == other.strip().casefold()
