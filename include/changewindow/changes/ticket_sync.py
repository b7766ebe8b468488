"""Reads a directory or a git repository of tickets, and puts new and changed ones into the ledger."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from changewindow.changes import ticket_people
from changewindow.changes.request import Request, TakenIn, errors, take_in
from changewindow.changes.ticket_people import IN_NO_REPOSITORY, People, git
from changewindow.documents.yaml import BadYaml, read_file
from changewindow.errors import ChangeError
from changewindow.ledger import queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import HOLDING
from changewindow.policy.model import Policy
from changewindow.policy.review import load_text
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of
from changewindow.ticket.window import LONG_AGO


@dataclass(frozen=True)
class Written:
    """The file of a ticket, and its people."""

    path: Path
    origin: str
    """The name of the file in the ledger: the same wherever it is cloned to."""
    people: People = IN_NO_REPOSITORY


@dataclass(frozen=True)
class Synced:
    """The result for one file."""

    written: Written
    taken: TakenIn | None
    """None: there is nothing to do, because it is unchanged, acts now, or its window is over."""
    error: str = ""


def tickets(folder: Path, name: str, signers: Path) -> list[Written]:
    """Return the tickets below a folder, known to the ledger as `name`; with their people if it is a git checkout."""
    is_checkout = any((parent / ".git").exists() for parent in (folder, *folder.parents))
    files = []
    for path in sorted(path for path in folder.rglob("*.y*ml") if path.suffix in {".yaml", ".yml"}):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        known = ticket_people.people(folder, inside, signers) if is_checkout else IN_NO_REPOSITORY
        files.append(Written(path, f"{name}:{inside}", known))
    return files


def sync(ledger: Ledger, policy: Policy, written: Written, *, now: datetime) -> Synced:
    """Put a file into the ledger if it is new or changed; a bad one is an error in the result, never an exception."""
    try:
        text = read_file(written.path)
        if _is_done(text, queries.of_origin(ledger, written.origin), now):
            return Synced(written, None)
        people = written.people
        request = Request(person=people.author, ticket=text, origin=written.origin, is_proven=people.is_proven)
        taken = take_in(ledger, policy, request, now=now)
    except BadYaml as bad:
        return Synced(written, None, f"{written.origin}: {bad.finding.sentence}. {bad.finding.remedy}")
    except ChangeError as error:
        return Synced(written, None, f"{written.origin}: {error}")
    if taken.change is None:
        listed = [finding.text(written.origin) for finding in errors(taken.loaded.findings)]
        return Synced(written, taken, "\n".join(listed))
    return Synced(written, taken)


def clone(url: str, branch: str, folder: Path) -> None:
    """Clone a branch of a repository with its history.

    Raises:
        SyncFailed: git says why.
    """
    git(folder.parent, "clone", "--quiet", "--branch", branch, "--single-branch", "--", url, str(folder))


def _is_done(text: str, known: Change | None, now: datetime) -> bool:
    """Return whether there is nothing to do: old tickets stay in their repository."""
    if known is not None and known.status in HOLDING:
        return True
    loaded = load_text(text, Facts(now=LONG_AGO))
    if loaded.ticket is None:
        return known is not None and _digest_as_it_was_taken_in(loaded.data) == known.digest
    is_same = known is not None and digest_of(loaded.data, loaded.ticket) == known.digest
    return is_same or loaded.ticket.window.closes <= now


def _digest_as_it_was_taken_in(data: Any) -> str:
    """Return the digest of a text that rules of today refuse, and those of its time may have let in."""
    try:
        return digest_of(data, build_ticket(data)) if isinstance(data, dict) else ""
    except ValueError:
        return ""
