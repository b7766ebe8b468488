"""What `journal` shows, with the real journalctl on files that systemd-journal-remote has written."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.collectors.journal import STARTED, STOPPED
from changewindow.systems.collection import Collected, Span
from changewindow.systems.measurement import SourceError
from collector_fixtures.journal import by_sudo
from servers.journals import Entry, write
from support.looking import last, looked

DRIVER = {"_TRANSPORT": "driver", "_COMM": "systemd-journal", "_UID": "0"}


def ago(seconds: float) -> datetime:
    """Return a moment before now."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def look(folder: Path, *entries: Entry, span: Span | None = None, units: tuple[str, ...] = ()) -> Collected:
    """Return what shows of a journal of these entries, which began two hours ago."""
    file = write(folder / "it.journal", Entry(ago(7200), "begin"), *entries)
    settings = {"kind": "journal", "file": str(file), "units": list(units), "within": "30s"}
    return await looked(settings, folder=folder, span=span)


async def test_a_login_shows_with_its_key(tmp_path: Path) -> None:
    """Failed ones do not."""
    sshd = {"_COMM": "sshd", "_EXE": "/usr/sbin/sshd", "_UID": "0"}
    accepted = "Accepted publickey for dora from 10.0.0.7 port 5022 ssh2: ED25519 SHA256:Zq"
    failed = Entry(ago(9), "Failed password for root from 10.0.0.9 port 1 ssh2", fields=sshd)
    (entry,) = (await look(tmp_path, failed, Entry(ago(5), accepted, fields=sshd))).entries
    assert entry.what == "ssh login as dora from 10.0.0.7 by publickey ED25519 SHA256:Zq"
    assert (entry.by, entry.known_by) == ("dora", "account that sshd let in, as /usr/sbin/sshd logged it")


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (
            "dora : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/mysql --password=hunter2 orders",
            "ran as root: /usr/bin/mysql --password=*** orders",
        ),
        (
            "dora : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=postgres ; COMMAND=/bin/sh",
            "refused (command not allowed) as postgres: /bin/sh",
        ),
        (
            "dora : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "refused (3 incorrect password attempts) as root: /bin/sh",
        ),
    ],
)
async def test_a_command_of_sudo_shows_without_its_secrets(tmp_path: Path, message: str, what: str) -> None:
    """And whether it was refused."""
    (entry,) = (await look(tmp_path, by_sudo(message))).entries
    assert (entry.what, entry.by) == (what, "dora")


async def test_a_secret_that_sudo_has_cut_in_two_is_hidden(tmp_path: Path) -> None:
    """A long command is logged in pieces."""
    first = by_sudo("dora : TTY=pts/0 ; USER=root ; COMMAND=/bin/tool --password", at=ago(2))
    other = by_sudo("eve : TTY=pts/1 ; USER=root ; COMMAND=/bin/true", at=ago(1.9), process=8)
    rest = by_sudo("dora : (command continued) hunter2 orders", at=ago(1.8))
    entries = (await look(tmp_path, first, other, rest)).entries
    assert [entry.what for entry in entries] == [
        "ran as root: /bin/true",
        "ran as root: /bin/tool --password *** orders",
    ]


async def test_a_program_that_only_calls_itself_sudo_accuses_nobody(tmp_path: Path) -> None:
    """Any user can write what he likes to the journal."""
    forged = by_sudo("dora : TTY=pts/0 ; USER=root ; COMMAND=/bin/rm -rf /srv", program="/home/eve/sudo")
    (entry,) = (await look(tmp_path, forged)).entries
    assert (entry.by, entry.known_by) == ("", "forged: /home/eve/sudo of uid 1000 said that it was dora")


async def test_packages_and_units_show(tmp_path: Path) -> None:
    """Of PackageKit what changes packages, of units what systemd says of those that are named."""
    kit = {"_COMM": "packagekitd"}
    collected = await look(
        tmp_path,
        Entry(ago(9), "get-updates transaction /1_a from uid 1000 finished with success after 1ms", fields=kit),
        Entry(ago(8), "install-packages transaction /2_b from uid 1000 finished with success after 9ms", fields=kit),
        Entry(ago(7), "Stopped orders.service - Orders.", fields={"_PID": "1", "UNIT": "orders.service"}),
        Entry(ago(6), "Stopped other.service - Other.", fields={"_PID": "1", "UNIT": "other.service"}),
        Entry(ago(5), "Stopped orders.service - says who?", fields={"_PID": "99", "UNIT": "orders.service"}),
        units=("orders.service",),
    )
    assert [entry.what for entry in collected.entries] == [
        "Stopped orders.service - Orders.",
        "install-packages transaction /2_b from uid 1000 finished with success after 9ms",
    ]
    assert [entry.by for entry in collected.entries] == ["", "uid 1000"]


async def test_what_the_journal_has_not_kept_is_lost(tmp_path: Path) -> None:
    """Its rate limit, its own losses and messages too long to read; those of other services are of no interest."""
    collected = await look(
        tmp_path,
        Entry(ago(9), "Suppressed 120 messages from session-3.scope", fields=DRIVER),
        Entry(ago(8), "Suppressed 999 messages from nginx.service", fields=DRIVER),
        Entry(ago(7), "Missed 3 kernel messages", fields=DRIVER),
        Entry(ago(6), "Suppressed 55 messages from session-3.scope", fields={"_COMM": "sudo", "_TRANSPORT": "syslog"}),
        by_sudo(f"dora : TTY=pts/0 ; USER=root ; COMMAND=/bin/echo {'x' * 5000}"),
    )
    assert collected.coverage.lost == 124
    assert collected.coverage.why == "124 messages were lost, suppressed or too long"


async def test_while_journald_was_stopped_nothing_was_seen(tmp_path: Path) -> None:
    """That is a hole, and before its oldest entry it sees nothing."""
    stop = Entry(ago(600), "Journal stopped", fields={**DRIVER, "MESSAGE_ID": STOPPED})
    start = Entry(ago(300), "Journal started", fields={**DRIVER, "MESSAGE_ID": STARTED})
    span = last(timedelta(hours=3))
    coverage = (await look(tmp_path, stop, start, span=span)).coverage
    (hole,) = coverage.holes
    assert (hole.since, hole.until) == (stop.at, start.at)
    assert coverage.unseen(span)[0] == Span(span.since, coverage.since)
    assert coverage.why.startswith("nothing is known of before ")


async def test_a_damaged_file_is_no_empty_answer(tmp_path: Path) -> None:
    """What journalctl complains of counts."""
    whole = write(tmp_path / "whole.journal", Entry(ago(5), "it"))
    (tmp_path / "cut.journal").write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(
        SourceError, match=r"the journal of .* cannot be read: .* Is its account in the group systemd-journal"
    ):
        await looked({"kind": "journal", "file": f"{tmp_path}/*.journal"}, folder=tmp_path)


async def test_who_may_not_read_is_told_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journalctl ends well and shows nothing; asked to be quiet, it would not even say why."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    hint = "echo 'Hint: You are currently not seeing messages from other users.' >&2"
    program.write_text(f'#!/bin/sh\ncase " $* " in *" --quiet "*|*" -q "*) ;; *) {hint};; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(SourceError, match=r"other users\. Is its account in the group systemd-journal\?"):
        await looked({"kind": "journal"}, folder=tmp_path)
