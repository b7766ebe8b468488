"""The wheel in an Airflow that knows nothing of this checkout.

A fresh virtual environment gets the wheel with the dependencies its metadata asks for, at the versions of the lock.
Airflow runs there with what `changewindow dags install` tells its operators to set, and nothing else: no PYTHONPATH, no
folder of plugins. It ends where Airflow has stored the DAG of a change: what its tasks do is the same code as anywhere.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from changewindow import __version__
from support.layout import INCLUDE, ROOT

PUBLISH = """
import json, sys
from datetime import UTC, datetime
from changewindow import settings
from changewindow.changes.publication import publish
from changewindow.cli.tickets import load_file
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ledger.seal import Seal
from changewindow.policy.check import Facts
from pathlib import Path

now = datetime.now(UTC)
data = load_file(Path(sys.argv[1]), Facts(now=now)).data
change = changes.submit(Ledger(sys.argv[2]), data, requester="alice", now=now).change
print(publish(settings.read().published, change, data, Seal()))
"""
STORED = """
import json
import changewindow
from airflow import plugins_manager
from airflow.models.errors import ParseImportError
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import select

with create_session() as session:
    stored = {row.dag_id: row.data for row in session.scalars(select(SerializedDagModel))}
    errors = [error.stacktrace for error in session.scalars(select(ParseImportError))]
print(json.dumps({
    "package": changewindow.__file__,
    "dags": sorted(stored),
    "errors": errors,
    "timetables": [data["dag"]["timetable"]["__type"] for name, data in stored.items() if name.startswith("CHG-")],
    "plugins": [str(plugin.source) for plugin in plugins_manager._get_plugins()[0] if plugin.name == "changewindow"],
    "plugin errors": plugins_manager._get_plugins()[1],
}))
"""


BESIDE = Path.home() / ".cache" / "changewindow-tests"
"""On the disk of uv's cache, whose files it links to; elsewhere it would copy all of Airflow, and Python compile it."""
pytestmark = pytest.mark.xdist_group("the installed wheel")


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, and an Airflow home of its own."""

    wheel: Path
    folder: Path

    @property
    def ledger(self) -> Path:
        """Return the file of the ledger."""
        return self.folder / "ledger.db"

    def run(self, program: str, *arguments: str | Path, **settings: str) -> str:
        """Run a program of the virtual environment, with no more than an operator would set; return its output."""
        environment = {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": f"{self.folder / 'venv' / 'bin'}{os.pathsep}{os.defpath}",
            "AIRFLOW_HOME": str(self.folder / "home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_CHANGEWINDOW_LEDGER": json.dumps({"conn_type": "sqlite", "host": str(self.ledger)}),
            **settings,
        }
        command = [self.folder / "venv" / "bin" / program, *arguments]
        ended = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=600
        )
        assert ended.returncode == 0, f"{command} failed:\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """Build the wheel and install it: from the cache that the lock has filled, or else from the registry."""
    BESIDE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BESIDE) as made:
        folder = Path(made)
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
        wheel = next(folder.glob("*.whl"))
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, folder / "venv"], check=True)
        install = [*uv, "pip", "install", "--python", folder / "venv" / "bin" / "python"]
        install += ["--constraint", ROOT / "requirements.txt", wheel]
        if subprocess.run([*install, "--offline"], check=False, stderr=subprocess.DEVNULL).returncode:
            subprocess.run(install, check=True)
        share_bytecode(next((folder / "venv").glob("lib/*/site-packages")))
        yield Installed(wheel, folder)


def share_bytecode(packages: Path) -> None:
    """Let it use what is compiled here: uv gives both the same files, and Python looks whether they are older."""
    here = Path(sysconfig.get_path("purelib"))
    for compiled in here.rglob("__pycache__"):
        place = packages / compiled.relative_to(here)
        if place.parent.is_dir() and not place.exists():
            place.symlink_to(compiled)


def test_the_wheel_holds_every_file_of_the_package_and_no_other(installed: Installed) -> None:
    """Data files too: the ticket to start from, migrations, DAG files, policy and templates; the demo stays here."""
    package = INCLUDE / "changewindow"
    wanted = {
        os.path.relpath(Path(folder) / name, INCLUDE)
        for folder, _, names in os.walk(package, followlinks=True)
        for name in names
        if not name.endswith(".pyc")
    }
    with zipfile.ZipFile(installed.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted
    assert {f"changewindow/shipped/{name}" for name in ("dags/request_change.py", "policy/services.yaml")} < held


def test_the_command_needs_nothing_else(installed: Installed, tmp_path: Path) -> None:
    """It knows its version, a ticket to start from, and a policy to judge tickets by."""
    assert installed.run("changewindow", "--version") == f"changewindow {__version__}\n"
    assert "<service affected>" in installed.run("changewindow", "new")
    tickets = sorted((INCLUDE / "tickets").glob("*.yaml"))
    assert json.loads(installed.run("changewindow", "lint", "--json", *tickets)) == {"findings": []}
    assert ["steps", "alembic"] in [line.split()[:2] for line in installed.run("changewindow", "kinds").splitlines()]
    assert installed.run("changewindow", "policy", "lint") == ""


def test_airflow_finds_plugin_dags_and_a_published_change(installed: Installed) -> None:
    """Without an import error, and from the installed package."""
    home = installed.folder / "home"
    instructions = installed.run("changewindow", "dags", "install", home / "dags")
    bundles = dict(re.findall(r"export (AIRFLOW__\w+)='(.*)'", instructions))
    installed.run("changewindow", "ledger", "upgrade")
    ticket = INCLUDE / "tickets" / "release.yaml"
    published = installed.run("python", "-c", PUBLISH, ticket, f"sqlite:///{installed.ledger}").strip()
    assert published == str(home / "changes" / "CHG-1001.json")
    installed.run("airflow", "db", "migrate", **bundles)
    installed.run("airflow", "dags", "reserialize", **bundles)
    stored = json.loads(installed.run("python", "-c", STORED).splitlines()[-1])
    assert Path(stored["package"]).is_relative_to(installed.folder / "venv")
    assert (stored["errors"], stored["plugin errors"]) == ([], {})
    assert stored["dags"] == sorted(["CHG-1001", *(path.stem for path in (ROOT / "dags").glob("*.py"))])
    assert stored["timetables"] == ["changewindow.flow.timetable.ChangeWindowTimetable"]
    assert [source.split(":")[0] for source in stored["plugins"]] == [f"changewindow=={__version__}"]
