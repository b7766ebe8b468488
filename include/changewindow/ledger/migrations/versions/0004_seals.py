"""Seals: each event from now on has one, and so has the head of each chain, those of the events before included."""

import sqlalchemy as sa
from alembic import context, op

from changewindow.errors import BrokenChain
from changewindow.ledger import chain

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, and seal each chain up to where it is."""
    op.add_column("events", sa.Column("seal", sa.String(80)))
    op.add_column("changes", sa.Column("head", sa.String(250)))
    seal = context.config.attributes["seal"]
    here = op.get_bind()
    changes = sa.table("changes", *map(sa.column, ("number", "head")))
    for number in here.scalars(sa.select(changes.c.number).order_by(changes.c.number)).all():
        try:
            head = chain.head_of(chain.linked(number, chain.rows_in(here, number)))
        except BrokenChain:
            continue  # it stays without a seal: nothing of it may start, and `verify` names what is wrong
        if head is not None:
            here.execute(
                sa.update(changes).where(changes.c.number == number).values(head=chain.sealed_head(seal, number, head))
            )
