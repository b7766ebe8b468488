"""A command that somebody gave by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Command:
    """One command, as it was typed."""

    line: str
    at: datetime | None = None
    """When, where whatever was pasted says so."""


@dataclass(frozen=True)
class Session:
    """What was read of a paste."""

    commands: tuple[Command, ...]
    remarks: tuple[str, ...] = ()
    """What was left out, and why."""


Reader = Callable[[str], Session | None]
"""Reads one format; None where the text is something else."""
