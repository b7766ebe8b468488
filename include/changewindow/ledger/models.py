"""The tables of the ledger."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from changewindow.ledger.moment import Moment

FIRST_NUMBER = 1001
LINE_NUMBER, LINE = 0, "LINE"
"""The record of the line, which is no change: a chain of events like those of changes, under this number and name."""
FINDINGS_NUMBER, FINDINGS = -1, "FINDINGS"
"""The same for what was found in the world."""
RECORDS = {LINE_NUMBER: LINE, FINDINGS_NUMBER: FINDINGS}
"""Chains that are no changes; the numbers of those begin later."""


def identity(number: int) -> str:
    """Return the name of the change with a number, such as CHG-1042, or that of a record that is no change."""
    return RECORDS.get(number, f"CHG-{number}")


class Base(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map = {datetime: Moment}


class Change(Base):
    """A ticket in the ledger."""

    __tablename__ = "changes"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    summary: Mapped[str] = mapped_column(Text)
    requester: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(20), index=True)
    """submitted, approved, running, recorded, or an outcome."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why it ended as it did, kept apart from the outcome."""
    digest: Mapped[str] = mapped_column(String(64))
    """The newest revision."""
    run: Mapped[str | None] = mapped_column(String(250))
    """The run that acts or has acted."""
    opens: Mapped[datetime] = mapped_column(index=True)
    closes: Mapped[datetime]
    submitted_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    owner: Mapped[str] = mapped_column(String(200), default="")
    reviewer: Mapped[str] = mapped_column(String(200), default="")
    type: Mapped[str] = mapped_column(String(20), default="")
    """normal, standard or emergency, as its newest text says; empty: it is a record."""
    risk: Mapped[str] = mapped_column(String(20), default="")
    """low, medium or high; empty: it is a record."""
    origin: Mapped[str | None] = mapped_column(String(500), index=True)
    """The file of the ticket, when it came from a directory or a repository."""
    token: Mapped[int | None] = mapped_column(index=True)
    """The fencing token of its newest lease; kept when the lease is gone, so that tokens only grow."""
    aborted: Mapped[str | None] = mapped_column(Text)
    """Who ended the run that acts, and why; nothing forward happens after that."""
    head: Mapped[str | None] = mapped_column(String(250))
    """Where the chain of its events ends, under seal: a number, a hash, and the seal of both."""

    @property
    def id(self) -> str:
        """Return the name of the change, such as CHG-1042."""
        return identity(self.number)


class Touched(Base):
    """A target that a change touches."""

    __tablename__ = "touched"

    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), primary_key=True)
    target: Mapped[str] = mapped_column(String(250), primary_key=True)


class Revision(Base):
    """One immutable text of a change."""

    __tablename__ = "revisions"

    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    """Canonical JSON of the ticket; it and the plan it makes have this digest."""
    at: Mapped[datetime]


class Approval(Base):
    """A named person's yes or no to one digest."""

    __tablename__ = "approvals"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(50))
    is_yes: Mapped[bool]
    at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Lease(Base):
    """The exclusive hold of a change on a target; kept until the change is closed, whatever its age."""

    __tablename__ = "leases"

    target: Mapped[str] = mapped_column(String(250), primary_key=True)
    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), index=True)
    token: Mapped[int]
    """Fencing token: grows with every lease of this ledger."""
    run: Mapped[str] = mapped_column(String(250))
    taken_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """After this moment nobody can be acting any more; a person or housekeeping has to look."""


class StepLockRow(Base):
    """Which task of a change may act now: one at a time."""

    __tablename__ = "turns"

    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), primary_key=True)
    token: Mapped[int]
    """Grows each time the lock is taken; a holder with an older token must have stopped."""
    holder: Mapped[str | None] = mapped_column(String(250))
    until: Mapped[datetime | None]
    """The holder renews this; past it, the holder has stopped by itself."""
    is_revoked: Mapped[bool]
    is_forward: Mapped[bool] = mapped_column(default=False)
    """Whether the holder applies; an abort stops it, but never a rollback."""
    seal: Mapped[str | None] = mapped_column(String(80))
    """Of everything else in the row: it is renewed too often to have an event each time."""


class Watch(Base):
    """How far the newest watch of a change is."""

    __tablename__ = "watches"

    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), primary_key=True)
    run: Mapped[str] = mapped_column(String(250))
    at: Mapped[datetime]
    progress: Mapped[str] = mapped_column(Text)
    """JSON, see `changewindow.watch.progress`."""
    seal: Mapped[str | None] = mapped_column(String(80))
    """Of everything else in the row."""


class Stop(Base):
    """A halt of all new starts; lifted or expired ones stay for the record. What counts is the events of the line."""

    __tablename__ = "stops"

    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    lifted_by: Mapped[str | None] = mapped_column(String(200))
    lifted_at: Mapped[datetime | None]


class LookRow(Base):
    """How far a collector has seen, and what it wants to know again in its next look."""

    __tablename__ = "looks"

    collector: Mapped[str] = mapped_column(String(200), primary_key=True)
    until: Mapped[datetime]
    """All before is seen, or is a gap that has a finding."""
    looked: Mapped[datetime]
    """When its last look had ended."""
    state: Mapped[str] = mapped_column(Text)
    """JSON, see `changewindow.changes.silent_pass`; bounded."""
    seal: Mapped[str | None] = mapped_column(String(80))
    """Of everything else in the row."""


class FindingRow(Base):
    """A silent change, or a gap. What counts is the events of the record of findings."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(String(64), unique=True)
    """The same for what is the same, so that it is found once."""
    kind: Mapped[str] = mapped_column(String(10))
    collector: Mapped[str] = mapped_column(String(200), index=True)
    object: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    until: Mapped[datetime | None]
    what: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    known_by: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(String(200))
    services: Mapped[str] = mapped_column(Text)
    """Their names, with commas between and around them."""
    made_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), index=True)
    """open, recorded, reverted, accepted or seen."""
    person: Mapped[str] = mapped_column(String(250))
    """Who brought it into this state; what follows is of that moment, too."""
    reason: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    """Until when it is accepted."""
    told_at: Mapped[datetime | None]
    """When its owner was told; None: not yet, since it is open."""


class EventRow(Base):
    """Something that happened to a change; never updated, never deleted."""

    __tablename__ = "events"

    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(50), index=True)
    actor: Mapped[str] = mapped_column(String(250))
    data: Mapped[str] = mapped_column(Text)
    """Canonical JSON."""
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str | None] = mapped_column(String(80))
    """None: a version before 0.2 wrote it, and the head of its chain vouches for it."""


Index("ix_events_by", func.lower(EventRow.actor), EventRow.number, EventRow.kind)
"""Finds what somebody has done, among the many events that nobody has."""
