"""Has SQLite give no number of a trigger twice, where Airflow's database is ours.

Airflow 3.3.2 knows triggers by their number in its database, which SQLite gives again once the newest is gone: a task
that waits for the second one would be woken by the first, or never. Of assets, Airflow says itself that no number is to
come twice (`sqlite_autoincrement`); see https://www.sqlite.org/autoinc.html.
"""

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, text

TRIGGERS = "trigger"


def give_no_number_twice(url: str) -> bool:
    """Make the table of triggers anew, with its rows; return whether that was needed. Other databases need nothing.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be written, or has no triggers.
    """
    if not url.startswith("sqlite"):
        return False
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            asked = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
            if "AUTOINCREMENT" in connection.execute(asked, {"name": TRIGGERS}).scalar_one():
                return False
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table(TRIGGERS, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
                pass  # nothing else is changed
            return True
    finally:
        engine.dispose()
