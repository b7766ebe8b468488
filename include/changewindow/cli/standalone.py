"""Runs the embedded default: Airflow on SQLite with the settings Change Windows needs; ends all of it."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography.fernet import Fernet

from changewindow.changes.earlier_publication import replace_earlier
from changewindow.cli.private_files import private
from changewindow.cli.supervisor import PID_FILE, end_session
from changewindow.ledger.database import Ledger
from changewindow.settings import BUNDLE, POLICY_LINK, Settings, read, shipped

ROOT = Path(__file__).resolve().parents[3]
"""The checkout; an installed package needs neither its `plugins` nor a PYTHONPATH."""
ANSWERS = {"scheduler": "scheduler", "triggerer": "triggerer", "dag_processor": "dag-processor"}
"""The components that Airflow's API tells the health of, as the API and as Airflow's command line name them."""
WORKERS = 8
"""Half of them are only for what watches, rolls back and closes; see `flow/slots.py`."""
LOCKED = 60
"""Seconds to wait for a locked database; after SQLite's own 5 a component would end."""


@dataclass(frozen=True)
class Place:
    """Where one embedded Airflow lives: its folder, its port, and the passwords of its users by name."""

    home: Path
    port: int
    users: Mapping[str, str]
    """User names with their SimpleAuthManager role (viewer, user, op, admin)."""

    @property
    def url(self) -> str:
        """Return the address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> str:
        """Return the SQLAlchemy address of the ledger."""
        return f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def database(self) -> Path:
        """Return the file of Airflow's own database."""
        return self.home / "airflow.db"

    @property
    def published(self) -> Path:
        """Return the folder of published changes."""
        return self.home / "changes"

    @property
    def passwords_file(self) -> Path:
        """Return the file that holds the users' passwords."""
        return self.home / "passwords.json"

    def password(self, user: str) -> str:
        """Return the password of a user."""
        passwords: dict[str, str] = json.loads(self.passwords_file.read_text())
        return passwords[user]


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(place: Place) -> dict[str, str]:
    """Return what Airflow's processes need in their environment."""
    settings = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "changewindow.flow.executor.LocalExecutor",
        "CORE__LAZY_LOAD_PLUGINS": "False",
        "CORE__DAGS_FOLDER": str(shipped("dags")),
        "CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__PARALLELISM": str(WORKERS),
        "CORE__TEST_CONNECTION": "Enabled",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place.database}?timeout={LOCKED}",
        "CORE__EXECUTION_API_SERVER_URL": f"{place.url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in place.users.items()),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(place.passwords_file),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(place.port),
        "API__BASE_URL": place.url,
        "API__WORKERS": "1",
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": bundles(place),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",  # what a killed scheduler ran goes on in a minute
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # also how late the end of a task may be noticed
        "LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {**{f"AIRFLOW__{name}": value for name, value in settings.items()}, **_places(place), **_secrets(place)}


def _places(place: Place) -> dict[str, str]:
    """Return where our ledger, changes and code are."""
    return {
        "AIRFLOW_HOME": str(place.home),
        "AIRFLOW_CONN_CHANGEWINDOW_LEDGER": json.dumps({"conn_type": "sqlite", "host": str(place.home / "ledger.db")}),
        "CHANGEWINDOW_PUBLISHED": str(place.published),
        "PYTHONPATH": str(ROOT / "include"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def start(place: Place, extra: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Start Airflow under its supervisor; `extra` is added to its environment. Does not wait.

    What it writes, and what an earlier one has written into its folder, only this user may read.
    """
    with private(place.home):
        return _start(place, extra or {})


def _start(place: Place, extra: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    place.published.mkdir(parents=True, exist_ok=True)
    write_passwords(place)
    _link_policy(place, {**os.environ, **extra})
    known = Ledger(place.ledger, lambda: places_of(place))
    known.upgrade()
    replace_earlier(known, place.published)
    with (place.home / "standalone.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "changewindow.cli.supervisor"],
            env={**os.environ, **environment(place), **extra},
            cwd=place.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (place.home / PID_FILE).write_text(str(process.pid))
    return process


def _link_policy(place: Place, environment: Mapping[str, str]) -> None:
    """Let commands that find this ledger find the policy by which this Airflow judges."""
    link = place.home / POLICY_LINK
    link.unlink(missing_ok=True)
    link.symlink_to(read(environment).policy.absolute())


def places_of(place: Place) -> Settings:
    """Return the settings that Airflow's processes get: key and heads lie in the folder by default."""
    return read({**os.environ, **environment(place)})


def bundles(place: Place, **more: Path) -> str:
    """Return the setting that names the bundles: our own DAGs, the approved changes, and `more` folders by name."""
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    folders = {"dags-folder": shipped("dags"), **more}
    local = [{"name": name, "classpath": classpath, "kwargs": {"path": str(path)}} for name, path in folders.items()]
    return json.dumps([*local, BUNDLE])


def write_passwords(place: Place) -> None:
    """Make up a password for each user, unless that was done before."""
    if not place.passwords_file.exists():
        place.passwords_file.touch(0o600)
        place.passwords_file.write_text(json.dumps({name: secrets.token_urlsafe(9) for name in place.users}))


def stop_leftover(home: Path) -> None:
    """End an Airflow that an earlier owner of this folder left running, because it was killed itself."""
    with suppress(OSError, ValueError):
        for pid in map(int, (home / PID_FILE).read_text().split()):
            if _is_of(home, pid):
                end_session(pid, signal.SIGKILL)


def _is_of(home: Path, pid: int) -> bool:
    with suppress(OSError):
        return f"AIRFLOW_HOME={home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def awaited(place: Place) -> tuple[str, ...]:
    """Return the components that do not answer yet; of a database that does not, all that need it."""
    try:
        health = requests.get(f"{place.url}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return ("api-server",)
    if health.get("metadatabase", {}).get("status") != "healthy":
        return ("api-server", *ANSWERS.values())
    return tuple(name for key, name in ANSWERS.items() if health.get(key, {}).get("status") != "healthy")


def is_healthy(place: Place) -> bool:
    """Return whether every component answers."""
    return not awaited(place)


def _secrets(place: Place) -> dict[str, str]:
    """Return the keys that Airflow's processes share; kept in the folder, so that a restart finds the same."""
    path = place.home / "keys.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        keys = {
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        }
        path.write_text(json.dumps(keys))
    kept: dict[str, str] = json.loads(path.read_text())
    return kept
