"""Files that came with a package: who explains the package explains them, as long as they are as it ships them."""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes.explaining import Scope, explain
from changewindow.changes.our_changes import Act, OurChange
from collector_fixtures.aide import CONFIG, aide, settings
from servers.packages import Debian
from step_fixtures import need
from support.looking import looked

APT = ["apt-get", "-qq", "-y", "--allow-downgrades", "install", "./probe-2.deb"]


@dataclass(frozen=True)
class Upgraded:
    """A machine on which a package is upgraded, with files that aide checks."""

    folder: Path
    debian: Debian

    @property
    def etc(self) -> Path:
        """Return the folder of the files."""
        return self.folder / "etc"

    def files(self, version: str) -> dict[Path, str]:
        """Return what a version of the package ships."""
        names = ("program", "tool", "probe.conf", "other.conf")
        return {self.etc / name: f"{name} of {version}\n" for name in names} | (
            {self.etc / name: "new\n" for name in ("new", "shell", "given")} if version == "2.0" else {}
        )

    async def explained(self, *, began: timedelta = timedelta(minutes=1)) -> dict[str, tuple[str, str]]:
        """Return what explains each file that differs: the change, and why."""
        now = datetime.now(UTC)
        step = {"kind": "ssh_command", "connection": "web_3", "run": APT}
        act = Act("CHG-1042", 1, "Upgrade", now - began, announced=step, remembered={})
        change = OurChange("CHG-1042", "Upgrade", "production", ("orders",), (act,), now - began + timedelta(minutes=2))
        given = {"kind": "aide", **settings(self.folder), "check": True, "logs": str(self.debian.logs)}
        entries = (await looked(given, folder=self.folder / "kept")).entries
        said = {entry.object.rpartition("/")[2]: explain(entry, Scope("", ()), [change]) for entry in entries}
        return {name: (why.change, why.why) for name, why in said.items()}


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upgraded:
    """Return it, with aide's database of before the upgrade, which was by apt."""
    need("aide", "apt-get")
    made = Upgraded(tmp_path, Debian(tmp_path / "debian", into=Path("/")))
    made.etc.mkdir()
    (tmp_path / "bin").mkdir()
    query = tmp_path / "bin" / "dpkg-query"
    real, database = shutil.which("dpkg-query"), f"{made.debian.folder}/root/var/lib/dpkg"
    query.write_text(f'#!/bin/sh\nexec {real} --admindir={database} "$@"\n')
    query.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    made.debian.install("probe", "1.0", files=made.files("1.0"))
    (made.etc / "by-hand").write_text("1\n")
    (tmp_path / "aide.conf").write_text(CONFIG.format(folder=tmp_path))
    aide(tmp_path, "--init")
    made.debian.install("probe", "2.0", files=made.files("2.0"))
    return made


EXPLAINED = ("CHG-1042", "it is as the package probe ships it, and step 1 'Upgrade' announced this command line")


async def test_files_of_an_announced_upgrade_are_explained_and_an_edit_by_hand_in_the_same_minute_is_not(
    upgraded: Upgraded,
) -> None:
    """Also of one of the package's own files: its content, or its mode, is not what the package ships."""
    (upgraded.etc / "tool").write_text("edited\n")
    (upgraded.etc / "other.conf").write_text("edited\n")
    (upgraded.etc / "program").chmod(0o4755)
    (upgraded.etc / "shell").chmod(0o4755)
    os.chown(upgraded.etc / "given", 1, -1)
    (upgraded.etc / "by-hand").write_text("2\n")
    said = await upgraded.explained()
    assert said.pop("etc", EXPLAINED) == EXPLAINED  # its times differ, if it was not all within a second
    assert {name: change for name, (change, _) in said.items()} == {
        **dict.fromkeys(("probe.conf", "new"), "CHG-1042"),
        **dict.fromkeys(("tool", "other.conf", "program", "shell", "given", "by-hand"), ""),
    }
    assert {said[name] for name in ("probe.conf", "new")} == {EXPLAINED}


async def test_files_of_an_upgrade_that_nobody_announced_are_not_explained(upgraded: Upgraded) -> None:
    """The text names the package."""
    said = await upgraded.explained(began=timedelta(hours=1))
    assert set(said.values()) == {
        ("", "it came with the package probe, whose change nobody announced: no change acted on anything then")
    }
    assert {"program", "tool", "probe.conf", "other.conf", "new", "shell"} <= set(said)


async def test_without_the_logs_of_dpkg_nothing_is_explained(upgraded: Upgraded) -> None:
    """Nobody knows when the package was changed."""
    shutil.rmtree(upgraded.debian.logs)
    assert {change for change, _ in (await upgraded.explained()).values()} == {""}
