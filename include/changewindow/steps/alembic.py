"""Upgrades a database to an Alembic revision; undo downgrades it to the revision it had before.

The migrations lie in a git repository (an Airflow Connection of type Git) or on the worker: the folder that holds
alembic.ini, pyproject.toml (with `[tool.alembic]`) or both. The database comes from an Airflow Connection of any SQL
type. Alembic runs as a program of its own, and finds the database's SQLAlchemy address, password included, in the
environment variable named by `variable`. So env.py must take it from there, online and offline:
`config.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%"))`. An env.py that connects to
another database is refused.

The gate refuses what could not be undone: a migration without downgrade (empty, or one that raises), a downgrade that
Alembic cannot write as SQL (`downgrade … --sql`), several heads, and merges or dependencies on the way. Undo runs the
same commit's downgrades, first ends what a killed upgrade left running in PostgreSQL, and refuses when somebody else
has migrated further. On PostgreSQL a migration happens wholly or not at all, unless it commits on its way
(`autocommit_block`). At its end undo compares tables, columns and indexes (on PostgreSQL also
defaults, constraints, types, views, functions and triggers) with the remembered ones, names those that
differ and calls a person: a migration that died half-way, or a downgrade that is not whole, has left them. On
PostgreSQL no migration waits longer than `lock_timeout` for a lock (drivers that use libpq: psycopg).
"""

import json
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName, Duration
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context, Ran
from changewindow.systems.databases import alembic_report
from changewindow.systems.databases.differences import why_not_as_before
from changewindow.systems.databases.lock_holders import lock_holders
from changewindow.systems.databases.transactions import end_session, meaning
from changewindow.systems.git.clone import last_line
from changewindow.systems.git.files import Files
from changewindow.systems.process.supervised import ProgramOptions

EXAMPLE = {
    "name": "Add the column that the release needs",
    "kind": "alembic",
    "connection": "example_orders",
    "migrations": {"repository": "example_config", "at": "v2.15.0", "folder": "db"},
    "revision": "head",
}
CONFIGURATIONS = ("alembic.ini", "pyproject.toml")
REPORT = str(Path(alembic_report.__path__[0]))
Report = dict[str, Any]


class Step(StepBase):
    """A revision to which a database is upgraded."""

    kind: Literal["alembic"] = "alembic"
    why_not_before_approval: ClassVar[str] = "it would run the env.py and the migrations of its repository"
    connection: ConnectionName
    """The Airflow Connection of the database."""
    migrations: Files
    """Where its configuration is: `{repository: …, at: v2.15.0, folder: db}`, or `{folder: /srv/db}` on the worker."""
    revision: str = Field(default="head", pattern="^[A-Za-z0-9_]+$")
    """The revision to upgrade to."""
    variable: str = Field(default="DATABASE_URL", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable in which env.py finds the database's address."""
    python: str = ""
    """The interpreter that has Alembic, the driver, and what env.py imports; without it, the one that runs this."""
    lock_timeout: Duration = timedelta(seconds=5)
    """How long a migration may wait for a lock (PostgreSQL)."""

    def does(self) -> str:
        """Describe the upgrade."""
        return f"alembic upgrade {self.revision} of {self.connection} ({self.migrations.description()})"

    def undoes(self) -> str:
        """Describe the downgrade."""
        return f"alembic downgrade of {self.connection} to the revision before"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what prevents the upgrade or the downgrade."""
        with self.migrations.opened(context) as folder:
            report, ran = self._look(context, folder.path, self.revision, "downgrade", "--sql")
            missing = self._missing(report)
            if missing or not ran.code:
                return missing
            way = f"{report['target']} to {_revision(report)}"
            problem = f"The downgrade from {way} cannot be written as SQL: {self._why(context, ran)}"
            return [f"{problem} Correct the downgrades."]

    def remember(self, context: Context) -> Memory:
        """Return the revision and shape of the database, the way to the target, and the commit it comes from."""
        with self.migrations.opened(context) as folder:
            report = self._report(context, folder.path, self.revision)
            for missing in self._missing(report):
                raise StepFailed(missing)
            kept = {key: report[key] for key in ("target", "way", "shape", "tables", "objects")}
            return {**kept, "before": _revision(report), "commit": folder.commit, "token": uuid.uuid4().hex[:8]}

    def restored(self, remembered: Memory) -> str:
        """Return the previous revision."""
        before = remembered["before"]
        return before if before == "base" else f"revision {before}"

    def apply(self, context: Context, remembered: Memory) -> None:
        """Upgrade, and check that the database has reached the revision."""
        self._migrate(context, remembered, "upgrade", remembered["target"])

    def undo(self, context: Context, remembered: Memory) -> None:
        """Downgrade to the revision before, if the database is beyond it."""
        connection = context.connection(self.connection)
        context.act(
            f"end what is left of the upgrade in {self.connection}",
            lambda: end_session(connection, _session(context, remembered)),
        )
        with self.migrations.opened(context, remembered["commit"]) as folder:
            report = self._report(context, folder.path, remembered["target"])
        at, before = _revision(report), remembered["before"]
        if at == before:
            self._require_shape(report, remembered)
            context.log(f"nothing to undo: {self.connection} is at {before}, as before")
            return
        if at not in remembered["way"]:
            problem = f"{self.connection} is at {at}, where this change did not bring it; it would go back to {before}"
            raise StepFailed(f"{problem}. Downgrade by hand.")
        report = self._migrate(context, remembered, "downgrade", before)
        if not context.dry_run:
            self._require_shape(report, remembered)

    def _require_shape(self, report: Report, remembered: Memory) -> None:
        """Make sure that neither a migration that died half-way nor a downgrade that is not whole has left anything."""
        if why := why_not_as_before(remembered, report):
            raise StepFailed(f"{self.connection} is at {remembered['before']} as before, but {why}.")

    def _migrate(self, context: Context, remembered: Memory, how: str, revision: str) -> Report:
        with self.migrations.opened(context, remembered["commit"]) as folder:
            options = self._options(context, folder.path, session=_session(context, remembered))
            options |= {"quiet": False, "shown_as": f"{self._interpreter} -m alembic {how} {revision}"}
            ran, text = self._run(context, remembered["target"], how, revision, options=options)
            if context.dry_run:
                report = self._report(context, folder.path, remembered["target"])
            elif text is None:
                raise StepFailed(f"alembic {how} {revision} of {self.connection} failed: {self._why(context, ran)}")
            else:
                report = self._read(context, ran, text)
        context.log(f"{self.connection} is at {_revision(report)}")
        if _revision(report) != revision and not context.dry_run:
            problem = f"alembic {how} {revision} left {self.connection} at {_revision(report)}"
            raise StepFailed(f"{problem}. Look at its output above.")
        return report

    def _report(self, context: Context, folder: Path, revision: str) -> Report:
        """Return where the database stands among the migrations."""
        return self._look(context, folder, revision)[0]

    def _look(self, context: Context, folder: Path, revision: str, *command: str) -> tuple[Report, Ran]:
        """Return where the database stands among the migrations, and how a command that only reads has ended."""
        if not any((folder / name).is_file() for name in CONFIGURATIONS):
            problem = f"There is no alembic.ini in {self.migrations.description()}, nor a pyproject.toml"
            raise StepFailed(f"{problem}. Correct the folder.")
        ran, text = self._run(context, revision, *command, options=self._options(context, folder), acts=False)
        return self._read(context, ran, text), ran

    def _run(
        self, context: Context, revision: str, *command: str, options: ProgramOptions, acts: bool = True
    ) -> tuple[Ran, str | None]:
        """Run `alembic_report`; return how it ended, and the report: None if Alembic failed before."""
        with context.temporary_folder() as lent:
            file = lent / "report.json"
            asked = [self._interpreter, REPORT, self.variable, revision, str(file), *command]
            ran = context.run(asked, acts=acts, **options)
            return ran, file.read_text(encoding="utf-8") if file.exists() else None

    def _read(self, context: Context, ran: Ran, text: str | None) -> Report:
        if not text:
            where = self.migrations.description()
            raise StepFailed(f"The migrations in {where} cannot be read: {self._why(context, ran)}")
        report: Report = json.loads(text)
        return report

    def _missing(self, report: Report) -> list[str]:
        """Return what prevents the upgrade or the downgrade, according to the report."""
        where, at = self.migrations.description(), ", ".join(report["current"]) or "base"
        if report["elsewhere"]:
            problem = f"env.py in {where} connects to {report['elsewhere']}, not to connection {self.connection}"
            return [f"{problem}. Let it take the address from the environment variable {self.variable}."]
        if report["unknown"]:
            problem = f"{self.connection} is at {at}, which the migrations in {where} do not have"
            return [f"{problem}. Name the commit that has it, or find out who migrated there."]
        if report["twice"]:
            problem = f"The migrations in {where} have several files of revision {', '.join(report['twice'])}"
            return [f"{problem}, and only one of them would run. Keep the right one."]
        if len(report["current"]) > 1:
            return [f"{self.connection} stands at several revisions: {at}. Merge them in a change of their own."]
        if not report["target"]:
            return [f"The migrations in {where} have several heads or none: {', '.join(report['heads'])}. Merge them."]
        if not report["way"]:
            return [f"There is nothing to upgrade: {self.connection} is at {at}, and {report['target']} is not later."]
        missing = [
            f"Revision {revision} joins branches, so the downgrade has several ends. First upgrade to the one before."
            for revision in report["branched"]
        ]
        return missing + [
            f"Revision {revision} has no downgrade. Write it." for revision in report["without_downgrade"]
        ]

    @property
    def _interpreter(self) -> str:
        return self.python or sys.executable

    def _options(self, context: Context, folder: Path, *, session: str = "changewindow") -> ProgramOptions:
        """Return how Alembic runs: in its folder, with the address where neither arguments nor logs show it."""
        connection = context.connection(self.connection)
        environment = {
            self.variable: connection.database_url,
            "PGAPPNAME": session,
            "PGOPTIONS": f"-c lock_timeout={round(self.lock_timeout.total_seconds() * 1000)}",
            "PGCONNECT_TIMEOUT": "5",
        }
        return {"folder": folder, "environment": environment, "quiet": True, "hide": connection.hidden}

    def _why(self, context: Context, ran: Ran) -> str:
        """Return why Alembic failed, with what it means."""
        connection = context.connection(self.connection)
        reason = f"{connection.hidden(_error(ran).rstrip('.'))}. {meaning(ran.output)}".rstrip()
        return reason + lock_holders(connection, ran.output)


def _revision(report: Report) -> str:
    return ", ".join(report["current"]) or "base"


def _session(context: Context, remembered: Memory) -> str:
    return f"changewindow {context.mark} {remembered['token']}"


def _error(ran: Ran) -> str:
    """Return the first line of the error with which a Python program ended, or else its last line."""
    lines = ran.output.splitlines()
    traces = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    after = lines[traces[-1] + 1 :] if traces else []
    return next((line.strip() for line in after if line and not line[0].isspace()), last_line(ran))
