"""The outbox: where the message of each change stands, and the notes that are still to be posted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(400), nullable=False, unique=True),
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), nullable=False, index=True),
        sa.Column("sort", sa.String(10), nullable=False),
        sa.Column("room", sa.String(100), nullable=False),
        sa.Column("channel", sa.String(100), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("about", TIME, nullable=False),
        sa.Column("is_loud", sa.Boolean, nullable=False),
        sa.Column("place", sa.String(250), nullable=False),
        sa.Column("reference", sa.String(250), nullable=False),
        sa.Column("shown", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("head", sa.String(250), nullable=False),
        sa.Column("posting", sa.String(400), nullable=False),
        sa.Column("posting_since", TIME),
        sa.Column("due", TIME, nullable=False, index=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("until", TIME),
        sa.Column("is_done", sa.Boolean, nullable=False, index=True),
        sa.Column("seal", sa.String(80)),
    )
