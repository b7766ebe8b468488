"""What our own collectors run by sudo is no silent change; anything else by the same account is one."""

import pwd
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from os import geteuid
from pathlib import Path

import pytest

from changewindow.changes.gathering import Surroundings, gather
from changewindow.changes.own_looks import as_looks, own_look
from changewindow.errors import UnknownConnection
from changewindow.systems.collection import Collected, Coverage, Entry
from changewindow.systems.connection import Connection
from changewindow.systems.place import Place
from collector_fixtures.journal import by_sudo
from servers.journals import Entry as Line
from servers.journals import write
from support.looking import collector, last

AT = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
AUDIT = {"kind": "auditd", "connection": "web_3", "sudo": True}
WEB_3 = Place(sort="host", name="web-3.example.com")
RAN = Entry(
    *(AT, "web-3.example.com:sudo", "ran as root: /usr/sbin/auditctl -s"),
    by="looker",
    command="/usr/sbin/auditctl -s",
    is_run=True,
    place=WEB_3,
)
ETC = {"kind": "etckeeper", "connection": "web_3", "sudo": True}
STATUS = "git --no-optional-locks -C /etc status --porcelain=v1 -z --untracked-files=all --no-renames"


async def connect(name: str) -> Connection:
    """Return the connection of the collectors."""
    return Connection(name, "ssh", "web-3.example.com", login="looker")


async def is_ours(entry: Entry, *settings: dict[str, object]) -> bool:
    """Return whether an entry is shown as a look of these collectors."""
    own = [await own_look("it", collector(each), connect) for each in settings or (AUDIT,)]
    seen = Collected((entry,), Coverage(AT, AT))
    (shown,) = as_looks(seen, [each for each in own if each]).entries
    assert shown.is_symptom == ("as the collector it does; it only reads" in shown.what)
    return shown.is_symptom


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("/usr/sbin/auditctl -s", AUDIT),
        ("/sbin/auditctl -l", AUDIT),
        ("/usr/bin/sudo -n -- auditctl -s", AUDIT),
        (f"/usr/bin/{STATUS}", ETC),
        (
            "/usr/bin/tail -c 8388608 -- /var/ossec/logs/alerts/alerts.json",
            {"kind": "ossec", "sudo": True, "connection": "web_3"},
        ),
        (
            "/usr/bin/cat -- /var/x.yaml",
            {"kind": "puppet", "report": "/var/x.yaml", "sudo": True, "connection": "web_3"},
        ),
        ("/usr/bin/aide --config=/etc/aide/aide.conf --check", {"kind": "aide", "sudo": True, "connection": "web_3"}),
    ],
)
async def test_a_line_that_a_collector_gives_is_a_look(command: str, settings: dict[str, object]) -> None:
    """Each kind that uses sudo; with the path that sudo has found, and as auditd sees sudo itself."""
    assert await is_ours(replace(RAN, command=command), settings)


@pytest.mark.parametrize(
    "other",
    [
        replace(RAN, command="/usr/sbin/auditctl -D"),
        replace(RAN, command="/usr/sbin/auditctl -s -e 0"),
        replace(RAN, command="/usr/sbin/auditctl"),
        replace(RAN, command="/home/eve/auditctl -s"),
        replace(RAN, command="/bin/sh -c auditctl -s"),
        replace(RAN, by="eve"),
        replace(RAN, by=""),
        replace(RAN, place=Place(sort="host", name="web-4.example.com")),
        replace(RAN, place=None),
        replace(RAN, command=""),
        replace(RAN, is_run=False),
    ],
    ids=[
        "another option",
        "one argument more",
        "one less",
        "a program of the same name elsewhere",
        "by a shell",
        "another account",
        "nobody knows who",
        "another host",
        "nobody knows where",
        "a line that was refused, or that anybody could have written",
        "what a command has done",
    ],
)
async def test_everything_else_stays_visible(other: Entry) -> None:
    """Also by the same account: whoever has stolen its key is seen."""
    assert not await is_ours(other)


async def test_without_sudo_there_is_nothing_to_recognise() -> None:
    """The collector gives no such line then."""
    assert not await is_ours(RAN, {**AUDIT, "sudo": False})


def test_a_journal_shows_the_look_of_another_collector_as_one(tmp_path: Path) -> None:
    """Even if that one could not look; what else the account has done is no look."""
    account, at = pwd.getpwuid(geteuid()).pw_name, datetime.now(UTC) - timedelta(minutes=5)
    lines = [
        by_sudo(
            f"{account} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/sbin/auditctl {option}", at=at, process=number
        )
        for number, option in enumerate(("-s", "-D"))
    ]
    file = write(tmp_path / "it.journal", Line(at - timedelta(hours=1), "begin"), *lines)
    asked = {
        "audit": collector({"kind": "auditd", "log": "/nowhere", "sudo": True}),
        "log": collector({"kind": "journal", "file": str(file), "within": "20s"}),
    }

    async def nobody(name: str) -> Connection:
        raise UnknownConnection(name)

    looks = gather(asked, last(timedelta(minutes=30)), Surroundings(nobody, tmp_path, b"k"), limit=30)
    (seen,) = [look.collected for look in looks if look.name == "log"]
    assert seen
    assert sorted((entry.command, entry.is_symptom) for entry in seen.entries) == [
        ("/usr/sbin/auditctl -D", False),
        ("/usr/sbin/auditctl -s", True),
    ]
