"""Runs Flyway on the database behind an Airflow Connection."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from changewindow.errors import StepFailed
from changewindow.systems.connection import ENCRYPTION, OPTIONS, Connection
from changewindow.systems.context import Context, Ran
from changewindow.systems.databases.transactions import meaning
from changewindow.systems.git.clone import last_line

CONFIGURATIONS = ("flyway.toml", "flyway.conf", "conf/flyway.toml", "conf/flyway.conf")
CALLBACK = re.compile(r"(before|after)[A-Z]\w*\.sql$|createSchema(__\w*)?\.sql$")
WILL_RUN = {"Pending", "Outdated"}
NO_PROGRAM = 127
"""The exit code where a program cannot be started."""


@dataclass(frozen=True)
class Flyway:
    """Flyway in the folder of its migrations, on one database; the password appears in neither arguments nor logs."""

    context: Context
    program: str
    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> None:
        """Run a command that acts; a dry run only logs it.

        Raises:
            StepFailed: it ended with an error.
        """
        report = self._report(arguments, acts=True)
        for migration in report.get("migrations", []) + report.get("undoneMigrations", []):
            name = key(migration.get("version"), migration.get("filepath", ""))
            self.context.log(f"flyway {arguments[0]}: {name} {migration.get('description', '')}")

    def ask(self, *arguments: str) -> dict[str, Any]:
        """Return the report of a command that only reads.

        Raises:
            StepFailed: it ended with an error.
        """
        return self._report(arguments, acts=False)

    def known(self, target: str) -> list[dict[str, Any]]:
        """Return the migrations that Flyway knows, from files or its history, in their order.

        Raises:
            StepFailed: Flyway ended with an error.
        """
        return list(self.ask("info", f"-target={target}")["migrations"])

    def known_and_valid(self, target: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the migrations that Flyway knows, and its judgement of the files that ran; one start tells both.

        Raises:
            StepFailed: Flyway ended with an error.
        """
        ignored = "-ignoreMigrationPatterns=*:pending,*:future"
        told = self.ask("info", "validate", f"-target={target}", ignored)["individualResults"]
        info, valid = (next(of for of in told if of["operation"] == name) for name in ("info", "validate"))
        return list(info["migrations"]), valid

    def _report(self, arguments: Sequence[str], *, acts: bool) -> dict[str, Any]:
        """Return the JSON report that a command writes to a file; its exit code may be 0 even after an error."""
        with self.context.temporary_folder() as folder:
            file = folder / "report.json"
            command = [self.program, *arguments, "-outputType=json", f"-outputFile={file}"]
            ran = self.context.run(command, acts=acts, folder=self.folder, environment=self.environment, quiet=True)
            if acts and self.context.dry_run:
                return {}
            if ran.code == NO_PROGRAM:
                raise StepFailed(f"The program {self.program} cannot be run on the worker. Install Flyway there.")
            try:
                report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                problem = f"flyway {arguments[0]} wrote no JSON: {last_line(ran)}"
                raise StepFailed(f"{problem} {meaning(ran.output)}".rstrip()) from error
        if "error" in report or ran.code or not report.get("success", True):
            raise StepFailed(f"flyway {' '.join(arguments)} failed: {_why(report, ran)}")
        return report


def environment(connection: Connection, folder: Path, history: str, *, url: str) -> dict[str, str]:
    """Return Flyway's settings as environment variables, which override its configuration files."""
    schema, _, table = history.rpartition(".")
    settings = {
        "FLYWAY_URL": url,
        "FLYWAY_USER": connection.login,
        "FLYWAY_PASSWORD": connection.password,
        "FLYWAY_TABLE": table,
    }
    if schema:
        settings["FLYWAY_DEFAULT_SCHEMA"] = schema
    if not any((folder / name).is_file() for name in CONFIGURATIONS):
        settings["FLYWAY_LOCATIONS"] = f"filesystem:{folder}"
    return settings


def callbacks(folder: Path) -> list[str]:
    """Return the SQL files below a folder that Flyway runs before or after something, whatever migrates."""
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.sql") if CALLBACK.match(file.name))


def will_run(known: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those migrations that `migrate` will run."""
    return [migration for migration in known if migration["state"] in WILL_RUN]


def has_run(known: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those migrations that are in Flyway's history."""
    return [migration for migration in known if migration.get("installedOnUTC")]


def key(version: str | None, script: str) -> str:
    """Return the name of a migration in a ticket: its version, or the file of a repeatable one."""
    return version or Path(script).name


def _why(report: Mapping[str, Any], ran: Ran) -> str:
    """Return why Flyway failed, with what it means."""
    text = str((report.get("error") or {}).get("message") or "").strip() or last_line(ran)
    lines = text.splitlines()
    message = next((line.partition(":")[2].strip() for line in lines if line.startswith("Message ")), lines[0])
    script = f"{lines[0].rstrip('.')}: " if message != lines[0] else ""
    return f"{script}{message.rstrip('.')}. {meaning(text)}".rstrip()


def jdbc_url(connection: Connection, *, session: str, lock_timeout: timedelta) -> str:
    """Return the JDBC address of a PostgreSQL database, which names the session and limits how long it waits for locks.

    Raises:
        StepFailed: the connection is not of type Postgres.
    """
    if connection.kind not in {"postgres", "postgresql"}:
        problem = f"Change Windows knows no JDBC address for connection {connection.name} of type {connection.kind}"
        raise StepFailed(f"{problem}. Write it into the step as jdbc_url, without login and password.")
    milliseconds = round(lock_timeout.total_seconds() * 1000)
    settings = f"{connection.extra.get(OPTIONS) or ''} -c lock_timeout={milliseconds}".strip()
    options = {"ApplicationName": session, "options": settings, "connectTimeout": "5"}
    options |= {name: str(connection.extra[name]) for name in ENCRYPTION if name in connection.extra}
    port = f":{connection.port}" if connection.port else ""
    query = urlencode(options).replace("+", "%20")
    return f"jdbc:postgresql://{connection.address}{port}/{quote(connection.schema, safe='')}?{query}"
