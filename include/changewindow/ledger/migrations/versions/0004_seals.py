"""Seals: each event from now on has one, and so has the head of each chain, those of the events before included."""

import sqlalchemy as sa
from alembic import context, op

from changewindow.errors import AlreadySealed, BrokenChain
from changewindow.ledger import chain

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, and seal each chain up to where it is."""
    op.add_column("events", sa.Column("seal", sa.String(80)))
    op.add_column("changes", sa.Column("head", sa.String(250)))
    ledger = context.config.attributes["ledger"]
    here = op.get_bind()
    changes = sa.table("changes", *map(sa.column, ("number", "head")))
    numbers = here.scalars(sa.select(changes.c.number).order_by(changes.c.number)).all()
    if numbers and any(ledger.heads.kept()):
        raise AlreadySealed(ledger.heads.path)  # else whoever takes the seals away would get them anew
    for number in numbers:
        try:
            head = chain.head_of(chain.linked(number, chain.rows_in(here, number)))
        except BrokenChain:
            continue  # it stays without a seal: nothing of it may start, and `verify` names what is wrong
        if head is not None:
            sealed = chain.sealed_head(ledger.seal, number, head)
            here.execute(sa.update(changes).where(changes.c.number == number).values(head=sealed))
            ledger.heads.keep({number: head})
