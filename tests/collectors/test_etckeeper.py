"""What `etckeeper` shows, with Debian's etckeeper on a folder of its own."""

import asyncio
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.silent import key_of
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from collector_fixtures.etckeeper import etckeeper, kept
from servers.sshd import sshd
from step_fixtures import need
from support.looking import last, looked

pytestmark = pytest.mark.integration


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Return what etckeeper keeps."""
    return kept(tmp_path / "etc")


async def look(etc: Path, span: Span | None = None, **fields: object) -> Collected:
    """Return what shows there."""
    settings = {"kind": "etckeeper", "folder": str(etc), "within": "30s", **fields}
    return await looked(settings, folder=etc.parent / "kept", span=span)


def of(collected: Collected, name: str) -> list[Entry]:
    """Return the entries of a file."""
    return [entry for entry in collected.entries if entry.object.endswith(f"/{name}")]


async def test_what_nobody_has_committed_shows_at_its_ctime(etc: Path) -> None:
    """Also where somebody has given it an old date; nobody knows who edited it."""
    (etc / "hosts").write_text("127.0.0.1 localhost evil\n")
    os.utime(etc / "hosts", (1_700_000_000, 1_700_000_000))
    (etc / "new.conf").write_text("it\n")
    collected = await look(etc, last(timedelta(seconds=30)))
    (edited,) = [entry for entry in of(collected, "hosts") if "not committed" in entry.what]
    (added,) = of(collected, "new.conf")
    assert edited.what == "changed (dated 2023-11-14 22:13:20 UTC), not committed"
    assert (edited.by, edited.known_by) == ("", "not committed, so etckeeper does not know who")
    assert added.what == "new, not committed"


async def test_a_removed_file_counts_when_its_folder_changed(etc: Path) -> None:
    """It has no time of its own any more."""
    (etc / "hosts").unlink()
    assert "removed before this time, not committed" in [entry.what for entry in of(await look(etc), "hosts")]


async def test_a_commit_with_an_older_date_than_the_one_before_is_seen(
    etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever commits chooses the date, and not the place in the history."""
    (etc / "hosts").write_text("127.0.0.1 localhost evil\n")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
    etckeeper(etc, "commit", "Tidy up", user="dora")
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    (first,) = [entry for entry in of(await look(etc, last(timedelta(seconds=30))), "hosts") if "Tidy up" in entry.what]
    assert "(dated 2020-01-01 00:00:00 UTC): Tidy up" in first.what
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    etckeeper(etc, "commit", "Later", user="dora")
    (again,) = [entry for entry in of(await look(etc, last(timedelta(seconds=30))), "hosts") if "Tidy up" in entry.what]
    assert key_of(again) == key_of(first)


SUBJECTS = ["Fix\x1e the pool", "\x1eFix", f"Fix\x1e{'a' * 40}", f"\x1e{'a' * 40}"]


@pytest.mark.parametrize("subject", SUBJECTS, ids=["a sign within", "at the beginning", "before an id", "with an id"])
async def test_no_sign_in_a_subject_hides_a_commit(etc: Path, subject: str) -> None:
    """Whatever git is asked to put between commits, somebody may write."""
    (etc / "hosts").write_text("127.0.0.1 localhost evil\n")
    etckeeper(etc, "commit", subject, user="dora")
    collected = await look(etc)
    assert [entry.what[:5] for entry in of(collected, "hosts") if "Fix" in entry.what or "a" * 40 in entry.what] == [
        "+1 -1"
    ]
    assert collected.coverage.lost == 0


async def test_an_automatic_commit_accuses_nobody(etc: Path) -> None:
    """Whoever runs apt has not edited what lay there before."""
    (etc / "hosts").write_text("127.0.0.1 localhost evil\n")
    etckeeper(etc, "commit", "saving uncommitted changes in /etc prior to apt run", user="dora")
    (entry,) = [entry for entry in of(await look(etc), "hosts") if "saving" in entry.what]
    assert entry.by == ""
    assert entry.known_by.startswith("swept up by an automatic commit of etckeeper; whoever edited it before is not")


async def test_a_commit_from_the_future_is_not_hidden_nor_is_one_with_an_old_date(etc: Path) -> None:
    """Nobody commits later than now."""
    (etc / "future").write_text("it\n")
    etckeeper(etc, "commit", "From the future", at="2035-01-01T00:00:00Z")
    (etc / "past").write_text("it\n")
    etckeeper(etc, "commit", "From the past", at="2025-01-01T00:00:00Z")
    collected = await look(etc)
    assert of(collected, "future")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert not of(await look(etc, Span(tomorrow - timedelta(hours=1), tomorrow)), "future")
    (past,) = of(collected, "past")
    assert "(dated 2025-01-01 00:00:00 UTC): From the past" in past.what


async def test_it_knows_nothing_of_before_it_began(etc: Path) -> None:
    """And says so."""
    span = last(timedelta(days=1))
    coverage = (await look(etc, span)).coverage
    assert coverage.unseen(span)[0].since == span.since
    assert coverage.why.endswith(" UTC: etckeeper began then")


async def test_an_upgrade_of_many_files_is_not_a_flood(etc: Path) -> None:
    """The rest is a number."""
    for number in range(200):
        (etc / f"file-{number:03}").write_text("it\n")
    etckeeper(etc, "commit", 'committing changes in /etc made by "apt upgrade"', user="dora")
    entries = [entry for entry in (await look(etc)).entries if "apt upgrade" in entry.what]
    assert len(entries) == 51
    assert any(entry.what.startswith("151 more files, commit ") for entry in entries)


async def test_sudo_that_says_no_names_the_lines_that_are_missing(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand in the documentation of the kind."""
    program = tmp_path / "bin" / "sudo"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(SourceError) as raised:
        await look(etc, sudo=True)
    assert str(raised.value) == (
        f"sudo on {socket.gethostname()} does not let us run 'git': sudo: a password is required. "
        "Add the lines that `changewindow kinds etckeeper` prints to sudoers"
    )


async def test_a_host_is_asked_over_ssh_and_by_sudo(etc: Path, tmp_path: Path) -> None:
    """What is asked for arrives as it is, through both."""
    need("sudo")
    (etc / "new 'conf").write_text("it\n")
    with sshd(tmp_path / "ssh") as server:
        settings = {"kind": "etckeeper", "folder": str(etc), "within": "30s", "connection": "web_3", "sudo": True}
        collected = await looked(settings, server.connection("web_3"), folder=tmp_path / "kept")
    assert [entry.what for entry in of(collected, "new 'conf")] == ["new, not committed"]
    assert of(collected, "hosts")[0].object == f"127.0.0.1:{etc}/hosts"


async def seen(etc: Path, kept: dict[str, Any]) -> list[Entry]:
    """Return what shows of `hosts` and `motd` since etckeeper began, to who remembers its last look."""
    settings = {"kind": "etckeeper", "folder": str(etc), "within": "30s"}
    collected = await looked(settings, folder=etc.parent / "kept", kept=kept)
    return [entry for entry in collected.entries if entry.object.endswith(("/hosts", "/motd"))]


async def test_an_edit_that_was_told_stays_the_same_edit_when_it_is_committed(etc: Path) -> None:
    """Also when it is asked for again; the commit only says in what it is now."""
    kept: dict[str, Any] = {}
    (etc / "hosts").write_text("127.0.0.1 localhost evil\n")
    (told,) = [entry for entry in await seen(etc, kept) if "not committed" in entry.what]
    later = (told.at + timedelta(minutes=5)).isoformat()
    etckeeper(etc, "commit", "daily autocommit", at=later)
    for _ in range(2):
        (entry,) = [entry for entry in await seen(etc, kept) if "autocommit" in entry.what]
        assert (entry.at, entry.object, key_of(entry)) == (told.at, told.object, key_of(told))
        assert entry.what.startswith("+1 -1, commit ")


async def test_an_edit_after_the_one_that_was_told_is_another_one_when_both_are_committed(etc: Path) -> None:
    """Nobody hides behind an edit that is known."""
    kept: dict[str, Any] = {}
    (etc / "hosts").write_text("127.0.0.1 localhost evil\n")
    (told,) = [entry for entry in await seen(etc, kept) if "not committed" in entry.what]
    await asyncio.sleep(1.1)  # the ctime of a file has seconds
    (etc / "hosts").write_text("127.0.0.1 localhost worse\n")
    etckeeper(etc, "commit", "daily autocommit")
    (entry,) = [entry for entry in await seen(etc, kept) if "autocommit" in entry.what]
    assert entry.at > told.at
    assert key_of(entry) != key_of(told)


async def test_a_removal_that_was_told_is_told_at_the_same_time_whatever_happens_beside_it(etc: Path) -> None:
    """Its folder has changed since, and then it was committed."""
    kept: dict[str, Any] = {}
    (etc / "hosts").unlink()
    (told,) = [entry for entry in await seen(etc, kept) if "removed" in entry.what]
    await asyncio.sleep(1.1)
    (etc / "another").write_text("it\n")
    (again,) = [entry for entry in await seen(etc, kept) if "removed" in entry.what]
    assert again == told
    etckeeper(etc, "commit", "daily autocommit")
    (entry,) = [entry for entry in await seen(etc, kept) if "autocommit" in entry.what]
    assert (entry.at, key_of(entry)) == (told.at, key_of(told))
