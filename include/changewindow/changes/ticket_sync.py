"""Reads a directory or a git repository of tickets and puts what is new or changed into the ledger."""

import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from changewindow.changes.request import Request, TakenIn, errors, take_in
from changewindow.documents.yaml import BadYaml, read_file
from changewindow.errors import ChangeError, SyncFailed
from changewindow.ledger import queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import HOLDING
from changewindow.policy.model import Policy
from changewindow.policy.review import load_text
from changewindow.policy.sign_off import same_person
from changewindow.ticket.revision import digest_of
from changewindow.ticket.window import LONG_AGO

NOBODY = "sync"
"""Who asks for the tickets of a directory that knows no authors."""


@dataclass(frozen=True)
class Written:
    """A ticket's file, with who wrote its newest text and who merged that."""

    path: Path
    origin: str
    """What the ledger calls the file: the same wherever it is cloned to."""
    author: str = NOBODY
    merger: str | None = None
    """None: nobody but the author has seen it."""


@dataclass(frozen=True)
class Synced:
    """What became of one file."""

    written: Written
    taken: TakenIn | None
    """None: there is nothing to do; it is as it was, acts now, or its window is over."""
    error: str = ""


def tickets(folder: Path, name: str) -> list[Written]:
    """Return the tickets below a folder, which the ledger calls `name`; with their authors if it is a git checkout."""
    is_checkout = any((place / ".git").exists() for place in (folder, *folder.parents))
    found = []
    for path in sorted(path for path in folder.rglob("*.y*ml") if path.suffix in {".yaml", ".yml"}):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        author, merger = _people(folder, inside) if is_checkout else (NOBODY, None)
        found.append(Written(path, f"{name}:{inside}", author, merger))
    return found


def sync(ledger: Ledger, policy: Policy, written: Written, *, now: datetime) -> Synced:
    """Put one file into the ledger when it is new or changed; a bad one is an error of its own, never an exception."""
    try:
        text = read_file(written.path)
        found = queries.of_origin(ledger, written.origin)
        if _is_done(text, found, now):
            return Synced(written, None)
        request = Request(person=written.author, ticket=text, origin=written.origin)
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
    _git(folder.parent, "clone", "--quiet", "--branch", branch, "--single-branch", "--", url, str(folder))


def _is_done(text: str, found: Change | None, now: datetime) -> bool:
    """Return whether there is nothing to do: old tickets stay in their repository."""
    if found is not None and found.status in HOLDING:
        return True
    loaded = load_text(text, Facts(now=LONG_AGO))
    if loaded.ticket is None:
        return False
    is_same = found is not None and digest_of(loaded.data, loaded.ticket) == found.digest
    return is_same or loaded.ticket.window.closes <= now


def _people(folder: Path, path: Path) -> tuple[str, str | None]:
    """Return the author of the newest text and who brought it to the branch, by what stands before the @."""
    author = _git(folder, "log", "-1", "--no-merges", "--format=%ae", "--", str(path))
    onto = ("--first-parent", "--diff-merges=first-parent", "--format=%ae %ce")
    brought = _git(folder, "log", "-1", *onto, "--", str(path))
    by, committer = (*brought.split(), "", "")[:2]
    wrote = _user(author) or NOBODY
    others = [_user(mail) for mail in (by, committer) if not mail.startswith("noreply@")]
    return wrote, next((one for one in others if one and not same_person(one, wrote)), None)


def _user(mail: str) -> str:
    return re.sub(r"^[0-9]+\+", "", mail.strip().partition("@")[0])


def _git(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        raise SyncFailed(f"git {arguments[0]} failed: {said[-1]}. Correct the connection or the repository.")
    return ran.stdout.strip()
