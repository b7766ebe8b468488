"""SQLite gives no number of a trigger twice, whatever Airflow has written before."""

from pathlib import Path

import pytest
from airflow.models import import_all_models
from airflow.models.trigger import Trigger
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from changewindow.cli.trigger_numbers import give_no_number_twice

ANEW = "INSERT INTO \"trigger\" (classpath, kwargs, created_date) VALUES ('a.Trigger', '{}', '2031-03-18') RETURNING id"


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    """Return a database with Airflow's tables, and two triggers."""
    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db")
    import_all_models()
    Trigger.metadata.create_all(engine)
    assert [made(engine), made(engine)] == [1, 2]
    return engine


def made(engine: Engine) -> int:
    """Make a trigger; return its number."""
    with engine.begin() as connection:
        return int(connection.execute(text(ANEW)).scalar_one())


def gone(engine: Engine, number: int) -> None:
    """Delete a trigger."""
    with engine.begin() as connection:
        connection.execute(text('DELETE FROM "trigger" WHERE id = :id'), {"id": number})


def test_a_number_comes_once(database: Engine) -> None:
    """Before, the newest that is gone gives its number to the next one."""
    gone(database, 2)
    assert made(database) == 2
    assert give_no_number_twice(str(database.url))
    gone(database, 2)
    assert [made(database), made(database)] == [3, 4]
    assert not give_no_number_twice(str(database.url))


def test_nothing_else_is_changed(database: Engine) -> None:
    """Rows, columns, indexes and references stay."""

    def schema() -> set[tuple[str, str]]:
        with database.connect() as connection:
            return {tuple(row) for row in connection.execute(text("SELECT type, name FROM sqlite_master"))}

    before = schema()
    give_no_number_twice(str(database.url))
    assert schema() - {("table", "sqlite_sequence")} == before - {("table", "sqlite_sequence")}
    with database.connect() as connection:
        assert connection.execute(text('SELECT id, classpath FROM "trigger"')).all() == [
            (1, "a.Trigger"),
            (2, "a.Trigger"),
        ]
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        named = {row[2] for row in connection.execute(text("PRAGMA foreign_key_list(task_instance)"))}
    assert "trigger" in named


def test_other_databases_need_nothing(tmp_path: Path) -> None:
    """A server gives no number twice; a file without triggers is none of Airflow's."""
    assert not give_no_number_twice("postgresql+psycopg2://nobody@nowhere/airflow")
    with pytest.raises(SQLAlchemyError):
        give_no_number_twice(f"sqlite:///{tmp_path}/empty.db")
