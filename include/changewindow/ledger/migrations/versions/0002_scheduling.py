"""What scheduling asks for: people, targets and origin of each change, aborts, and stops of the line."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
CHANGES = sa.table("changes", *map(sa.column, ("number", "digest", "owner", "reviewer", "token")))
LEASES = sa.table("leases", *map(sa.column, ("number", "token")))
REVISIONS = sa.table("revisions", *map(sa.column, ("number", "digest", "text")))


def upgrade() -> None:
    """Add the columns and tables, and fill them for the changes that are there."""
    op.add_column("changes", sa.Column("owner", sa.String(200), nullable=False, server_default=""))
    op.add_column("changes", sa.Column("reviewer", sa.String(200), nullable=False, server_default=""))
    op.add_column("changes", sa.Column("origin", sa.String(500)))
    op.add_column("changes", sa.Column("aborted", sa.Text))
    op.add_column("changes", sa.Column("token", sa.Integer))
    op.create_index("ix_changes_token", "changes", ["token"])
    op.create_index("ix_changes_origin", "changes", ["origin"])
    op.add_column("turns", sa.Column("is_forward", sa.Boolean, nullable=False, server_default=sa.false()))
    touched = op.create_table(
        "touched",
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), primary_key=True),
        sa.Column("target", sa.String(250), primary_key=True),
    )
    op.create_table(
        "stops",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False, index=True),
        sa.Column("lifted_by", sa.String(200)),
        sa.Column("lifted_at", MOMENT),
    )
    _fill(touched)


def _fill(touched: sa.Table) -> None:
    here = op.get_bind()
    held = sa.select(sa.func.max(LEASES.c.token)).where(LEASES.c.number == CHANGES.c.number).scalar_subquery()
    here.execute(sa.update(CHANGES).values(token=held))
    newest = sa.and_(REVISIONS.c.number == CHANGES.c.number, REVISIONS.c.digest == CHANGES.c.digest)
    for number, text in here.execute(sa.select(CHANGES.c.number, REVISIONS.c.text).join(REVISIONS, newest)).all():
        ticket = json.loads(text)
        people = {name: ticket[name] for name in ("owner", "reviewer")}
        here.execute(sa.update(CHANGES).where(CHANGES.c.number == number).values(**people))
        for service in sorted(set(ticket["services"])):
            here.execute(sa.insert(touched).values(number=number, target=f"{ticket['environment']}/{service}"))
