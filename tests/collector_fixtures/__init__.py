"""Worlds in which each collector sees something: one file per kind of collector, found by its file name.

Each file defines `world(folder)`, a context manager that makes one in an empty folder, starts what it needs on free
ports of 127.0.0.1, gives a `World`, and ends all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from changewindow.collectors.base import OurChanges
from changewindow.systems.connection import Connection


@dataclass(frozen=True)
class Made:
    """A change that a test has just made, as its entry has to show it."""

    object: str
    by: str
    """A part of it; empty where this kind cannot know, and its entry then says why in `known_by`."""
    what: str
    """A part of it."""


@dataclass(frozen=True)
class World:
    """What a collector looks at."""

    collector: dict[str, Any]
    """The example, with other addresses."""
    change: Callable[[], Made]
    """Changes something, the way people do."""
    hostile: Callable[[str], None]
    """Changes something under the longest text that an attacker may choose there, such as the title of a commit."""
    blind: dict[str, Any]
    """The collector where it cannot see: nobody is there, or what it reads is missing."""
    connections: tuple[Connection, ...] = ()
    our_changes: OurChanges | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """What the collector keeps from look to look."""
    shows_from_the_first_look: bool = True
    """Whether what something hostile has changed shows even if nobody has looked before."""
