"""Keeps the policy, or its services alone, while its files stay as they are: to read takes longer than to judge."""

from functools import lru_cache
from pathlib import Path

from changewindow.policy.load import load_catalogue, load_policy
from changewindow.policy.model import Policy
from changewindow.policy.service_catalogue import Catalogue

Stamp = tuple[tuple[str, int, int, int], ...]
"""Of each file: its path, when it was written, its size, and its number on the disk."""


def kept_policy(folder: Path, templates: Path) -> Policy:
    """Return the policy of a folder and of its standard changes, as the files are now.

    Raises:
        BadPolicy: a file of the policy cannot be read; holds every finding of every file.
    """
    return _loaded(folder, templates, (*_stamp(folder), *_stamp(templates)))


def kept_catalogue(folder: Path) -> Catalogue:
    """Return the services alone, as their file is now.

    Raises:
        BadPolicy: it cannot be read; holds every finding.
    """
    return _catalogue(folder, _stamp(folder))


@lru_cache(maxsize=2)
def _loaded(folder: Path, templates: Path, _stamp: Stamp) -> Policy:
    return load_policy(folder, templates)


@lru_cache(maxsize=2)
def _catalogue(folder: Path, _stamp: Stamp) -> Catalogue:
    return load_catalogue(folder)


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
