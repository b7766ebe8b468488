"""Tickets of a directory and of a git repository: what is new or changed is asked for, once, by its author."""

import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes import ticket_sync
from changewindow.cli.standalone import ROOT
from changewindow.errors import SyncFailed
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy
from support.changes import NOW
from support.tickets import POLICY, banner


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Return the policy of the demo."""
    return replace(load_policy(ROOT / "include/demo/policy"), connections=POLICY.connections)


def git(folder: Path, *arguments: str, who: str = "alice") -> None:
    """Run git as somebody."""
    names = {f"GIT_{role}_{what}": f"{who}{at}" for role in ("AUTHOR", "COMMITTER") for what, at in MAIL}
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **names}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


NO_SIGNERS = Path("/nowhere/allowed_signers")
MAIL = (("NAME", ""), ("EMAIL", "@example.com"))


def write(folder: Path, name: str = "banner.yaml", **changed: Any) -> Path:
    """Write a ticket into a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(banner(**changed)))
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a checkout in which alice wrote a ticket on a branch and bob merged it."""
    folder = tmp_path / "tickets"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    git(folder, "commit", "--allow-empty", "-m", "begin", who="bob")
    git(folder, "checkout", "-b", "change")
    write(folder)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "Ask for the banner")
    git(folder, "checkout", "main")
    git(folder, "merge", "--no-ff", "-m", "Merge", "change", who="bob")
    return folder


def test_a_repository_knows_who_wrote(repository: Path) -> None:
    """As the newest commit of the text says."""
    (written,) = ticket_sync.tickets(repository, "repo", NO_SIGNERS)
    assert (written.origin, written.people.author) == ("repo:banner.yaml", "alice")
    write(repository, details="pushed")
    git(repository, "commit", "-am", "Edit", who="carol")
    (written,) = ticket_sync.tickets(repository, "repo", NO_SIGNERS)
    assert (written.people.author, written.people.merger) == ("carol", None)


def test_a_folder_of_a_repository_knows_it_too(repository: Path) -> None:
    """Tickets may lie anywhere in it."""
    write(repository, "tickets/deep.yaml")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Ask", who="carol")
    (written,) = ticket_sync.tickets(repository / "tickets", "repo", NO_SIGNERS)
    assert (written.origin, written.people.author) == ("repo:deep.yaml", "carol")


def test_a_ticket_is_asked_for_once_and_again_when_it_is_edited(ledger: Ledger, policy: Policy, tmp_path: Path) -> None:
    """The same text does nothing; another one is a new text of the same change; after its end it is a new change."""
    path = write(tmp_path, "deep/banner.yaml")
    (tmp_path / ".hidden.yaml").write_text("x")

    def synced() -> str | None:
        (written,) = ticket_sync.tickets(tmp_path, "dir", NO_SIGNERS)
        taken = ticket_sync.sync(ledger, policy, written, now=NOW).taken
        return taken.change if taken else None

    assert [synced(), synced()] == ["CHG-1001", None]
    assert changes.get(ledger, "CHG-1001").requester == "sync"
    path.write_text(json.dumps(banner(details="edited")))
    assert [synced(), synced()] == ["CHG-1001", None]
    changes.close(ledger, "CHG-1001", run="r", outcome="completed", reason="", now=NOW)
    assert synced() is None
    path.write_text(json.dumps(banner(details="once more")))
    assert [synced(), synced()] == ["CHG-1002", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("sumary: x\n", "repo:bad.yaml:1: unknown field 'sumary'", id="a mistake"),
        pytest.param("a: [\n", "repo:bad.yaml", id="no YAML"),
        pytest.param("\xff", "repo:bad.yaml", id="no UTF-8"),
    ],
)
def test_a_bad_file_is_an_error_of_its_own(
    ledger: Ledger, policy: Policy, tmp_path: Path, *, text: str, message: str
) -> None:
    """Others are taken in all the same."""
    write(tmp_path, "good.yaml")
    (tmp_path / "bad.yaml").write_bytes(text.encode("latin-1"))
    bad, good = (
        ticket_sync.sync(ledger, policy, written, now=NOW)
        for written in ticket_sync.tickets(tmp_path, "repo", NO_SIGNERS)
    )
    assert message in bad.error
    assert good.taken is not None
    assert good.taken.change


def test_a_ticket_whose_window_is_over_is_left_alone(ledger: Ledger, policy: Policy, tmp_path: Path) -> None:
    """Old files stay in the repository and are not asked for again."""
    write(tmp_path)
    (written,) = ticket_sync.tickets(tmp_path, "repo", NO_SIGNERS)
    late = ticket_sync.sync(ledger, policy, written, now=NOW + timedelta(days=1))
    assert (late.taken, late.error) == (None, "")


def test_a_text_that_was_taken_in_before_a_rule_is_no_mistake_today(
    ledger: Ledger, policy: Policy, tmp_path: Path
) -> None:
    """Its file stays where it is, long after its change has ended."""
    old = banner()
    old["validation"][0]["pass"] = {"matches": "(?!5)..."}
    (tmp_path / "banner.yaml").write_text(json.dumps(old))
    (written,) = ticket_sync.tickets(tmp_path, "dir", NO_SIGNERS)
    assert "RE2 has no look-ahead" in ticket_sync.sync(ledger, policy, written, now=NOW).error
    taken = changes.submit(ledger, old, requester="sync", now=NOW, origin="dir:banner.yaml")
    changes.close(ledger, taken.change, run="r", outcome="completed", reason="", now=NOW)
    again = ticket_sync.sync(ledger, policy, written, now=NOW)
    assert (again.taken, again.error) == (None, "")


def test_a_repository_that_is_not_there_is_said(tmp_path: Path) -> None:
    """In git's own words."""
    with pytest.raises(SyncFailed, match=r"git clone failed: .*nowhere"):
        ticket_sync.clone(str(tmp_path / "nowhere"), "main", tmp_path / "clone")
