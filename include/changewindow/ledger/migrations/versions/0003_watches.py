"""How far each watch is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "watches",
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), primary_key=True),
        sa.Column("run", sa.String(250), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
    )
