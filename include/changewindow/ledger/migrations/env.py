"""Runs the ledger's migrations on the connection that `Ledger.upgrade` hands over."""

from alembic import context

from changewindow.ledger.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
