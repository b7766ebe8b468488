"""Reads what `dnf5 history info --json` prints: each transaction with its command line, its account and packages."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from changewindow.systems.hosts.debian_packages import PackageChange

ACTIONS = {
    "Install": "installed",
    "Upgrade": "upgraded",
    "Downgrade": "downgraded",
    "Reinstall": "reinstalled",
    "Remove": "removed",
}
REPLACED = "Replaced"
"""What an upgrade, a downgrade or a package of another name took the place of."""
PACKAGE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.(?P<architecture>[^.-]+)")
ACCOUNT = re.compile(r"<([^<>]+)>$")
DONE = "Ok"


@dataclass(frozen=True)
class Transaction:
    """What one command has changed."""

    began: datetime
    line: str
    by: str
    """The account by its login uid."""
    is_done: bool
    """Whether it ended well; of one that did not, nobody knows how much of it was done."""
    changes: tuple[PackageChange, ...]


def transactions(printed: bytes) -> list[Transaction]:
    """Return every transaction that dnf5 has printed.

    Raises:
        ValueError: it is not what dnf5 prints.
    """
    try:
        return [_transaction(known) for known in json.loads(printed)]
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _transaction(known: Mapping[str, Any]) -> Transaction:
    began = datetime.fromtimestamp(known["start_time"], UTC)
    ended = datetime.fromtimestamp(known["end_time"] or known["start_time"], UTC)
    account = ACCOUNT.search(str(known.get("user_name", "")))
    by = account[1] if account else f"uid {known['user_id']}"
    changes = tuple(_changes(known["packages"], ended))
    return Transaction(began, str(known["description"]), by, known["status"] == DONE, changes)


def _changes(packages: list[Mapping[str, Any]], at: datetime) -> Iterator[PackageChange]:
    named = [(str(package["action"]), _named(str(package["nevra"]))) for package in packages]
    replaced = {(name, architecture): version for action, (name, version, architecture) in named if action == REPLACED}
    for action, (name, version, architecture) in named:
        if action == "Remove":
            yield PackageChange(at, name, architecture, ACTIONS[action], version, "")
        elif action in ACTIONS:
            before = version if action == "Reinstall" else replaced.pop((name, architecture), "")
            yield PackageChange(at, name, architecture, ACTIONS[action], before, version)
    for (name, architecture), version in replaced.items():
        yield PackageChange(at, name, architecture, "removed, as another one replaces it", version, "")


def _named(text: str) -> tuple[str, str, str]:
    match = PACKAGE.fullmatch(text)
    return (match["name"], match["version"].removeprefix("0:"), match["architecture"]) if match else (text, "", "")
