"""The table of the outbox."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from changewindow.ledger.models import Base


class OutboxRow(Base):
    """A message that is kept true: that of a change in one channel of a room, or a note that is posted once."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(400), unique=True)
    """What it is, where it goes: so that nothing is told twice."""
    number: Mapped[int] = mapped_column(ForeignKey("changes.number"), index=True)
    """The change; that of the line where it belongs to none."""
    sort: Mapped[str] = mapped_column(String(10))
    """card or note."""
    room: Mapped[str] = mapped_column(String(100))
    channel: Mapped[str] = mapped_column(String(100))
    """Which channel of the room."""
    text: Mapped[str] = mapped_column(Text)
    """Of a note; a card is made of the events."""
    about: Mapped[datetime]
    """The moment of which a note speaks; when a card was begun."""
    is_loud: Mapped[bool]
    place: Mapped[str] = mapped_column(String(250))
    reference: Mapped[str] = mapped_column(String(250))
    """Where it stands, in the words of the channel; empty: nowhere yet."""
    shown: Mapped[str] = mapped_column(String(64))
    """The digest of what stands there."""
    state: Mapped[str] = mapped_column(String(20))
    """Of the change, as it stands there."""
    digest: Mapped[str] = mapped_column(String(64))
    """Of the text of the change, as it stands there: what somebody decides there is bound to it."""
    told: Mapped[int]
    """The number of the newest event that is told in the thread."""
    head: Mapped[str] = mapped_column(String(250))
    """The head of the change when it was looked at last."""
    posting: Mapped[str] = mapped_column(String(400))
    """The key of what is being posted: whether it arrived is not known before this is empty again."""
    posting_since: Mapped[datetime | None]
    due: Mapped[datetime] = mapped_column(index=True)
    """When something is done about it next."""
    tries: Mapped[int]
    """How often in a row that failed."""
    problem: Mapped[str] = mapped_column(Text)
    """Why it failed last; empty: it did not."""
    until: Mapped[datetime | None]
    """Until when whoever works on it has it for themselves."""
    is_done: Mapped[bool] = mapped_column(index=True)
    """Whether nothing is left to do."""
    seal: Mapped[str | None] = mapped_column(String(80))
    """Of everything else in the row."""
