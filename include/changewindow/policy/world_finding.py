"""What was found in the world that no change announced: an edit, or a time in which a collector could not see."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from changewindow.documents.canonical import digest
from changewindow.documents.text import shown
from changewindow.systems.remembered import earliest_in

Kind = Literal["change", "gap"]
State = Literal["open", "recorded", "reverted", "accepted", "seen"]
"""`seen`: a gap that has been made up for, since the collector sees again and was asked for that time once more."""

LIST = re.compile(r"\s*[1-9][0-9]{0,8}(\s*[,\s]\s*[1-9][0-9]{0,8})*\s*")


def numbers_in(text: Any) -> tuple[int, ...]:
    """Return the numbers of findings that somebody has listed, each once.

    Raises:
        ValueError: it is no list of numbers.
    """
    if not LIST.fullmatch(str(text)):
        raise ValueError(f"{shown(str(text))} is no list of numbers of findings. Write it like 12, or 12, 13.")
    return tuple(dict.fromkeys(map(int, re.findall("[0-9]+", str(text)))))


@dataclass(frozen=True)
class WorldFinding:
    """A silent change, or a gap. Its texts are as bounded as those of an entry."""

    kind: Kind
    collector: str
    object: str
    """Of a gap, what could not be seen; empty where nothing could."""
    at: datetime
    """When it happened, or since when the collector could not see."""
    what: str
    why: str
    """Why no change explains it, or why the collector could not see."""
    before: str = ""
    after: str = ""
    by: str = ""
    known_by: str = ""
    environment: str = ""
    services: tuple[str, ...] = ()
    until: datetime | None = None
    """The end of a gap; None while it goes on."""

    @property
    def since(self) -> datetime:
        """Return when it happened at the earliest: what is only noticed later says so in its text, and nowhere else."""
        return min(earliest_in(self.what) or self.at, self.at)

    @property
    def identity(self) -> str:
        """Return what is the same each time that the same thing is seen: collector, object, moment and what."""
        end = self.until.isoformat() if self.until else ""
        what = self.what if self.kind == "change" else end
        return digest([self.kind, self.collector, self.object, self.at.isoformat(), what])
