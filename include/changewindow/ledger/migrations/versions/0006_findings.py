"""How far collectors have seen, and what was found that no change announced."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "looks",
        sa.Column("collector", sa.String(200), primary_key=True),
        sa.Column("until", moment, nullable=False),
        sa.Column("looked", moment, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("seal", sa.String(80)),
    )
    texts = ("object", "what", "why", "before", "after", "by", "known_by", "services", "reason")
    names = {"kind": 10, "collector": 200, "environment": 200, "state": 20, "person": 250}
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("identity", sa.String(64), nullable=False, unique=True),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in names.items()),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(name, moment, nullable=False) for name in ("at", "made_at", "changed_at")),
        *(sa.Column(name, moment) for name in ("until", "expires_at", "told_at")),
    )
    for name in ("collector", "state"):
        op.create_index(f"ix_findings_{name}", "findings", [name])
