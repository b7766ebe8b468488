"""Finds the events of one kind in all changes, for what emergencies owe afterwards."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_events_kind", "events", ["kind"])
