"""What many tests know: a moment, a server that does as it is told, an approved change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.ledger import changes, deciding
from changewindow.ledger.database import Ledger
from changewindow.permit import Intent, Need

NOW = datetime(2031, 3, 18, 14, 10, tzinfo=UTC)
"""A moment within the window of the example ticket."""
ONE_HOUR = (Need("peer", 1, valid=timedelta(hours=1)),)
"""One other person, whose yes counts for an hour."""


@dataclass
class Told:
    """A server that answers as it is told, and keeps what it was asked."""

    url: str = ""
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and text by path."""
    otherwise: tuple[int, str] = (404, "")
    """The answer on every other path."""
    asked: list[tuple[str, str, Mapping[str, str], str]] = field(default_factory=list)
    """Method, path with query, headers and body of each request."""


def approved(
    ledger: Ledger, data: dict[str, Any], *, person: str = "bob", valid: timedelta = timedelta(hours=1)
) -> changes.Submitted:
    """Submit a ticket as alice and approve it for an hour; return the change."""
    submitted = changes.submit(ledger, data, requester="alice", now=NOW)
    wanted = intent(submitted.digest, approvals=(Need("peer", 1, valid=valid),))
    deciding.decide(ledger, submitted.change, wanted, person=person, is_yes=True, now=NOW)
    return submitted


def intent(digest: str, run: str = "run-1", **changed: Any) -> Intent:
    """Return what a run within the window of the example ticket wants."""
    opens = NOW - timedelta(minutes=10)
    fields = {"opens": opens, "closes": opens + timedelta(hours=1), "needs": timedelta(minutes=4), **changed}
    return Intent(run, digest, **{"approvals": ONE_HOUR, **fields})
