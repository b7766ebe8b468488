"""Runs Flyway on the database behind an Airflow Connection."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from changewindow.errors import StepFailed
from changewindow.systems.connection import ENCRYPTION, OPTIONS, Connection
from changewindow.systems.context import Context, Ran
from changewindow.systems.databases.transactions import meaning
from changewindow.systems.git.clone import last_line

CONFIGURATIONS = ("flyway.toml", "flyway.conf", "conf/flyway.toml", "conf/flyway.conf")
WILL_RUN = {"Pending", "Outdated"}
OUTSIDE = re.compile(rb"\bconcurrently\b|executeInTransaction", re.IGNORECASE)
NO_PROGRAM = 127
"""The exit code where a program cannot be started."""


@dataclass(frozen=True)
class Flyway:
    """Flyway in the folder of its migrations, on one database; the password is in neither arguments nor logs."""

    context: Context
    program: str
    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> None:
        """Run a command that acts; a dry run only says so.

        Raises:
            StepFailed: it ended with an error.
        """
        told = self._told(self.context.run, arguments)
        for one in told.get("migrations", []) + told.get("undoneMigrations", []):
            name = key(one.get("version"), one.get("filepath", ""))
            self.context.log(f"flyway {arguments[0]}: {name} {one.get('description', '')}")

    def ask(self, *arguments: str) -> dict[str, Any]:
        """Return what a command that only reads tells.

        Raises:
            StepFailed: it ended with an error.
        """
        return self._told(self.context.look, arguments)

    def known(self, target: str) -> list[dict[str, Any]]:
        """Return the migrations that Flyway knows, from files or its history, in that order.

        Raises:
            StepFailed: Flyway does not tell.
        """
        return list(self.ask("info", f"-target={target}")["migrations"])

    def may_leave_half(self, will_run: Iterable[Mapping[str, Any]]) -> bool:
        """Return whether a migration may run outside of transactions in PostgreSQL, by what the files say."""
        scripts = [Path(one["filepath"]) for one in will_run]
        beside = [script.with_name(f"{script.name}.conf") for script in scripts]
        told = [*beside, *(self.folder / name for name in CONFIGURATIONS)]
        files = [*scripts, *(file for file in told if file.is_file())]
        return not all(file.is_file() and not OUTSIDE.search(file.read_bytes()) for file in files)

    def _told(self, how: Callable[..., Ran], arguments: Sequence[str]) -> dict[str, Any]:
        """Return what a command tells as JSON, in a file of its own; its exit code may be 0 after an error."""
        with self.context.workspace() as folder:
            file = folder / "told.json"
            command = [self.program, *arguments, "-outputType=json", f"-outputFile={file}"]
            ran = how(command, folder=self.folder, environment=self.environment, quiet=True)
            if self.context.dry_run and how == self.context.run:
                return {}
            if ran.code == NO_PROGRAM:
                raise StepFailed(f"The program {self.program} cannot be run on this host. Install Flyway there.")
            try:
                told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                says = f"flyway {arguments[0]} did not answer in JSON: {last_line(ran)}"
                raise StepFailed(f"{says} {meaning(ran.output)}".rstrip()) from error
        if "error" in told or ran.code or not told.get("success", True):
            raise StepFailed(f"flyway {' '.join(arguments)} failed: {_why(told, ran)}")
        return told


def environment(connection: Connection, folder: Path, history: str, **options: str) -> dict[str, str]:
    """Return what Flyway takes from its environment, which counts more than its configuration files."""
    schema, _, table = history.rpartition(".")
    given = {
        "FLYWAY_URL": options["url"] or _address(connection, options["session"], options["lock_timeout"]),
        "FLYWAY_USER": connection.login,
        "FLYWAY_PASSWORD": connection.password,
        "FLYWAY_TABLE": table,
    }
    if schema:
        given["FLYWAY_DEFAULT_SCHEMA"] = schema
    if not any((folder / name).is_file() for name in CONFIGURATIONS):
        given["FLYWAY_LOCATIONS"] = f"filesystem:{folder}"
    return given


def will_run(known: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what `migrate` will run of the migrations that Flyway knows."""
    return [one for one in known if one["state"] in WILL_RUN]


def has_run(known: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what stands in Flyway's history of the migrations that it knows."""
    return [one for one in known if one.get("installedOnUTC")]


def key(version: str | None, script: str) -> str:
    """Return by which name a ticket knows a migration: its version, or the file of a repeatable one."""
    return version or Path(script).name


def _why(told: Mapping[str, Any], ran: Ran) -> str:
    """Return the reason why Flyway ended, with what it means."""
    says = str((told.get("error") or {}).get("message") or "").strip() or last_line(ran)
    lines = says.splitlines()
    said = next((line.partition(":")[2].strip() for line in lines if line.startswith("Message ")), lines[0])
    script = f"{lines[0].rstrip('.')}: " if said != lines[0] else ""
    return f"{script}{said.rstrip('.')}. {meaning(says)}".rstrip()


def _address(connection: Connection, session: str, lock_timeout: str) -> str:
    """Return the JDBC address of a PostgreSQL, which names the session and limits its waiting.

    Raises:
        StepFailed: it is none.
    """
    if connection.kind not in {"postgres", "postgresql"}:
        says = f"Change Windows knows no JDBC address for connection {connection.name} of type {connection.kind}"
        raise StepFailed(f"{says}. Write it into the step as jdbc_url, without login and password.")
    settings = f"{connection.extra.get(OPTIONS) or ''} -c lock_timeout={lock_timeout}".strip()
    options = {"ApplicationName": session, "options": settings, "connectTimeout": "5"}
    options |= {name: str(connection.extra[name]) for name in ENCRYPTION if name in connection.extra}
    port = f":{connection.port}" if connection.port else ""
    query = urlencode(options).replace("+", "%20")
    return f"jdbc:postgresql://{connection.address}{port}/{quote(connection.schema, safe='')}?{query}"
