"""The contract of a check: `check(ticket, facts)` returns a finding for everything that is wrong, and is pure.

Each finding carries the name of the check's file as its code, and the place of the value; who reads the file adds the
line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from changewindow.policy.conflicts import Other
from changewindow.policy.model import Policy


@dataclass(frozen=True)
class Facts:
    """What a check may know besides the ticket."""

    now: datetime
    policy: Policy | None = None
    """What the policy files say; without it, checks find only what can be known from the ticket alone."""
    others: tuple[Other, ...] = ()
    """The changes that wait or act at the same time."""
    change: str = ""
    """The id of the change; empty before it has one."""
    data: Mapping[str, Any] | None = None
    """The ticket as it is written."""
    requester: str = ""
    """Who asks for the change; empty where nobody asks yet."""
    without: frozenset[str] = frozenset()
    """The checks that are not asked."""
