"""Packages that are really installed: by apt and dpkg, or by rpm, in a root folder of their own."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from step_fixtures import need

APT = """
Dir::State "{folder}/state";
Dir::State::status "{folder}/root/var/lib/dpkg/status";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}/log/apt";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "root";
DPkg::Pre-Install-Pkgs "";
DPkg::Options {{ "--admindir={folder}/root/var/lib/dpkg"; "--instdir={into}"; }};
DPkg::Options {{ "--log={folder}/log/dpkg.log"; "--force-all"; }};
"""
CONTROL = "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.com>\nDescription: probe\n"
SPEC = """
Name: {name}
Version: {version}
Release: 1
Summary: probe
License: none
BuildArch: noarch
%description
probe
%files
"""


@dataclass(frozen=True)
class Debian:
    """A root folder into which apt and dpkg install; or files of this machine, whose paths have to be a test's own."""

    folder: Path
    into: Path | None = None
    """Where files go, if not into the root folder."""

    def __post_init__(self) -> None:
        need("apt-get", "dpkg-deb")
        for name in ("root/var/lib/dpkg/info", "root/var/lib/dpkg/updates", "root/var/lib/dpkg/triggers", "log/apt"):
            (self.folder / name).mkdir(parents=True)
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "root/var/lib/dpkg/status").touch()
        (self.folder / "apt.conf").write_text(APT.format(folder=self.folder, into=self.into or self.folder / "root"))

    @property
    def logs(self) -> Path:
        """Return the folder of dpkg.log and apt's logs."""
        return self.folder / "log"

    def install(
        self, name: str, version: str, *, by: int | None = None, files: Mapping[Path, str] | None = None
    ) -> None:
        """Install a version of a package with apt, as somebody who has used sudo, or as root."""
        package = self._built(name, version, files or {})
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
        if by is not None:
            environment["SUDO_UID"] = str(by)
        _run("apt-get", "-qq", "-y", "--allow-downgrades", "install", f"./{package.name}", at=package, env=environment)

    def dpkg(self, *arguments: str) -> None:
        """Run dpkg itself."""
        where = (f"--root={self.folder}/root", f"--log={self.logs}/dpkg.log", "--force-all")
        _run("dpkg", *where, *arguments, at=self.folder / "apt.conf")

    def _built(self, name: str, version: str, files: Mapping[Path, str]) -> Path:
        source = self.folder / f"{name}-{version}"
        (source / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (source / "DEBIAN" / "control").write_text(CONTROL.format(name=name, version=version))
        for path, text in files.items():
            packed = source / path.relative_to("/")
            packed.parent.mkdir(parents=True, exist_ok=True)
            packed.write_text(text)
        settings = [f"{path}\n" for path in files if path.suffix == ".conf"]
        (source / "DEBIAN" / "conffiles").write_text("".join(settings))
        _run("dpkg-deb", "--build", str(source), str(source.with_suffix(".deb")), at=source)
        return source.with_suffix(".deb")


@dataclass(frozen=True)
class Rpm:
    """A database of rpm, with packages that were built for it."""

    folder: Path

    def __post_init__(self) -> None:
        need("rpm", "rpmbuild")

    @property
    def database(self) -> Path:
        """Return its folder."""
        return self.folder / "db"

    def run(self, *arguments: str) -> None:
        """Run rpm on it."""
        _run("rpm", "--dbpath", str(self.database), *arguments, at=self.folder / "it")

    def built(self, name: str, version: str) -> str:
        """Return the file of a package."""
        spec = self.folder / f"{name}.spec"
        spec.write_text(SPEC.format(name=name, version=version))
        top = self.folder / "top"
        _run("rpmbuild", "-bb", "--define", f"_topdir {top}", str(spec), at=spec)
        return str(top / "RPMS" / "noarch" / f"{name}-{version}-1.noarch.rpm")

    def install(self, name: str, version: str) -> None:
        """Install or change a package."""
        self.run("-U", "--justdb", "--nodeps", "--oldpackage", self.built(name, version))


def _run(*arguments: str, at: Path, env: dict[str, str] | None = None) -> None:
    assert shutil.which(arguments[0])
    ran = subprocess.run(arguments, cwd=at.parent, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
