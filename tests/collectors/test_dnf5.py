"""Packages of a host with dnf5: its history as recorded, beside a real database of rpm."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from changewindow.collectors.packages import EXAMPLE
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from servers.packages import Rpm
from support.looking import looked

HOST = socket.gethostname()
AT = 1_932_000_000
DAY = Span(datetime.fromtimestamp(AT - 3600, UTC), datetime.fromtimestamp(AT + 82_800, UTC))


def transaction(number: int, line: str, *packages: tuple[str, str], began: int = AT, **fields: Any) -> dict[str, Any]:
    """Return a transaction as `dnf5 history info --json` prints it, with every field that it has."""
    return {
        "id": number,
        "start_time": began,
        "end_time": began + 4,
        "rpmdb_version_begin": "3f0c",
        "rpmdb_version_end": "9ab1",
        "user_id": 1000,
        "user_name": "1000 Dora Diaz <dora>",
        "status": "Ok",
        "releasever": "44",
        "description": line,
        "comment": "",
        "packages": [
            {"nevra": nevra, "action": action, "reason": "User", "repository": "updates"} for action, nevra in packages
        ],
        "groups": [],
        "environments": [],
        **fields,
    }


SECRET = "dnf install https://u:***@repo/new-name.rpm"
BROKEN = "dnf reinstall glibc, in a transaction that did not end well"
UPGRADED = "package upgraded (noarch) by dnf -y upgrade grub2-common"
HISTORY = [
    transaction(
        7,
        "dnf -y upgrade grub2-common",
        ("Upgrade", "grub2-common-1:2.12-66.fc44.noarch"),
        ("Replaced", "grub2-common-1:2.12-64.fc44.noarch"),
    ),
    transaction(8, "dnf remove nmap", ("Remove", "nmap-4:7.92-5.fc44.x86_64"), began=AT + 60),
    transaction(
        9,
        "dnf downgrade gnutls",
        ("Downgrade", "gnutls-3.8.8-1.fc44.x86_64"),
        ("Replaced", "gnutls-3.8.9-1.fc44.x86_64"),
        began=AT + 120,
        user_id=0,
        user_name="0",
    ),
    transaction(
        10,
        "dnf install https://u:pass-word@repo/new-name.rpm",
        ("Install", "new-name-2-1.fc44.x86_64"),
        ("Replaced", "old-name-1-1.fc44.x86_64"),
        ("Reason Change", "glibc-2.43-3.fc44.x86_64"),
        began=AT + 180,
    ),
    transaction(
        11,
        "dnf reinstall glibc",
        ("Reinstall", "glibc-2.43-3.fc44.x86_64"),
        began=AT + 240,
        end_time=0,
        status="Started",
    ),
]


SHOWN = [
    ("grub2-common", UPGRADED, "1:2.12-64.fc44", "1:2.12-66.fc44", "dora"),
    ("nmap", "package removed (x86_64) by dnf remove nmap", "4:7.92-5.fc44", "", "dora"),
    ("gnutls", "package downgraded (x86_64) by dnf downgrade gnutls", "3.8.9-1.fc44", "3.8.8-1.fc44", "uid 0"),
    ("old-name", f"package removed, as another one replaces it (x86_64) by {SECRET}", "1-1.fc44", "", "dora"),
    ("new-name", f"package installed (x86_64) by {SECRET}", "", "2-1.fc44", "dora"),
    ("glibc", f"package reinstalled (x86_64) by {BROKEN}", "2.43-3.fc44", "2.43-3.fc44", "dora"),
]


@pytest.fixture
def rpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rpm:
    """Return a database of rpm on a host whose dnf5 prints what `history.json` holds."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "dnf5"
    program.write_text(
        '#!/bin/sh\n[ "$*" = "history info --json last-199..last" ] || { echo "Unknown argument: $*" >&2; exit 2; }\n'
        f"cat {tmp_path}/history.json\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    rpm = Rpm(tmp_path)
    rpm.install("stays", "1.0")
    return rpm


async def look(rpm: Rpm, history: Any, span: Span | None = None, **fields: Any) -> Collected:
    """Return what the collector sees."""
    kept = fields.pop("kept", None)
    (rpm.folder / "history.json").write_text(history if isinstance(history, str) else json.dumps(history))
    settings = {**EXAMPLE, "connection": None, "manager": "dnf5", "database": str(rpm.database), "within": "60s"}
    return await looked({**settings, **fields}, folder=rpm.folder / "kept", span=span, kept=kept)


def brief(entry: Entry) -> tuple[str, ...]:
    """Return the package, what was done and by which command, its versions, and who did it."""
    return entry.object.removeprefix(f"{HOST}:"), entry.what, entry.before, entry.after, entry.by


async def test_each_kind_of_change_shows_with_its_command_and_who_gave_it(rpm: Rpm) -> None:
    """Upgrades and downgrades with the version before; what did not end well says so; no password is shown."""
    collected = await look(rpm, HISTORY, DAY)
    assert [brief(entry) for entry in reversed(collected.entries)] == SHOWN
    assert {entry.known_by for entry in collected.entries} == {"login uid in dnf5's history"}
    assert collected.entries[-1].command == "dnf -y upgrade grub2-common"
    assert collected.entries[-1].at == datetime.fromtimestamp(AT + 4, UTC)


async def test_what_rpm_alone_has_done_shows_beside_it(rpm: Rpm) -> None:
    """And what both know shows once."""
    now = int(datetime.now(UTC).timestamp())
    installed = transaction(1, "dnf install stays", ("Install", "stays-1.0-1.noarch"), began=now - 30, end_time=now)
    rpm.install("by-hand", "3.0")
    entries = {brief(entry)[0]: entry for entry in (await look(rpm, [installed], kept={})).entries}
    assert entries["stays"].command == "dnf install stays"
    assert entries["by-hand"].known_by == "it is not in dnf5's history, and rpm does not record who installed a package"
    assert len(entries) == 2


async def test_the_same_version_that_rpm_installs_again_is_not_taken_for_the_one_of_dnf5(rpm: Rpm) -> None:
    """It is matched by its time too."""
    before = transaction(1, "dnf install stays", ("Install", "stays-1.0-1.noarch"), began=AT - 200_000_000)
    (entry,) = (await look(rpm, [before])).entries
    assert entry.known_by.startswith("it is not in dnf5's history")


async def test_a_history_that_begins_later_says_so(rpm: Rpm) -> None:
    """What was before it, nobody knows."""
    coverage = (await look(rpm, HISTORY, DAY)).coverage
    assert coverage.unseen(DAY) == (Span(DAY.since, datetime.fromtimestamp(AT, UTC)),)
    assert coverage.why.endswith(f"dnf5's history begins {datetime.fromtimestamp(AT, UTC):%Y-%m-%d %H:%M} UTC")


@pytest.mark.parametrize("printed", ["", "No match found\n", "{}", '[{"id": 1}]', '[{"start_time": 1e99}]', "[null]"])
async def test_what_is_no_history_is_an_error(rpm: Rpm, printed: str) -> None:
    """It says from which version on dnf5 prints JSON."""
    with pytest.raises(SourceError, match=r"no JSON, as it is from 5\.3 on: .*\. Update it, or write `manager: rpm`"):
        await look(rpm, printed if printed != "{}" else '{"a": 1}')
