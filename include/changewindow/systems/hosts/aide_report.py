"""Reads the plain report of a check by AIDE."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

SECTION = re.compile(r"(Added|Removed|Changed) (?:entries|files):")
COUNT = re.compile(r"\s+(?:Added|Removed|Changed) (?:entries|files):\s+(\d{1,9})")
LISTED = re.compile(r"[a-zA-Z?][^:/]{5,40}: (/.*)")
DETAILED = re.compile(r"[A-Z][A-Za-z ]{2,20}: (/.*)")
ATTRIBUTE = re.compile(r" (\w[\w ]{0,20}?)\s*: (.*?)\s*\| (.*)")
BEGAN, ENDED = "Start timestamp: ", "End timestamp: "
SHOWN = {"Size", "Perm", "Uid", "Gid", "Mtime", "Ctime", "Lname", "Linkcount", "Type"}
"""Attributes whose values are shown; a checksum says nothing to anybody, and more than it should to some."""


@dataclass(frozen=True)
class Difference:
    """A file that is not as the database has it."""

    path: str
    done: str
    """`added`, `removed` or `changed`."""
    attributes: str = ""
    """Which of its attributes differ."""
    before: str = ""
    after: str = ""
    changed: datetime | None = None
    """Its ctime, if the report says so."""


@dataclass(frozen=True)
class Report:
    """What a check has seen."""

    began: datetime
    differences: tuple[Difference, ...]
    lost: int
    """How many more there were, by its own count."""


def report_of(text: str) -> Report | None:
    """Return the newest whole report of a text, or None if there is none."""
    _, mark, newest = text.rpartition(BEGAN)
    began = time_at(newest[:25])
    if not mark or began is None or ENDED not in newest:
        return None
    lines = newest.split("\n")
    listed = dict(_listed(lines))
    counted = sum(int(match[1]) for line in lines if (match := COUNT.fullmatch(line)))
    details = dict(_detailed(lines))
    differences = [_with(Difference(path, done), details.get(path, [])) for path, done in listed.items()]
    return Report(began, tuple(differences), max(0, counted - len(listed)))


def time_at(text: str) -> datetime | None:
    """Return a time as AIDE prints it, or None for anything else."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def _listed(lines: list[str]) -> Iterator[tuple[str, str]]:
    done = ""
    for line in lines:
        if match := SECTION.fullmatch(line):
            done = match[1].lower()
        elif line.startswith(("Detailed information", "The attributes of")):
            return
        elif done and (match := LISTED.fullmatch(line)):
            yield match[1], done


def _detailed(lines: list[str]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    attributes: list[tuple[str, str, str]] = []
    for line in lines:
        if match := DETAILED.fullmatch(line):
            attributes = []
            yield match[1], attributes
        elif match := ATTRIBUTE.fullmatch(line):
            attributes.append((match[1], match[2].strip(), match[3].strip()))


def _with(difference: Difference, details: list[tuple[str, str, str]]) -> Difference:
    changed = next((time_at(new) for name, _, new in details if name == "Ctime"), None)
    before, after = (
        ", ".join(f"{detail[0]} {detail[place]}" for detail in details if detail[0] in SHOWN) for place in (1, 2)
    )
    names = ", ".join(name for name, _, _ in details)
    return replace(difference, attributes=names, before=before, after=after, changed=changed)
