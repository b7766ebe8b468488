"""The first tables: changes, revisions, approvals, leases, turns, and events that cannot be altered."""

import sqlalchemy as sa
from alembic import op

from changewindow.ledger.models import FIRST_NUMBER

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
REFUSAL = "events of the ledger are never altered"


def upgrade() -> None:
    """Create the tables."""
    _create_changes()
    _create_holds()
    op.create_table(
        "events",
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("actor", sa.String(250), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"ALTER SEQUENCE changes_number_seq RESTART WITH {FIRST_NUMBER}")
        op.execute(
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
        op.execute("CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events EXECUTE FUNCTION refuse()")
        return
    op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('changes', {FIRST_NUMBER - 1})")  # noqa: S608  a constant
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER append_only_{action.lower()} BEFORE {action} ON events "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("requester", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False, index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("run", sa.String(250)),
        sa.Column("opens", MOMENT, nullable=False, index=True),
        sa.Column("closes", MOMENT, nullable=False),
        sa.Column("submitted_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "revisions",
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), nullable=False, index=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("is_yes", sa.Boolean, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )


def _create_holds() -> None:
    op.create_table(
        "leases",
        sa.Column("target", sa.String(250), primary_key=True),
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), nullable=False, index=True),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("run", sa.String(250), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_table(
        "turns",
        sa.Column("number", sa.Integer, sa.ForeignKey("changes.number"), primary_key=True),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(250)),
        sa.Column("until", MOMENT),
        sa.Column("is_revoked", sa.Boolean, nullable=False),
    )
