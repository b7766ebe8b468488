"""Keeps the policy for as long as its files stay as they are: to read it takes longer than to judge by it."""

from functools import lru_cache
from pathlib import Path

from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy

Stamp = tuple[tuple[str, int, int, int], ...]
"""Of each file: its path, when it was written, its size, and its number on the disk."""


def kept_policy(folder: Path, templates: Path) -> Policy:
    """Return the policy of a folder and of its standard changes, as the files are now.

    Raises:
        BadPolicy: a file of the policy cannot be read; holds every finding of every file.
    """
    return _loaded(folder, templates, (*_stamp(folder), *_stamp(templates)))


@lru_cache(maxsize=2)
def _loaded(folder: Path, templates: Path, _stamp: Stamp) -> Policy:
    return load_policy(folder, templates)


def _stamp(folder: Path) -> Stamp:
    """Return what changes whenever a file of a folder does."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".yaml", ".ics"})
    return tuple((str(path), *_written(path)) for path in files)


def _written(path: Path) -> tuple[int, int, int]:
    """Return when a file was written, its size and its number; of one that went since it was listed, zeros."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0, 0
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
