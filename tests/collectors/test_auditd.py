"""What `auditd` shows, with Debian's ausearch and aureport on logs in auditd's format."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.collection import Collected, Span
from collector_fixtures.auditd import WHO, edited, record
from step_fixtures import need
from support.looking import last, looked

STATUS = "enabled 1\nfailure 1\npid 600\nlost 0\nbacklog 0\n"
RULES = "-w /etc -p wa -k etc\n-a always,exit -F arch=b64 -S execve -F key=run\n"
SET = "type=CONFIG_CHANGE {}: auid=1000 ses=3 op=set audit_enabled=%d old=%d res=1"


def ago(seconds: float) -> datetime:
    """Return a moment before now."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log that began two hours ago."""
    need("ausearch", "aureport")
    file = tmp_path / "audit.log"
    record(file, "type=DAEMON_START {}: op=start auid=4294967295 pid=600 uid=0 res=success", at=ago(7200))
    return file


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose `-s` and `-l` auditctl prints: what this machine's kernel says is of no use here."""
    (tmp_path / "-s").write_text(STATUS)
    (tmp_path / "-l").write_text(RULES)
    program = tmp_path / "bin" / "auditctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec cat "{tmp_path}/$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return tmp_path


async def look(log: Path, span: Span | None = None, kept: dict[str, Any] | None = None, **fields: Any) -> Collected:
    """Return what shows of a log."""
    settings = {"kind": "auditd", "log": str(log), "within": "30s", **fields}
    return await looked(settings, folder=log.parent / "kept", span=span, kept=kept)


@pytest.mark.usefixtures("kernel")
async def test_a_command_shows_with_its_arguments_and_without_its_secrets(log: Path) -> None:
    """The kernel writes them in hex where they could mislead, and long ones in pieces."""
    fields = f"arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=1 {WHO}"
    call = f'type=SYSCALL {{}}: {fields} comm="mysql" exe="/usr/bin/mysql" key=(null)'
    hexed = b"--password=hunter2 x".hex().upper()
    arguments = f'type=EXECVE {{}}: argc=4 a0="mysql" a1={hexed} a2[0]="orders" a2[1]="-db" a3=65722C2064'
    record(
        log,
        call,
        arguments,
        'type=PATH {}: item=0 name="/usr/bin/mysql" inode=5 dev=08:01 mode=0100755 nametype=NORMAL',
    )
    (entry,) = (await look(log)).entries
    assert entry.object == f"{socket.gethostname()}:/usr/bin/mysql"
    assert entry.what == "ran: mysql --password=*** orders-db 'er, d'"
    assert (entry.by, entry.known_by) == ("uid 1000", "login uid of auditd, whose log has no names")


@pytest.mark.usefixtures("kernel")
async def test_a_program_is_the_file_that_was_run_and_not_what_it_calls_itself(log: Path) -> None:
    """Whoever starts a program chooses its first argument, and a program may rewrite its title."""
    title = b"apt-get\0-y\0upgrade".hex().upper()
    fields = f"arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=1 {WHO}"
    record(
        log,
        f'type=SYSCALL {{}}: {fields} comm="apt-get" exe="/home/eve/perl" key=(null)',
        'type=EXECVE {}: argc=3 a0="apt-get" a1="-y" a2="upgrade"',
    )
    record(
        log,
        *[line for line in edited('"/etc/shadow"') if "PROCTITLE" not in line],
        f"type=PROCTITLE {{}}: proctitle={title}",
    )
    entries = (await look(log)).entries
    edit, run = sorted(entries, key=lambda entry: entry.command)
    assert (run.what, run.command) == ("ran: apt-get -y upgrade", "/home/eve/perl -y upgrade")
    assert "apt-get -y upgrade" in edit.what
    assert edit.command == ""


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("call", ["a2=80000", "success=no"])
async def test_what_was_only_read_or_refused_is_no_change(log: Path, call: str) -> None:
    """Rules often record reading too."""
    record(log, *edited('"/etc/hosts"', call=call))
    assert (await look(log)).entries == ()


@pytest.mark.usefixtures("kernel")
async def test_events_that_are_mixed_up_are_told_apart(log: Path) -> None:
    """Processors write their records in turns; a path may be relative."""
    first, second = edited("6F6E65"), edited('"/etc/two"', names="")
    record(log, *first)
    record(log, *second)
    lines = log.read_bytes().splitlines(keepends=True)
    mixed = [line for pair in zip(lines[1:6], lines[6:], strict=True) for line in pair]
    log.write_bytes(b"".join([lines[0], *mixed]))
    entries = {entry.object.partition(":")[2]: entry.by for entry in (await look(log)).entries}
    assert entries == {"/root/one": "dora", "/etc/two": "uid 1000"}


@pytest.mark.usefixtures("kernel")
async def test_a_service_is_nobody(log: Path) -> None:
    """Without a login there is no login uid."""
    record(log, *edited('"/etc/hosts"', call="", names="")[:1], edited('"/etc/hosts"')[3])
    text = log.read_text().replace("auid=1000", "auid=4294967295")
    log.write_text(text)
    (entry,) = (await look(log)).entries
    assert (entry.by, entry.known_by) == ("", "no login uid: a service, or a program that the system started")


@pytest.mark.usefixtures("kernel")
async def test_while_auditing_was_off_nothing_was_seen(log: Path) -> None:
    """Whoever switches it off is an entry himself."""
    record(log, SET % (0, 1), at=ago(900))
    record(log, SET % (1, 0), at=ago(300))
    collected = await look(log)
    (hole,) = collected.coverage.holes
    assert abs(hole.until - hole.since - timedelta(seconds=600)) < timedelta(milliseconds=10)  # written apart
    assert collected.entries[1].what == "config_change: op=set audit_enabled=0 old=1 res=1"
    assert collected.entries[1].by == "uid 1000"


async def test_what_is_off_now_sees_nothing_after_its_last_record(log: Path, kernel: Path) -> None:
    """An empty answer is not `nothing changed`."""
    record(log, *edited('"/etc/hosts"'), at=ago(600))
    (kernel / "-s").write_text(STATUS.replace("enabled 1", "enabled 0"))
    span = last(timedelta(hours=1))
    coverage = (await look(log, span)).coverage
    assert coverage.why == "auditing is off"
    assert coverage.unseen(span)[-1].until == span.until
    assert ago(602) < coverage.until < ago(598)


async def test_a_path_without_a_rule_is_named(log: Path, kernel: Path) -> None:
    """Nothing is known of it; without any rule, of nothing."""
    assert (await look(log, paths=("/etc/nginx", "/opt"))).coverage.why == "no rule of auditd watches /opt"
    (kernel / "-l").write_text("No rules\n")
    span = last(timedelta(hours=1))
    coverage = (await look(log, span)).coverage
    assert coverage.why == "auditd has no rules, so nothing is recorded"
    assert coverage.unseen(span) == (span,)


@pytest.mark.parametrize(
    ("rules", "is_watched"),
    [
        ("-w /etc -p wa -k etc", True),
        ("-a always,exit -S all -F dir=/etc -F perm=wa -F key=etc", True),
        ("-a always,exit -F arch=b64 -S openat -F dir=/etc", True),
        ("-a never,exit -S all -F dir=/etc", False),
        ("-A exit,never -F dir=/etc", False),
        ("-w /etc -p rx", False),
        ("-w /etc/nginx/conf.d -p wa", False),
    ],
    ids=["a watch", "a rule", "of calls", "taken out", "as it was once written", "of reads", "of less than that"],
)
async def test_a_rule_that_records_no_writes_watches_nothing(
    log: Path, kernel: Path, rules: str, *, is_watched: bool
) -> None:
    """A rule that keeps a path out of the log does not watch it."""
    (kernel / "-l").write_text(f"{rules}\n")
    blind = (await look(log, paths=("/etc/nginx",))).coverage.blind
    assert blind == ({} if is_watched else {"changes of /etc/nginx": "no rule of auditd watches /etc/nginx"})


async def test_records_that_the_kernel_lost_are_counted_once(log: Path, kernel: Path) -> None:
    """From the second look on it is known when; a smaller count is a new one."""
    kept: dict[str, Any] = {}
    (kernel / "-s").write_text(STATUS.replace("lost 0", "lost 7"))
    assert (await look(log, kept=kept)).coverage.lost == 7
    (kernel / "-s").write_text(STATUS.replace("lost 0", "lost 9"))
    coverage = (await look(log, Span(datetime.now(UTC), datetime.now(UTC)), kept=kept)).coverage
    assert (coverage.lost, coverage.why) == (2, "the kernel lost 2 records")
    (kernel / "-s").write_text(STATUS.replace("lost 0", "lost 3"))
    assert (await look(log, Span(datetime.now(UTC), datetime.now(UTC)), kept=kept)).coverage.lost == 3


async def test_who_may_not_ask_the_kernel_still_reads_the_log(log: Path, kernel: Path) -> None:
    """And it says what is unknown."""
    record(log, *edited('"/etc/hosts"'))
    (kernel / "bin" / "auditctl").write_text("#!/bin/sh\necho 'You must be root to run this program.' >&2; exit 4\n")
    collected = await look(log)
    assert len(collected.entries) == 1
    unknown = "whether auditing is on, and how much was lost, is unknown: You must be root to run this program"
    assert collected.coverage.why == unknown
