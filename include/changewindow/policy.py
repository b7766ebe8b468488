"""The policy: what the files of its folder say, all of them or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from changewindow.approvals import Approvals
from changewindow.calendar.files import CALENDAR, load_calendar
from changewindow.calendar.schedule import Schedule
from changewindow.catalogue import Catalogue
from changewindow.documents.model_file import read_model
from changewindow.documents.validation import Finding
from changewindow.errors import BadPolicy
from changewindow.standard import Standards, load_standards

Reader = Callable[[Path], tuple[Any, Sequence[Finding]]]
"""Reads a file: returns its part of the policy, and what is wrong with it."""


def _of(model: type[BaseModel]) -> Reader:
    def reader(path: Path) -> tuple[Any, Sequence[Finding]]:
        read = read_model(path, model)
        return read.model, read.findings

    return reader


def _schedule(path: Path) -> tuple[Any, Sequence[Finding]]:
    loaded = load_calendar(path.parent)
    return loaded.schedule, loaded.findings


@dataclass(frozen=True)
class Policy:
    """What the policy files say."""

    catalogue: Catalogue
    approvals: Approvals
    schedule: Schedule
    standards: Standards
    """The standard changes; their templates lie in a folder of their own."""


FILES: dict[str, tuple[str, Reader]] = {
    "catalogue": ("services.yaml", _of(Catalogue)),
    "approvals": ("approvals.yaml", _of(Approvals)),
    "schedule": (CALENDAR, _schedule),
}
"""The file of each part of the policy, and what reads it."""


def load_policy(folder: Path, templates: Path | None = None) -> Policy:
    """Return the policy of a folder, with the standard changes of a second one, by default `templates` beside it.

    A template that is wrong approves nothing and stops nothing; see `Standards.findings`.

    Raises:
        BadPolicy: a file of the policy cannot be read; holds every finding of every file.
    """
    parts: dict[str, Any] = {}
    lines: list[str] = []
    for name, (file, read) in FILES.items():
        parts[name], findings = read(folder / file)
        lines += [finding.text(str(folder / file)) for finding in findings]
    if lines:
        raise BadPolicy(lines)
    return Policy(**parts, standards=load_standards(templates or templates_of(folder)))


def templates_of(folder: Path) -> Path:
    """Return where the templates of a policy lie if nobody says otherwise: in `templates` beside its folder."""
    return folder.parent / "templates"
