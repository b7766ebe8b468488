"""Loads the policy from the files of its folder: all of them or nothing, or the services alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from changewindow.calendar.files import CALENDAR, load_calendar
from changewindow.documents.findings import Finding
from changewindow.documents.model_file import read_model
from changewindow.errors import BadPolicy
from changewindow.policy import rights
from changewindow.policy.approvals import Approvals
from changewindow.policy.connections import FILE, Connections
from changewindow.policy.emergencies import FILE as EMERGENCIES
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.model import Policy, templates_of
from changewindow.policy.service_catalogue import Catalogue
from changewindow.policy.templates import load_standards

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


def _connections(path: Path) -> tuple[Any, Sequence[Finding]]:
    """Read whom the connections serve; installations of before this file have none, and are warned in each ticket."""
    return _of(Connections)(path) if path.exists() else (None, ())


def _rights(path: Path) -> tuple[Any, Sequence[Finding]]:
    """Read who may intervene; installations of before this file have the defaults."""
    return _of(rights.Rights)(path) if path.exists() else (rights.Rights(), ())


def _emergencies(path: Path) -> tuple[Any, Sequence[Finding]]:
    """Read what emergencies owe; installations of before this file have the defaults."""
    return _of(Emergencies)(path) if path.exists() else (Emergencies(), ())


FILES: dict[str, tuple[str, Reader]] = {
    "catalogue": ("services.yaml", _of(Catalogue)),
    "approvals": ("approvals.yaml", _of(Approvals)),
    "schedule": (CALENDAR, _schedule),
    "connections": (FILE, _connections),
    "rights": (rights.FILE, _rights),
    "emergencies": (EMERGENCIES, _emergencies),
}
"""The file of each part of the policy, and what reads it."""


def load_policy(folder: Path, templates: Path | None = None) -> Policy:
    """Return the policy of a folder, with the standard changes of a second one, by default `templates` beside it.

    A template that is wrong approves nothing and blocks nothing; see `Standards.findings`.

    Raises:
        BadPolicy: a file of the policy cannot be read; holds every finding of every file.
    """
    return Policy(**_read(folder, FILES), standards=load_standards(templates or templates_of(folder)))


def load_catalogue(folder: Path) -> Catalogue:
    """Return the services alone: who only asks what changed is not stopped by another file that cannot be read.

    Raises:
        BadPolicy: the file of the services cannot be read; holds every finding.
    """
    catalogue: Catalogue = _read(folder, ["catalogue"])["catalogue"]
    return catalogue


def load_emergencies(folder: Path) -> Emergencies:
    """Return what emergencies owe alone: no other file that cannot be read keeps what was done from being looked after.

    Raises:
        BadPolicy: its file cannot be read; holds every finding.
    """
    rules: Emergencies = _read(folder, ["emergencies"])["emergencies"]
    return rules


def load_groups(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the groups of approvals alone.

    Raises:
        BadPolicy: the file of the approvals cannot be read; holds every finding.
    """
    approvals: Approvals = _read(folder, ["approvals"])["approvals"]
    return approvals.groups


def _read(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    lines: list[str] = []
    for name in names:
        file, read = FILES[name]
        parts[name], findings = read(folder / file)
        lines += [finding.text(str(folder / file)) for finding in findings if not finding.is_warning]
    if lines:
        raise BadPolicy(lines)
    return parts
