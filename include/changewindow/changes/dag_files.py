"""Keeps, in a folder that only Airflow's own user may write, one fixed DAG file for each published change.

Airflow finds DAGs in files of Python. These hold no more than the name of a published file, and below it, as comments
for whoever reads them, what was published; the published files themselves are data.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from changewindow.changes.publication import IDENTITY
from changewindow.changes.publication import read as read_published
from changewindow.errors import BadPublication, PlatformError, SealKeyMissing
from changewindow.ledger.seal import Seal

MOST_FOREIGN = 20
"""How many files that are no change's are named one by one."""
Signature = tuple[int, int, int, int]


@dataclass
class DagFiles:
    """The DAG files of a folder of published changes."""

    published: Path
    own: Path
    seal: Seal
    seen: dict[str, Signature | None] = field(default_factory=dict)
    """What each published file was like when its DAG file was written."""

    def add_missing(self) -> None:
        """Write the DAG files that are not there yet; for a task, which reads what is published itself.

        Raises:
            PlatformError: others may write the folder of DAG files.
        """
        self._require_own()
        present = {path.name for path in self.own.iterdir()}
        for file, name in self._wanted():
            if file not in present:
                self._write(file, code_of(name))

    def bring_up_to_date(self) -> None:
        """Let there be exactly one DAG file for each published file, showing what it holds now.

        Raises:
            PlatformError: others may write the folder of DAG files.
        """
        self._require_own()
        wanted = dict(self._wanted())
        for file, name in wanted.items():
            signature = _signature(self.published / name)
            if self.seen.get(file) != signature or not (self.own / file).exists():
                self._write(file, dag_file(self.published / name, self.seal))
                self.seen[file] = signature
        for path in self.own.iterdir():
            if path.name not in wanted and not path.name.startswith(".") and not path.is_dir():
                path.unlink(missing_ok=True)
                self.seen.pop(path.name, None)

    def _require_own(self) -> None:
        self.own.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = self.own.lstat()
        if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.geteuid() or known.st_mode & 0o022:
            raise PlatformError(
                f"{self.own} is executed by Airflow and may be written by others. Remove it and have nobody but "
                f"Airflow's own user write {self.own.parent}; then restart Airflow."
            )

    def _wanted(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each DAG file, and of the published file that it is for."""
        names = sorted(entry.name for entry in _entries(self.published) if _counts(entry))
        changes = [name for name in names if _is_change(name)]
        foreign = [name for name in names if not _is_change(name)]
        yield from ((f"{Path(name).stem}.py", name) for name in changes)
        yield from ((f"{_harmless(name)}.py", name) for name in foreign[:MOST_FOREIGN])

    def _write(self, file: str, text: str) -> None:
        path = self.own / file
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        partial = self.own / f".{file}.{os.getpid()}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)


def code_of(name: str) -> str:
    """Return the code for a published file: the same lines of Python whatever it holds."""
    return (
        '"""A published change as an Airflow DAG; made from its data, never edited, never read back."""\n\n'
        "from changewindow.flow.dag import published_dag\n\n"
        f"dag = published_dag({name!a})\n"
    )


def dag_file(path: Path, seal: Seal) -> str:
    """Return the same with what was published as comments, which Airflow shows to people."""
    code = code_of(path.name)
    try:
        change = read_published(path, seal)
    except (BadPublication, SealKeyMissing):
        return code
    shown = json.dumps(change.data, indent=2, sort_keys=True, ensure_ascii=False).split("\n")
    return "\n# ".join([f"{code}\n# What was published:", *shown]) + "\n"


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    """Return what a folder holds; one that nobody has published into yet need not be there."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _counts(entry: "os.DirEntry[str]") -> bool:
    """Return whether an entry is looked at: folders and hidden files are never read, so they may lie there."""
    return not entry.name.startswith(".") and (not entry.is_dir() or _is_change(entry.name))


def _is_change(name: str) -> bool:
    return name.endswith(".json") and IDENTITY.fullmatch(name.removesuffix(".json")) is not None


def _harmless(name: str) -> str:
    """Return a name by which people recognize a foreign file, and which is no other file's."""
    return f"{re.sub('[^A-Za-z0-9._-]', '_', name)[:60]}.{sha256(os.fsencode(name)).hexdigest()[:8]}"


def _signature(path: Path) -> Signature | None:
    try:
        known = path.lstat()
    except OSError:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns
