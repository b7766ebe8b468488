"""What is said to a product about a silence of a change, and how the product has it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

CREATOR = "changewindow"
UNTIL = re.compile(r", until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ): ")
NEAR = timedelta(seconds=2)
"""Products round times."""


@dataclass(frozen=True)
class Term:
    """One term of a silence: whose it is, and until when it lasts if nobody renews it."""

    mark: str
    """Which silence of which run of which change: no other one begins like this."""
    summary: str
    now: datetime
    until: datetime

    @property
    def comment(self) -> str:
        """Return what people read in the product."""
        return f"{self.mark}, until {self.until:%Y-%m-%dT%H:%M:%SZ}: {self.summary}"

    def is_in(self, comment: str) -> bool:
        """Return whether a silence with this comment is of the same run."""
        return comment.startswith(f"{self.mark}, ")


@dataclass(frozen=True)
class Held:
    """A silence as the product has it."""

    id: str
    begins: str
    """As the product writes it."""
    ends: datetime
    comment: str
    is_over: bool = False

    @property
    def is_as_left(self) -> bool:
        """Return whether it ends when we have said; otherwise a person has ended it, or set another end."""
        stated = UNTIL.search(self.comment)
        return stated is not None and abs(datetime.fromisoformat(stated[1]) - self.ends) <= NEAR


def moment(time: datetime) -> str:
    """Return a moment in UTC as all of these products read it, in whole seconds."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
