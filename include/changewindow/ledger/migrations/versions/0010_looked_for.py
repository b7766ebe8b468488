"""By what changes are looked for: their type and risk, and who has done something, in whatever case."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

COLUMNS = ("type", "risk")
CHANGES = sa.table("changes", *map(sa.column, ("number", "digest", "status", *COLUMNS)))
REVISIONS = sa.table("revisions", *map(sa.column, ("number", "digest", "text")))
AT_ONCE = 500


def upgrade() -> None:
    """Add the columns, fill them from the newest text of each change, and add the index."""
    for name in COLUMNS:
        op.add_column("changes", sa.Column(name, sa.String(20), nullable=False, server_default=""))
    here = op.get_bind()
    is_newest = (REVISIONS.c.number == CHANGES.c.number) & (REVISIONS.c.digest == CHANGES.c.digest)
    is_ticket = CHANGES.c.status != "recorded"
    numbers = here.scalars(sa.select(CHANGES.c.number).where(is_ticket)).all()
    for place in range(0, len(numbers), AT_ONCE):
        some = sa.select(CHANGES.c.number, REVISIONS.c.text).join_from(CHANGES, REVISIONS, is_newest)
        rows = here.execute(some.where(CHANGES.c.number.in_(numbers[place : place + AT_ONCE]))).all()
        values = [{"one": number, **_values(text)} for number, text in rows]
        if values:
            filled: dict[str, sa.BindParameter[str]] = {name: sa.bindparam(f"its_{name}") for name in COLUMNS}
            here.execute(sa.update(CHANGES).where(CHANGES.c.number == sa.bindparam("one")).values(**filled), values)
    op.create_index("ix_events_by", "events", [sa.text("lower(actor)"), "number", "kind"])


def _values(text: str) -> dict[str, str]:
    """Return what a text says; of one that somebody has altered beyond reading, nothing."""
    try:
        ticket = json.loads(text)
        return {f"its_{name}": str(ticket[name])[:20] for name in COLUMNS}
    except (ValueError, KeyError, TypeError):
        return {f"its_{name}": "" for name in COLUMNS}
