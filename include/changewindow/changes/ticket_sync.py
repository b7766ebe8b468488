"""Reads a directory or a git repository of tickets, and puts new and changed ones into the ledger."""

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
from changewindow.systems.process.environment import built
from changewindow.ticket.revision import digest_of
from changewindow.ticket.window import LONG_AGO

NOBODY = "sync"
"""Who requests the tickets of a directory without authors."""


@dataclass(frozen=True)
class Written:
    """The file of a ticket, with who wrote its newest text and who merged it."""

    path: Path
    origin: str
    """The name of the file in the ledger: the same wherever it is cloned to."""
    author: str = NOBODY
    merger: str | None = None
    """None: nobody but the author has reviewed it."""


@dataclass(frozen=True)
class Synced:
    """The result for one file."""

    written: Written
    taken: TakenIn | None
    """None: there is nothing to do, because it is unchanged, acts now, or its window is over."""
    error: str = ""


def tickets(folder: Path, name: str) -> list[Written]:
    """Return the tickets below a folder, known to the ledger as `name`; with their authors if it is a git checkout."""
    is_checkout = any((parent / ".git").exists() for parent in (folder, *folder.parents))
    files = []
    for path in sorted(path for path in folder.rglob("*.y*ml") if path.suffix in {".yaml", ".yml"}):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        author, merger = _people(folder, inside) if is_checkout else (NOBODY, None)
        files.append(Written(path, f"{name}:{inside}", author, merger))
    return files


def sync(ledger: Ledger, policy: Policy, written: Written, *, now: datetime) -> Synced:
    """Put a file into the ledger if it is new or changed; a bad one is an error in the result, never an exception."""
    try:
        text = read_file(written.path)
        if _is_done(text, queries.of_origin(ledger, written.origin), now):
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


def _is_done(text: str, known: Change | None, now: datetime) -> bool:
    """Return whether there is nothing to do: old tickets stay in their repository."""
    if known is not None and known.status in HOLDING:
        return True
    loaded = load_text(text, Facts(now=LONG_AGO))
    if loaded.ticket is None:
        return False
    is_same = known is not None and digest_of(loaded.data, loaded.ticket) == known.digest
    return is_same or loaded.ticket.window.closes <= now


def _people(folder: Path, path: Path) -> tuple[str, str | None]:
    """Return the author of the newest text and who brought it to the branch: their addresses up to the @."""
    author = _git(folder, "log", "-1", "--no-merges", "--format=%ae", "--", str(path))
    onto = ("--first-parent", "--diff-merges=first-parent", "--format=%ae %ce")
    brought = _git(folder, "log", "-1", *onto, "--", str(path))
    by, committer = (*brought.split(), "", "")[:2]
    wrote = _user(author) or NOBODY
    others = [_user(mail) for mail in (by, committer) if not mail.startswith("noreply@")]
    return wrote, next((other for other in others if other and not same_person(other, wrote)), None)


def _user(mail: str) -> str:
    return re.sub(r"^[0-9]+\+", "", mail.strip().partition("@")[0])


def _git(folder: Path, *arguments: str) -> str:
    # The worker's own git settings say how the repository of tickets is reached; nothing of it is executed.
    home = {"HOME": str(Path.home()), "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}
    with built(home) as environment:
        ran = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        raise SyncFailed(f"git {arguments[0]} failed: {lines[-1]}. Correct the connection or the repository.")
    return ran.stdout.strip()
