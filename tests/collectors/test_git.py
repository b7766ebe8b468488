"""What `git` shows of a repository beside its newest commits."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.collectors.git import EXAMPLE
from changewindow.systems.collection import Collected, Span
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError
from collector_fixtures.git import commit
from step_fixtures.git_change import git
from support.looking import last, looked


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit of last year."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", ".")
    commit(folder, "First", at="2025-01-01T00:00:00Z")
    return folder


async def look(
    repository: Path, span: Span | None = None, *, at: str = "kept", kept: dict[str, Any] | None = None
) -> Collected:
    """Return what shows there, on a machine with a mirror in a folder."""
    known = Connection("orders_config", "git", host=str(repository))
    return await looked(EXAMPLE, known, folder=repository.parent / at, span=span, kept=kept)


async def test_a_force_push_shows_what_is_gone(repository: Path) -> None:
    """Its commits are named with their authors, also when the repository has forgotten them."""
    commit(repository, "Fix the pool")
    await look(repository)
    git(repository, "reset", "-q", "--hard", "HEAD^")
    entries = (await look(repository)).entries
    (rewritten,) = [entry for entry in entries if "rewritten" in entry.what]
    assert rewritten.what.startswith("history was rewritten: 1 commits are gone, by a force push before this time: ")
    assert rewritten.what.endswith("Fix the pool (Dora <dora@example.com>)")
    assert rewritten.known_by == "git does not record who pushed; the server's audit log may"
    assert rewritten.after == git(repository, "rev-parse", "HEAD")


async def test_an_old_commit_that_is_pushed_now_shows_now(repository: Path) -> None:
    """It was written last week; it has changed the branch since the last look."""
    await look(repository)
    commit(repository, "Written long ago", at="2025-06-01T00:00:00Z")
    (entry,) = (await look(repository)).entries
    assert "(dated 2025-06-01 00:00 UTC): Written long ago; pool.yaml +1 -1" in entry.what


SUBJECTS = ["Fix\x1e the pool", "\x1eFix", f"Fix\x1e{'a' * 40}", f"\x1e{'a' * 40}"]


@pytest.mark.parametrize("subject", SUBJECTS, ids=["a sign within", "at the beginning", "before an id", "with an id"])
async def test_no_sign_in_a_subject_hides_a_commit(repository: Path, subject: str) -> None:
    """Whatever git is asked to put between commits, somebody may write."""
    commit(repository, subject)
    commit(repository, "Later")
    collected = await look(repository)
    assert [entry.after for entry in collected.entries] == git(repository, "log", "-2", "--format=%H").split()
    assert "pool.yaml +1 -1" in collected.entries[1].what


async def test_a_look_on_another_machine_goes_on_from_the_last_one(repository: Path) -> None:
    """What the last look knew is kept in the ledger; its mirror may be gone with its machine."""
    kept: dict[str, Any] = {}
    commit(repository, "Fix the pool")
    await look(repository, kept=kept)
    commit(repository, "Written long ago", at="2025-06-01T00:00:00Z")
    for _ in range(2):
        entries = (await look(repository, at="another machine", kept=kept)).entries
        dated = [entry for entry in entries if "(dated 2025-06-01 00:00 UTC): Written long ago" in entry.what]
        assert len(dated) == 1
        assert not [entry for entry in entries if "rewritten" in entry.what]


async def test_a_rewritten_history_is_a_gap_where_nobody_has_what_is_gone(repository: Path) -> None:
    """Neither the repository nor a mirror; nothing that was pushed and taken away since can be named."""
    kept: dict[str, Any] = {}
    commit(repository, "Fix the pool")
    await look(repository, kept=kept)
    git(repository, "reset", "-q", "--hard", "HEAD^")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    git(repository, "gc", "-q", "--prune=now")
    coverage = (await look(repository, at="another machine", kept=kept)).coverage
    assert coverage.why.startswith("history was rewritten: the newest commit of the last look is not in the repository")
    assert len(coverage.holes) == 1


@pytest.mark.parametrize("looks_before", [False, True], ids=["at the first look", "at a later one"])
async def test_a_commit_from_the_future_is_not_hidden(repository: Path, *, looks_before: bool) -> None:
    """Nobody commits later than now, whatever the date says; and the next day it is no news any more."""
    if looks_before:
        await look(repository)
    commit(repository, "From the future", at="2035-01-01T00:00:00Z")
    (entry,) = (await look(repository)).entries
    assert "(dated 2035-01-01 00:00 UTC): From the future" in entry.what
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert (await look(repository, Span(tomorrow - timedelta(hours=1), tomorrow))).entries == ()


async def test_the_first_look_says_what_it_cannot_know(repository: Path) -> None:
    """A later look knows it for all the time since."""
    first = await look(repository, last(timedelta(days=1)))
    assert first.coverage.why.startswith("force pushes, and pushes of commits with older dates, are only known from ")
    later = datetime.now(UTC) + timedelta(hours=2)
    assert (await look(repository, Span(later - timedelta(hours=1), later))).coverage.why == ""


async def test_a_repository_that_is_gone_says_what_to_check(repository: Path) -> None:
    """The text names the address, git's reason and the connection."""
    git(repository, "branch", "-q", "-m", "main", "trunk")
    with pytest.raises(SourceError) as raised:
        await look(repository)
    assert str(raised.value) == (
        f"{repository} cannot be fetched: 'git' failed: fatal: couldn't find remote ref refs/heads/main. "
        "Check `branches`, and the connection orders_config"
    )


async def test_two_looks_at_once_see_the_same(repository: Path) -> None:
    """The second waits until the first has fetched."""
    commit(repository, "Quick fix")
    one, other = await asyncio.gather(look(repository), look(repository))
    assert [entry.after for entry in one.entries] == [entry.after for entry in other.entries] != []


async def test_a_mirror_that_was_left_half_made_is_made_anew(repository: Path) -> None:
    """Whoever was killed while it fetched has harmed nobody."""
    await look(repository)
    (mirror,) = [folder for folder in (repository.parent / "kept").iterdir() if folder.is_dir()]
    (mirror / "complete").unlink()
    (mirror / "HEAD").write_text("damaged")
    commit(repository, "After the damage")
    assert [entry.what.split(": ")[1] for entry in (await look(repository)).entries] == [
        "After the damage; pool.yaml +1 -1"
    ]
