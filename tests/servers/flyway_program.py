"""Flyway's own command line, fetched with Maven once and kept outside the repository."""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from servers.warm_flyway import warm
from step_fixtures import need

VERSION = "12.4.0"
KEPT = Path.home() / ".cache" / "changewindow-tests" / f"flyway-{VERSION}"
ARTIFACTS = {
    "org.flywaydb:flyway-commandline": VERSION,
    "org.flywaydb:flyway-core": VERSION,
    "org.flywaydb:flyway-database-postgresql": VERSION,
    "org.postgresql:postgresql": "42.7.4",
    "tools.jackson.dataformat:jackson-dataformat-toml": "3.1.1",
}
ALONE = {"org.flywaydb:flyway-commandline"}
"""It names the drivers of every database there is; we take the one for PostgreSQL."""
START = """#!/bin/sh
here=$(dirname "$0")
classes="$here/classes.jsa"
jars=$(printf '%s:' "$here"/*.jar)
options="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xlog:disable"
main="org.flywaydb.commandline.Main -skipCheckForUpdate"
if ! test -e "$classes"; then
  java $options "-XX:ArchiveClassesAtExit=$classes.$$" -cp "$jars" $main info -url=jdbc:postgresql://127.0.0.1:1/x \\
    > /dev/null 2>&1
  mv "$classes.$$" "$classes"
fi
exec java $options "-XX:SharedArchiveFile=$classes" -cp "$jars" $main "$@"
"""
"""Its first start keeps Flyway's classes as Java has read and checked them: half of what each start would take."""


def flyway() -> str:
    """Return Flyway as a program; a test that needs it is skipped where it cannot be fetched."""
    return str(warm(_cold()))


@cache
def _cold() -> Path:
    """Return it as it is started anew for each question."""
    need("java")
    program = KEPT / "flyway"
    if not program.exists():
        need("mvn")
        _fetch(program)
    if program.read_text() != START:
        _replace(program)
    return program


def _replace(program: Path) -> None:
    """Write the program anew; other processes may start it at this moment."""
    with tempfile.NamedTemporaryFile("w", dir=KEPT, delete=False) as new:
        new.write(START)
    Path(new.name).chmod(0o755)
    Path(new.name).replace(program)


def _fetch(program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_parent()) as folder:
        (Path(folder) / "pom.xml").write_text(_project())
        command = ["mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        fetched = subprocess.run(
            [*command, "-DoutputDirectory=jars"], cwd=folder, capture_output=True, text=True, check=False
        )
        if fetched.returncode:
            pytest.skip(f"Maven cannot fetch Flyway: {fetched.stdout.strip().splitlines()[:1]}")
        start = Path(folder) / "jars" / "flyway"
        start.write_text(START)
        start.chmod(0o755)
        try:
            os.rename(start.parent, KEPT)  # noqa: PTH104  one of several processes that fetch it wins
        except OSError:
            shutil.rmtree(start.parent)
    assert program.exists()


def _parent() -> Path:
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    return KEPT.parent


def _project() -> str:
    """Return a Maven project that depends on what Flyway needs for PostgreSQL."""
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    needed = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        f"{alone if f'{group}:{name}' in ALONE else ''}</dependency>"
        for (group, _, name), version in ((artifact.partition(":"), version) for artifact, version in ARTIFACTS.items())
    )
    names = "<groupId>changewindow</groupId><artifactId>flyway</artifactId><version>1</version>"
    head = f"<modelVersion>4.0.0</modelVersion>{names}<packaging>pom</packaging>"
    return f"<project>{head}<dependencies>{needed}</dependencies></project>\n"
