"""Keeps what cannot be written while the ledger is down, and writes it later in the same order."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

from changewindow.errors import LedgerDown
from changewindow.ledger.changes import close
from changewindow.ledger.closing import Closing
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Entry, Event, record_entry


class Spool:
    """A file of lines beside the ledger; safe for several processes of one host."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self.ledger = ledger
        self.path = path

    def record(self, event: Event) -> bool:
        """Write an event now, or keep it; return whether the ledger has it."""
        entry = event.entry
        line = {"do": "record", **asdict(entry), "at": entry.at.isoformat()}
        return self._do(line, lambda: record_entry(self.ledger, entry))

    def close(self, change: str, **closing: Unpack[Closing]) -> bool:
        """Close a change now, or keep that; return whether the ledger has it. Arguments as for `changes.close`."""
        due = closing.get("review_due")
        kept = {name: value for name, value in closing.items() if name not in {"now", "review_due"}}
        asked = {"review_due": due.isoformat()} if due else {}
        line = {"do": "close", "change": change, **kept, **asked, "at": closing["now"].isoformat()}
        return self._do(line, lambda: close(self.ledger, change, **closing))

    def drain(self) -> int:
        """Write what was kept; return how many lines. After a crash one may be written twice, but none is lost.

        Raises:
            LedgerDown: the rest stays kept.
        """
        if not self.path.exists():
            return 0
        with self._locked():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            written = 0
            try:
                for line in lines:
                    self._replay(line)
                    written += 1
            finally:
                self._replace(lines[written:])
        return written

    def _do(self, line: dict[str, Any], write: Callable[[], object]) -> bool:
        try:
            self.drain()
            write()
        except LedgerDown:
            self._keep(line)
            return False
        return True

    def _keep(self, line: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes of this host out of the spool."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, lines: list[str]) -> None:
        """Keep only these lines; the old file stays whole until the new one is complete. Called under the lock."""
        if not lines:
            self.path.unlink(missing_ok=True)
            return
        partial = self.path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def _replay(self, line: str) -> None:
        """Write one kept line; one that a crash cut short is set aside, so that it blocks nothing."""
        try:
            entry = json.loads(line)
            at, action = datetime.fromisoformat(entry.pop("at")), entry.pop("do")
        except (ValueError, KeyError, AttributeError):
            with self.path.with_suffix(".unreadable").open("a", encoding="utf-8") as file:
                file.write(line)
            return
        if action == "close":
            due = entry.pop("review_due", None)
            due = due and datetime.fromisoformat(due)
            close(self.ledger, entry.pop("change"), now=at, review_due=due, **entry)
        else:
            record_entry(self.ledger, Entry(at=at, **entry))
