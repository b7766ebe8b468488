"""The step alembic, on a real PostgreSQL and on SQLite."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, inspect

from changewindow.cli.airflow_api import wait_for
from changewindow.errors import LockRevoked, StepFailed
from changewindow.steps.alembic import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from servers.postgres import Postgres, shared
from step_fixtures.alembic import ENV, SECOND, alembic, at_first, migration, project
from step_fixtures.git_change import git
from support.warm_python import warm_python


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two migrations."""
    return project(tmp_path / "db")


@pytest.fixture
def on_sqlite(tmp_path: Path, folder: Path) -> Connection:
    """Return a database in SQLite that is at the first of them."""
    known = Connection("orders", "sqlite", str(tmp_path / "orders.db"))
    at_first(known)
    return known


@pytest.fixture
def on_postgres(folder: Path) -> Connection:
    """Return a database in PostgreSQL that is at the first of them."""
    known = shared().fresh()
    shared().ask("ALTER SCHEMA public OWNER TO robot", known.schema)
    at_first(known)
    return known


def step(folder: Path, **fields: Any) -> Step:
    """Return a step that upgrades to the newest revision."""
    given = {"name": "upgrade", "connection": "orders", "migrations": {"folder": str(folder)}, "lock_timeout": "300ms"}
    return Step.model_validate({**given, "python": warm_python(), **fields})


def here(*connections: Connection, logged: Callable[[str], Any] = print) -> Context:
    """Return what a step may use."""
    return Context("CHG-1042", 1, {connection.name: connection for connection in connections}.__getitem__, logged)


def columns(connection: Connection) -> list[str]:
    """Return the columns of the orders."""
    engine = create_engine(connection.database_url)
    columns = [column["name"] for column in inspect(engine).get_columns("orders")]
    engine.dispose()
    return columns


def test_it_goes_there_and_back_on_sqlite(folder: Path, on_sqlite: Connection) -> None:
    """The revision and the columns follow, with the interpreter that runs this."""
    alembic_step, context = step(folder, python=""), here(on_sqlite)
    assert alembic_step.missing_prerequisites(context) == []
    remembered = alembic_step.remember(context)
    assert (remembered["before"], remembered["target"]) == ("first", "second")
    alembic_step.apply(context, remembered)
    assert columns(on_sqlite) == ["id", "note"]
    alembic_step.undo(context, remembered)
    assert columns(on_sqlite) == ["id"]


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        pytest.param({"down": "pass"}, "Revision third has no downgrade. Write it.", id="empty"),
        pytest.param({"down": '"""Nothing."""'}, "Revision third has no downgrade. Write it.", id="a docstring"),
        pytest.param({"down": "return"}, "Revision third has no downgrade. Write it.", id="returns"),
        pytest.param({"down": "raise NotImplementedError"}, "Revision third has no downgrade. Write it.", id="raises"),
        pytest.param(
            {"down": "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()"},
            "The downgrade from third to first cannot be written as SQL: ",
            id="reads what only a database can tell",
        ),
        pytest.param({"up": "pass", "down": "pass"}, "", id="nothing to take back"),
    ],
)
def test_a_migration_without_way_back_is_refused(
    folder: Path, on_sqlite: Connection, functions: dict[str, str], message: str
) -> None:
    """The gate names the revision and what to do."""
    migration(folder, "third", "second", **{"up": 'op.execute("SELECT 1")', **functions})
    missing = step(folder).missing_prerequisites(here(on_sqlite))
    assert [line[: len(message)] for line in missing] == [message][: bool(message)]


def test_ambiguities_are_refused(folder: Path, on_sqlite: Connection) -> None:
    """Several heads, a merge on the way, a revision that is not there, and nothing to upgrade."""
    context = here(on_sqlite)
    migration(folder, "other", "first", up="pass", down="pass")
    message = "have several heads or none: other, second. Merge them."
    assert [line for line in step(folder).missing_prerequisites(context) if line.endswith(message)]
    with pytest.raises(StepFailed, match="several heads"):
        step(folder).remember(context)
    assert step(folder, revision="second").missing_prerequisites(context) == []
    migration(folder, "merged", ("other", "second"), up="pass", down="pass")
    message = "Revision merged joins branches, so the downgrade has several ends. First upgrade to the one before."
    assert step(folder).missing_prerequisites(context) == [message]
    with pytest.raises(StepFailed, match=r"cannot be read: .*Can't locate revision identified by 'third'"):
        step(folder, revision="third").missing_prerequisites(context)
    message = "There is nothing to upgrade: orders is at first, and first is not later."
    assert step(folder, revision="first").missing_prerequisites(context) == [message]
    for revision in ("other", "second"):
        alembic(folder, on_sqlite, "upgrade", revision)
    message = "orders stands at several revisions: other, second. Merge them in a change of their own."
    assert step(folder).missing_prerequisites(context) == [message]


def test_an_env_that_leads_elsewhere_is_refused(folder: Path, on_sqlite: Connection, tmp_path: Path) -> None:
    """The database of alembic.ini may be any; only the connection's counts."""
    env = folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace('create_engine(os.environ["DATABASE_URL"])', 'create_engine("sqlite://")'))
    message = (
        f"env.py in {folder} connects to :/None, not to connection orders. Let it take the address from the environment"
    )
    assert step(folder).missing_prerequisites(here(on_sqlite)) == [f"{message} variable DATABASE_URL."]
    with pytest.raises(StepFailed, match=r"There is no alembic\.ini in .*\. Correct the folder\."):
        step(tmp_path).missing_prerequisites(here(on_sqlite))
    with pytest.raises(StepFailed, match=r"There is no folder /nowhere\."):
        step(Path("/nowhere")).missing_prerequisites(here(on_sqlite))


def test_nobody_there_is_said_without_the_password(folder: Path, on_postgres: Connection) -> None:
    """The message says what to do, and the log does not show the address."""
    logged: list[str] = []
    with pytest.raises(StepFailed, match="The database does not answer") as failed:
        step(folder).missing_prerequisites(here(replace(on_postgres, port=1), logged=logged.append))
    assert "s3cret" not in str(failed.value) + "".join(logged)


def test_a_lock_of_somebody_else_is_not_waited_for_long(folder: Path, on_postgres: Connection) -> None:
    """The migration gives up, so that nobody queues behind it, and nothing has changed."""
    alembic_step, context = step(folder), here(on_postgres)
    remembered = alembic_step.remember(context)
    engine = create_engine(on_postgres.database_url)
    with engine.connect() as opened:
        opened.exec_driver_sql("LOCK TABLE orders")
        with pytest.raises(
            StepFailed, match=r"alembic upgrade second of orders failed: .*Somebody.*Locks are held .*robot"
        ):
            alembic_step.apply(context, remembered)
    engine.dispose()
    alembic_step.undo(context, remembered)
    assert columns(on_postgres) == ["id"]


def test_killed_half_way_nothing_is_left_in_postgresql(folder: Path, on_postgres: Connection) -> None:
    """What the killed upgrade left running is ended by undo, and rolled back."""
    server: Postgres = shared()
    migration(folder, "second", "first", up=f'{SECOND["up"]}; op.execute("SELECT pg_sleep(60)")', down=SECOND["down"])
    alembic_step, context = step(folder, python=""), here(on_postgres)
    remembered = alembic_step.remember(context)
    running = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"

    def stop() -> None:
        wait_for(lambda: server.ask(running, "postgres"), "the migration", 60, 0.05)
        context.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(LockRevoked):
        alembic_step.apply(context, remembered)
    stopping.join()
    alembic_step.undo(here(on_postgres), remembered)
    assert not server.ask(running, "postgres")
    assert columns(on_postgres) == ["id"]


def test_a_half_that_sqlite_keeps_calls_a_person(folder: Path, on_sqlite: Connection) -> None:
    """DDL is no part of its transactions: undo sees the half and does not call it good."""
    migration(folder, "second", "first", up=f'{SECOND["up"]}; op.execute("SELECT nonsense")', down=SECOND["down"])
    alembic_step, context = step(folder), here(on_sqlite)
    remembered = alembic_step.remember(context)
    with pytest.raises(StepFailed, match="no such column: nonsense"):
        alembic_step.apply(context, remembered)
    with pytest.raises(StepFailed, match=r"its tables are not as they were \((left|changed): \w+\): a migration died"):
        alembic_step.undo(context, remembered)
    engine = create_engine(on_sqlite.database_url)
    with engine.begin() as opened:
        opened.exec_driver_sql("ALTER TABLE orders DROP COLUMN note")
    engine.dispose()
    alembic_step.undo(context, remembered)


def test_what_somebody_else_migrated_is_not_taken_back(folder: Path, on_sqlite: Connection) -> None:
    """A later revision that is not ours stops the undo."""
    alembic_step, context = step(folder), here(on_sqlite)
    remembered = alembic_step.remember(context)
    alembic_step.apply(context, remembered)
    migration(folder, "third", "second", up="pass", down="pass")
    alembic(folder, on_sqlite, "upgrade", "third")
    with pytest.raises(StepFailed) as failed:
        alembic_step.undo(context, remembered)
    assert str(failed.value) == (
        "orders is at third, where this change did not bring it; it would go back to first. Downgrade by hand."
    )


def test_undo_runs_the_files_that_were_applied(folder: Path, on_sqlite: Connection) -> None:
    """Whatever happens to the branch afterwards."""
    git(folder.parent, "init", "-q", "-b", "main", folder.name)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "migrations")
    config = Connection("config", "git", host=str(folder))
    alembic_step = step(folder, migrations={"repository": "config", "at": "main", "folder": "."})
    context = here(on_sqlite, config)
    remembered = alembic_step.remember(context)
    alembic_step.apply(context, remembered)
    migration(folder, "second", "first", up="pass", down="raise NotImplementedError")
    git(folder, "commit", "-qam", "worse")
    alembic_step.undo(context, remembered)
    assert columns(on_sqlite) == ["id"]
    with pytest.raises(StepFailed, match=r"has no branch, tag or commit v9\. Bring it back there\."):
        step(folder, migrations={"repository": "config", "at": "v9", "folder": "."}).missing_prerequisites(context)
    with pytest.raises(StepFailed, match=r"There is no folder \.\./ at main of config\."):
        step(folder, migrations={"repository": "config", "at": "main", "folder": "../"}).missing_prerequisites(context)


@pytest.mark.parametrize("where", [{"folder": "db"}, {"folder": "db", "repository": "config"}, {"folder": ""}])
def test_where_the_migrations_are_is_said_wholly(where: dict[str, str]) -> None:
    """A path on the worker is whole; a repository has a branch or tag."""
    with pytest.raises(ValidationError):
        step(Path("/"), migrations=where)


HALF = """
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY by_note ON orders (note)")
        op.execute("SELECT nonsense")"""


def test_a_half_that_was_committed_in_postgresql_calls_a_person(folder: Path, on_postgres: Connection) -> None:
    """A migration that leaves its transaction may die half-way like elsewhere; undo does not call that good."""
    migration(folder, "second", "first", up=SECOND["up"] + HALF, down=SECOND["down"])
    alembic_step, context = step(folder), here(on_postgres)
    assert alembic_step.missing_prerequisites(context) == []
    remembered = alembic_step.remember(context)
    with pytest.raises(StepFailed, match="nonsense"):
        alembic_step.apply(context, remembered)
    with pytest.raises(StepFailed, match=r"its tables are not as they were \((left|changed): \w+\): a migration died"):
        alembic_step.undo(context, remembered)
    shared().ask("ALTER TABLE orders DROP COLUMN note", on_postgres.schema)
    alembic_step.undo(context, remembered)


def test_a_downgrade_that_leaves_a_type_behind_calls_a_person(folder: Path, on_postgres: Connection) -> None:
    """Alembic drops the table and not the type that came with it; the next upgrade would fail."""
    column = 'sa.Column("mood", sa.Enum("good", name="mood"))'
    migration(folder, "second", "first", up=f'op.create_table("more", {column})', down='op.drop_table("more")')
    alembic_step, context = step(folder), here(on_postgres)
    remembered = alembic_step.remember(context)
    alembic_step.apply(context, remembered)
    message = r"orders is at first as before, but its schema is not as it was \(left: type mood\)\. Bring that back by"
    for _ in range(2):
        with pytest.raises(StepFailed, match=message):
            alembic_step.undo(context, remembered)
    shared().ask("DROP TYPE mood", on_postgres.schema)
    alembic_step.undo(context, remembered)
    older = {key: kept for key, kept in remembered.items() if key != "objects"}
    shared().ask("CREATE TYPE mood AS ENUM ('good')", on_postgres.schema)
    alembic_step.undo(context, older)


def test_the_half_of_a_later_migration_calls_a_person_too(folder: Path, on_postgres: Connection) -> None:
    """What came before it is taken back; that this is not all is said."""
    env = folder / "migrations" / "env.py"
    env.write_text(ENV.replace("connection=connection", "connection=connection, transaction_per_migration=True"))
    third = 'op.create_table("more", sa.Column("note", sa.Integer))' + HALF.replace("orders", "more")
    migration(folder, "third", "second", up=third, down='op.drop_table("more")')
    alembic_step, context = step(folder), here(on_postgres)
    remembered = alembic_step.remember(context)
    with pytest.raises(StepFailed, match="nonsense"):
        alembic_step.apply(context, remembered)
    for _ in range(2):
        with pytest.raises(StepFailed, match="orders is at first as before, but its tables are not as they were"):
            alembic_step.undo(context, remembered)
        assert columns(on_postgres) == ["id"]
    shared().ask("DROP TABLE more", on_postgres.schema)
    alembic_step.undo(context, remembered)


def test_undo_may_run_twice_whatever_the_table_of_versions_is_called(folder: Path, tmp_path: Path) -> None:
    """A table of versions that a first migration made is no half of it."""
    env = folder / "migrations" / "env.py"
    env.write_text(ENV.replace("connection=connection", 'connection=connection, version_table="versions"'))
    known = Connection("orders", "sqlite", str(tmp_path / "orders.db"))
    Path(known.host).touch()
    alembic_step, context = step(folder), here(known)
    remembered = alembic_step.remember(context)
    alembic_step.apply(context, remembered)
    for _ in range(2):
        alembic_step.undo(context, remembered)


def test_why_a_statement_failed_is_said_and_not_how_it_ends(folder: Path, on_postgres: Connection) -> None:
    """The reason is the first line of the error, however many lines the statement has."""
    migration(folder, "second", "first", up='op.execute("UPDATE nowhere\\nSET id = 1\\n")', down=SECOND["down"])
    alembic_step, context = step(folder), here(on_postgres)
    with pytest.raises(StepFailed, match=r'alembic upgrade second of orders failed: .*relation "nowhere" does not exi'):
        alembic_step.apply(context, alembic_step.remember(context))


def test_no_form_of_the_password_is_told(folder: Path, on_postgres: Connection) -> None:
    """An env.py that prints the address, or that forgets to double its percent signs, does not give it away."""
    known, logged = replace(on_postgres, password="s3cret%of@the:database/"), list[str]()
    env = folder / "migrations" / "env.py"
    env.write_text(f"import os\nprint('at', os.environ['DATABASE_URL'])\n{ENV}")
    shared().ask("CREATE ROLE clerk LOGIN IN ROLE robot PASSWORD 's3cret%of@the:database/'", "postgres")
    alembic_step, context = step(folder), here(replace(known, login="clerk"), logged=logged.append)
    alembic_step.apply(context, alembic_step.remember(context))
    option = "from alembic import context\ncontext.config.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])"
    env.write_text(f"import os\n{option}\n{ENV}")
    with pytest.raises(StepFailed, match="invalid interpolation syntax in 'postgresql") as failed:
        alembic_step.missing_prerequisites(context)
    output = "\n".join([*logged, str(failed.value)])
    assert "at postgresql+psycopg2://clerk:***@127.0.0.1" in output
    assert "s3cret" not in output


def test_what_env_prints_does_not_hide_where_the_database_is(folder: Path, on_sqlite: Connection) -> None:
    """Half a line before the report is no part of it."""
    (folder / "migrations" / "env.py").write_text(f"{ENV}\nprint('half a line', end='')\n")
    assert step(folder).missing_prerequisites(here(on_sqlite)) == []


def test_migrations_that_do_not_belong_together_are_named(folder: Path, on_sqlite: Connection) -> None:
    """A revision of the database that no file has, and a file that comes after one that is not there."""
    engine = create_engine(on_sqlite.database_url)
    with engine.begin() as opened:
        opened.exec_driver_sql("UPDATE alembic_version SET version_num = 'elsewhere'")
    engine.dispose()
    message = f"orders is at elsewhere, which the migrations in {folder} do not have"
    wanted = [f"{message}. Name the commit that has it, or find out who migrated there."]
    assert step(folder).missing_prerequisites(here(on_sqlite)) == wanted
    migration(folder, "third", "gone", up="pass", down="pass")
    with pytest.raises(StepFailed, match="a migration comes after revision 'gone', which is not among them; bring its"):
        step(folder).missing_prerequisites(here(on_sqlite))
