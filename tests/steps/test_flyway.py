"""The step flyway, with Flyway itself on a real PostgreSQL; Flyway's own undo with a stand-in for its edition."""

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.errors import LockRevoked, StepFailed
from changewindow.steps.flyway import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.databases.flyway import callbacks
from servers.flyway_program import flyway
from servers.postgres import Postgres, shared
from step_fixtures.flyway import at_first, project, state

UNDO: Any = EXAMPLE["undo"]
WITH_UNDO = """#!{python}
import json, os, subprocess, sys
from urllib.parse import urlsplit
import psycopg2

arguments = sys.argv[1:]
if arguments[0] != "undo":
    code = subprocess.call(["{flyway}", *arguments])
    for file in [one.partition("=")[2] for one in arguments if one.startswith("-outputFile=")]:
        told = json.load(open(file))
        for result in told.get("individualResults", [told]):
            for one in result.get("migrations", []):
                one["undoFilepath"] = "U.sql"
        json.dump(told, open(file, "w"))
    sys.exit(code)
url = urlsplit(os.environ["FLYWAY_URL"].removeprefix("jdbc:"))
given = dict(user=os.environ["FLYWAY_USER"], password=os.environ["FLYWAY_PASSWORD"], dbname=url.path[1:])
with psycopg2.connect(host=url.hostname, port=url.port, **given) as opened, opened.cursor() as cursor:
    assert arguments[:2] == ["undo", "-target=2"], arguments
    open(arguments[-1].partition("=")[2], "w").write("{{}}")
    cursor.execute("ALTER TABLE orders DROP COLUMN note; DROP INDEX orders_by_day")
    row = "INSERT INTO flyway_schema_history SELECT {{}}, version, 'u', 'UNDO_SQL', 'U.sql', 0, 'x', now(), 1, true"
    for rank, undone in (("4", "2.1"), ("5", "2")):
        cursor.execute(row.format(rank) + " FROM flyway_schema_history WHERE version = %s", (undone,))
"""


@pytest.fixture
def server() -> Postgres:
    """Return a PostgreSQL, on a machine with Flyway."""
    flyway()
    return shared()


@pytest.fixture
def orders(server: Postgres) -> Connection:
    """Return a database at the first migration."""
    return at_first(server)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four migrations."""
    return project(tmp_path / "sql")


def step(folder: Path, **fields: Any) -> Step:
    """Return the step of the example, with the migrations on the worker."""
    given = {key: value for key, value in EXAMPLE.items() if key != "kind"}
    mine = {"migrations": {"folder": str(folder)}, "program": flyway(), "lock_timeout": "500ms"}
    return Step.model_validate({**given, **mine, **fields})


def here(connection: Connection, logged: Callable[[str], Any] = print) -> Context:
    """Return what a step may use."""
    return Context("CHG-1042", 1, lambda _: connection, logged)


def test_each_migration_needs_its_way_back(folder: Path, orders: Connection) -> None:
    """What will run without undo, undo for what will not run, and nothing to run: each is said."""
    context = here(orders)
    assert step(folder).missing_prerequisites(context) == []
    with_typing_mistake = {"2": UNDO["2"], "2.2": UNDO["2.1"]}
    assert step(folder, undo=with_typing_mistake).missing_prerequisites(context) == [
        "2.1 will run and has no undo statements. Write them.",
        "2.2 has undo statements, and will not run. Correct the version.",
    ]
    with pytest.raises(StepFailed, match=r"2\.1 will run and has no undo statements"):
        step(folder, undo=with_typing_mistake).remember(context)
    nothing = "There is nothing to migrate: example_orders has every version up to 1."
    assert step(folder, target="1", undo={}).missing_prerequisites(context) == [nothing]
    message = "Write its undo script; where this edition of Flyway has no undo, write undo statements by version."
    wanted = [f"Flyway sees no undo script for {version}. {message}" for version in ("2", "2.1")]
    assert step(folder, undo="flyway").missing_prerequisites(context) == wanted


def test_what_flyway_would_refuse_is_known_at_the_gate(folder: Path, orders: Connection) -> None:
    """A file that was altered after it ran, no Flyway, nobody there, no password in what is said."""
    (folder / "V1__orders.sql").write_text("CREATE TABLE orders (id bigint);")
    logged: list[str] = []
    assert "checksum mismatch" in " ".join(step(folder).missing_prerequisites(here(orders))).lower()
    with pytest.raises(StepFailed, match=r"The program /nowhere/flyway cannot be run on the worker\. Install Flyway"):
        step(folder, program="/nowhere/flyway").missing_prerequisites(here(orders))
    with pytest.raises(StepFailed, match="The database does not answer") as failed:
        step(folder).missing_prerequisites(here(replace(orders, port=1), logged.append))
    assert "s3cret" not in str(failed.value) + "".join(logged)
    with pytest.raises(StepFailed, match="Write it into the step as jdbc_url, without login and password"):
        step(folder).missing_prerequisites(here(replace(orders, kind="mysql", url_of_hook=lambda: orders.database_url)))


def test_a_database_of_any_name_and_its_settings(server: Postgres, folder: Path, orders: Connection) -> None:
    """What stands in an address does not break it, and settings of the connection count for Flyway too."""
    server.ask(f'ALTER DATABASE "{orders.schema}" RENAME TO "my orders+1%"', "postgres")
    known = replace(orders, schema="my orders+1%", extra={"options": "-c search_path=public"})
    migration = step(folder)
    remembered = migration.remember(here(known))
    migration.apply(here(known), remembered)
    migration.undo(here(known), remembered)


def test_only_what_was_migrated_is_undone(server: Postgres, folder: Path, orders: Connection) -> None:
    """The second of two migrations fails: undo takes back the first, and it runs again next time."""
    migration, before = step(folder), state(server, orders.schema)
    note = (folder / "V2.1__note.sql").read_text()
    (folder / "V2.1__note.sql").write_text("ALTER TABLE nowhere ADD COLUMN note text;")
    remembered = migration.remember(here(orders))
    with pytest.raises(StepFailed, match=r'flyway migrate -target=2\.1 failed: Failed .*relation "nowhere"'):
        migration.apply(here(orders), remembered)
    assert state(server, orders.schema) != before
    migration.undo(here(orders), remembered)
    assert state(server, orders.schema) == before
    (folder / "V2.1__note.sql").write_text(note)
    migration.apply(here(orders), migration.remember(here(orders)))


def test_a_lock_of_somebody_else_is_not_waited_for_long(server: Postgres, folder: Path, orders: Connection) -> None:
    """Flyway gives up, and what it did before is undone."""
    migration, before = step(folder), state(server, orders.schema)
    remembered = migration.remember(here(orders))
    with psycopg2.connect(server.url(orders.schema).replace("+psycopg2", "")) as opened, opened.cursor() as cursor:
        cursor.execute("LOCK TABLE orders")
        with pytest.raises(
            StepFailed, match=r"Somebody else holds a lock, and .* Locks are held there now by: \d+ postg"
        ):
            migration.apply(here(orders), remembered)
    opened.close()
    migration.undo(here(orders), remembered)
    assert state(server, orders.schema) == before


def test_killed_half_way_it_is_ended_and_undone(server: Postgres, folder: Path, orders: Connection) -> None:
    """What the killed Flyway left running in the database is ended there by undo."""
    (folder / "V2.1__note.sql").write_text("ALTER TABLE orders ADD COLUMN note text; SELECT pg_sleep(60);")
    migration, before, context = step(folder), state(server, orders.schema), here(orders)
    remembered = migration.remember(context)
    running = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()"

    def stop() -> None:
        wait_for(lambda: server.ask(running, "postgres"), "the migration", 60, 0.05)
        context.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(LockRevoked):
        migration.apply(context, remembered)
    stopping.join()
    migration.undo(here(orders), remembered)
    assert not server.ask(running, "postgres")
    assert state(server, orders.schema) == before


def test_what_somebody_else_migrated_is_not_taken_back(server: Postgres, folder: Path, orders: Connection) -> None:
    """A later version that is not ours stops the undo, before anything is done."""
    migration = step(folder)
    remembered = migration.remember(here(orders))
    migration.apply(here(orders), remembered)
    row = "SELECT 9, '3', 'later', 'SQL', 'V3__later.sql', 0, 'x', now(), 1, true"
    server.ask(f"INSERT INTO flyway_schema_history {row}", orders.schema)
    after = state(server, orders.schema)
    with pytest.raises(
        StepFailed, match=r"has V3__later\.sql, which this change did not bring\. Undo by hand: first th"
    ):
        migration.undo(here(orders), remembered)
    assert state(server, orders.schema) == after


def test_a_failing_undo_undoes_nothing(server: Postgres, folder: Path, orders: Connection) -> None:
    """Statements and history go together: after a failure both are as they were after apply."""
    migration = step(folder, undo={"2": ["DROP INDEX nowhere"], "2.1": UNDO["2.1"]})
    remembered = migration.remember(here(orders))
    migration.apply(here(orders), remembered)
    after = state(server, orders.schema)
    with pytest.raises(StepFailed, match='index "nowhere" does not exist'):
        migration.undo(here(orders), remembered)
    assert state(server, orders.schema) == after


def test_the_first_migration_ever_and_a_repeatable_one(server: Postgres, tmp_path: Path) -> None:
    """Without a history there is none to bring back but an empty one; a repeatable migration goes by its file."""
    orders = server.fresh()
    server.ask("ALTER SCHEMA public OWNER TO robot", orders.schema)
    files = {"V1__orders.sql": "CREATE TABLE orders (id int);", "R__view.sql": "CREATE VIEW seen AS SELECT 1 AS one;"}
    undo = {"1": ["DROP TABLE orders"], "R__view.sql": ["DROP VIEW seen"]}
    migration = step(project(tmp_path / "sql", files), target="latest", undo=undo)
    remembered = migration.remember(here(orders))
    migration.undo(here(orders), remembered)
    migration.apply(here(orders), remembered)
    migration.undo(here(orders), remembered)
    assert server.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", orders.schema) == [
        ("flyway_schema_history",)
    ]
    assert server.ask("SELECT count(*) FROM flyway_schema_history", orders.schema) == [(0,)]


def test_flyways_own_undo_is_asked_down_to_the_first_of_ours(
    server: Postgres, folder: Path, orders: Connection, tmp_path: Path
) -> None:
    """A stand-in: Flyway, and an undo that writes rows as the editions with undo do."""
    program = tmp_path / "flyway"
    program.write_text(WITH_UNDO.format(python=sys.executable, flyway=flyway()))
    program.chmod(0o755)
    migration = step(folder, undo="flyway", program=str(program))
    assert migration.missing_prerequisites(here(orders)) == []
    remembered = migration.remember(here(orders))
    before = state(server, orders.schema)[1:]
    migration.apply(here(orders), remembered)
    for _ in range(2):
        migration.undo(here(orders), remembered)
        assert state(server, orders.schema)[1:] == before


def test_a_history_elsewhere_is_refused(server: Postgres, folder: Path, orders: Connection) -> None:
    """Where the files name another schema than the step, what was migrated could not be found again."""
    server.ask("CREATE SCHEMA sales AUTHORIZATION robot", orders.schema)
    (folder / "flyway.conf").write_text(f"flyway.defaultSchema=sales\nflyway.locations=filesystem:{folder}\n")
    message = "Flyway has the versions none in its history, and flyway_schema_history at example_orders has 1"
    wanted = f"{message}. Write the table that Flyway uses into the step as history, with its schema."
    assert step(folder).missing_prerequisites(here(orders)) == [wanted]
    with pytest.raises(StepFailed, match="Flyway has the versions none in its history"):
        step(folder).remember(here(orders))
    undo = {"1": ["DROP TABLE sales.orders"], "2": UNDO["2"], "2.1": UNDO["2.1"]}
    assert step(folder, history="sales.flyway_schema_history", undo=undo).missing_prerequisites(here(orders)) == []


def test_a_first_history_elsewhere_is_no_success_of_undo(server: Postgres, folder: Path) -> None:
    """Before the first migration nothing tells where the history will be; afterwards undo asks Flyway too."""
    orders = replace(server.fresh(), name="example_orders")
    server.ask("CREATE SCHEMA sales AUTHORIZATION robot", orders.schema)
    (folder / "flyway.conf").write_text(f"flyway.defaultSchema=sales\nflyway.locations=filesystem:{folder}\n")
    migration = step(folder, undo={"1": ["DROP TABLE orders"], **UNDO})
    remembered = migration.remember(here(orders))
    with pytest.raises(
        StepFailed, match=r"Flyway is done, but flyway_schema_history at example_orders lacks 1, 2, 2\.1"
    ):
        migration.apply(here(orders), remembered)
    message = (
        "Flyway has run 1, 2, 2.1 at example_orders, and flyway_schema_history does not know: its history is elsewh"
    )
    with pytest.raises(StepFailed, match=message):
        migration.undo(here(orders), remembered)


def test_a_half_outside_of_transactions_calls_a_person(server: Postgres, folder: Path, orders: Connection) -> None:
    """What cannot run in a transaction and fails is in no history; undo sees that it has left something."""
    (folder / "V2.1__note.sql").write_text("CREATE UNIQUE INDEX CONCURRENTLY once_a_day ON orders (day);")
    server.ask("INSERT INTO orders VALUES (1, '2031-03-18'), (2, '2031-03-18')", orders.schema)
    migration = step(folder, undo={"2": UNDO["2"], "2.1": ["DROP INDEX once_a_day"]})
    remembered = migration.remember(here(orders))
    with pytest.raises(StepFailed, match='could not create unique index "once_a_day"'):
        migration.apply(here(orders), remembered)
    for _ in range(2):
        with pytest.raises(StepFailed, match=r"its tables are not as they were \(changed: orders\): a migration died"):
            migration.undo(here(orders), remembered)
    server.ask("DROP INDEX once_a_day", orders.schema)
    migration.undo(here(orders), remembered)


def test_an_undo_that_leaves_a_function_behind_calls_a_person(
    server: Postgres, folder: Path, orders: Connection
) -> None:
    """No table shows what a migration or its callback has made besides."""
    function = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    (folder / "V2.1__note.sql").write_text(function)
    migration = step(folder, undo={"2": UNDO["2"], "2.1": ["SELECT 1"]})
    remembered = migration.remember(here(orders))
    migration.apply(here(orders), remembered)
    for _ in range(2):
        with pytest.raises(StepFailed, match=r"its schema is not as it was \(left: function f\(\)\)\. Bring that back"):
            migration.undo(here(orders), remembered)
    server.ask("DROP FUNCTION f()", orders.schema)
    migration.undo(here(orders), remembered)


def test_a_failed_migration_of_before_is_said(server: Postgres, folder: Path, orders: Connection) -> None:
    """It is neither there nor to be run, until somebody repairs the history."""
    row = "SELECT 2, '2', 'index', 'SQL', 'V2__index.sql', 0, 'x', now(), 1, false"
    server.ask(f"INSERT INTO flyway_schema_history {row}", orders.schema)
    (says,) = step(folder, target="2", undo={"2": UNDO["2"]}).missing_prerequisites(here(orders))
    assert says.startswith("flyway validate refuses: Detected failed migration to version 2 (index). Please remove any")


def test_callbacks_are_known_by_their_names(tmp_path: Path) -> None:
    """As Flyway knows them; migrations and other statements are none."""
    (tmp_path / "orders").mkdir()
    named = ("afterMigrate.sql", "beforeEachMigrate__locks.sql", "createSchema.sql")
    for name in (*named, "V2__beforeMigrate.sql", "R__after.sql", "after.sql", "before_all.sql"):
        (tmp_path / "orders" / name).touch()
    assert callbacks(tmp_path) == [f"orders/{name}" for name in named]


def test_what_a_callback_has_made_is_named_after_undo(server: Postgres, folder: Path, orders: Connection) -> None:
    """No history has it, and no undo statement; a table that an earlier callback made is no change."""
    (folder / "afterMigrate.sql").write_text("CREATE TABLE IF NOT EXISTS made_by_callback (id int);")
    migrate, logged = step(folder), list[str]()
    assert migrate.missing_prerequisites(here(orders, logged.append)) == []
    assert "afterMigrate.sql runs with the migrations; rows that it changes stay so, also after undo" in logged
    remembered = migrate.remember(here(orders))
    migrate.apply(here(orders), remembered)
    for _ in range(2):
        with pytest.raises(StepFailed, match=r"\(left: made_by_callback\): .* or a callback left that behind"):
            migrate.undo(here(orders), remembered)
    again = migrate.remember(here(orders))
    migrate.apply(here(orders), again)
    migrate.undo(here(orders), again)
