"""Reads and corrects the schema history of Flyway."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from changewindow.systems.databases.flyway import key

if TYPE_CHECKING:
    from sqlalchemy import Connection as DatabaseConnection

NOT_MIGRATED = ("SCHEMA", "BASELINE")
"""Types of rows that say where the history begins; what they tell stays true after an undo."""


@dataclass(frozen=True)
class Migrated:
    """One row: a migration that was applied, or undone by Flyway."""

    rank: int
    version: str | None
    script: str
    type: str

    @property
    def key(self) -> str:
        """Return by which name a ticket knows it."""
        return key(self.version, self.script)


@dataclass(frozen=True)
class History:
    """Flyway's table in an open database; a name may begin with its schema."""

    opened: "DatabaseConnection"
    name: str

    def newest_rank(self) -> int:
        """Return the rank of the newest row; 0 where there is none."""
        return max((row.rank for row in self._since(0)), default=0)

    def versions(self) -> set[str]:
        """Return every version that it names."""
        return {row.version for row in self._since(0) if row.version}

    def applied_since(self, rank: int) -> list[Migrated]:
        """Return what was migrated after a rank and is not undone, newest first."""
        return [row for row in self._standing(rank) if row.type not in NOT_MIGRATED]

    def newest(self) -> str:
        """Return the newest version that is not undone, for people."""
        newest = next((row.version for row in self._standing(0) if row.version), None)
        return f"version {newest}" if newest else "an empty schema history"

    def shape_beside(self) -> dict[str, Any]:
        """Return a digest of all other tables, and of each."""
        from changewindow.systems.databases.schema_digest import shape, shapes  # noqa: PLC0415  they import SQLAlchemy
        from changewindow.systems.databases.schema_objects import catalogued  # noqa: PLC0415  same

        own = self.name.rpartition(".")[2]
        tables = {"shape": shape(self.opened, own), "tables": shapes(self.opened, own)}
        return {**tables, "objects": catalogued(self.opened, own)}

    def lock(self) -> None:
        """Wait until nobody else writes it, and keep it so (PostgreSQL)."""
        if self.opened.dialect.name == "postgresql":
            self.opened.exec_driver_sql(f"LOCK TABLE {self._quoted(self.name)} IN SHARE ROW EXCLUSIVE MODE")

    def forget(self, rank: int) -> None:
        """Remove a row, so that Flyway would run its migration again."""
        where = f"WHERE {self._quoted('installed_rank')} = {rank}"
        self.opened.exec_driver_sql(f"DELETE FROM {self._quoted(self.name)} {where}")  # noqa: S608  numbers and names

    def _standing(self, rank: int) -> list[Migrated]:
        """Return the rows after a rank that no later one undoes, newest first."""
        newest: dict[str, Migrated] = {}
        for row in self._since(rank):
            newest.setdefault(row.key, row)
        return [row for row in newest.values() if not row.type.startswith("UNDO")]

    def _since(self, rank: int) -> list[Migrated]:
        """Return the rows after a rank, newest first; none where there is no table."""
        schema, _, table = self.name.rpartition(".")
        if not self.opened.dialect.has_table(self.opened, table, schema=schema or None):
            return []
        columns = ", ".join(self._quoted(name) for name in ("installed_rank", "version", "script", "type"))
        order = f"{self._quoted('installed_rank')}"
        asked = f"SELECT {columns} FROM {self._quoted(self.name)} WHERE {order} > {rank} ORDER BY {order} DESC"  # noqa: S608
        return [Migrated(*row) for row in self.opened.exec_driver_sql(asked)]

    def _quoted(self, name: str) -> str:
        """Return a name as Flyway writes it: always quoted."""
        quote = self.opened.dialect.identifier_preparer.quote_identifier
        return ".".join(quote(part) for part in name.split("."))
