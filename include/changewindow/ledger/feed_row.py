"""The table of calendar feeds."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from changewindow.ledger.models import Base


class FeedRow(Base):
    """The feed of a user; they have one, or none."""

    __tablename__ = "feeds"

    user: Mapped[str] = mapped_column(String(500), primary_key=True)
    """What identifies them to Airflow, see `changewindow.changes.viewer`."""
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """The SHA-256 of the token; the token itself is kept nowhere."""
    made_at: Mapped[datetime]
    seal: Mapped[str | None] = mapped_column(String(80))
    """Of everything else in the row: nobody gives a token of their own to somebody else's feed."""
