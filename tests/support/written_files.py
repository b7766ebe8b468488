"""Reads all files of a folder into which processes still write."""

from contextlib import suppress
from pathlib import Path

TRIES = 20


def contents(folder: Path) -> dict[Path, bytes]:
    """Return each file with its bytes; links are not followed.

    When one goes meanwhile, all are read again: SQLite moves what stood in it into another one, read before.
    """
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if _is_file(path)}
    raise FileNotFoundError(f"files of {folder} went in each of {TRIES} tries to read them all")


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
