"""A canary: its secret is searched for in every byte that a real Airflow has written."""

import base64
import sys
from pathlib import Path
from urllib.parse import quote

from support.real_airflow import RealAirflow, ticket
from support.written_files import contents

CANARY = "canary+of/the=test"
FORMS = (CANARY, quote(CANARY, safe=""), CANARY.encode().hex())
SINGING = """\
import base64, json, os, sys, urllib.parse
secret = os.environ["TOKEN"]
print(dict(os.environ))
print(secret, urllib.parse.quote(secret, safe=""), json.dumps(secret), secret.encode().hex())
print(base64.b64encode(secret.encode()).decode(), base64.b64encode(f"ab:{secret}".encode()).decode())
sys.exit(f"broken by {secret}")
"""


def test_a_secret_that_a_step_prints_is_nowhere(airflow: RealAirflow, tmp_path: Path) -> None:
    """Not in the log of the task, nor in standalone's, nor in a database: a step prints it, and fails.

    Its connection was made over REST, with a change's id in its description.
    """
    form = {"connection_id": "canary", "conn_type": "generic", "password": CANARY, "description": "for CHG-1001"}
    airflow.clients["admin"].post("/connections", form)
    sing = {"name": "Sing", "kind": "command", "run": [sys.executable, "-S", "-c", SINGING], "undo": ["true"]}
    change = airflow.publish({**ticket(tmp_path / "canary"), "steps": [{**sing, "secrets": {"TOKEN": "canary"}}]})
    run = airflow.run_of(change)
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    log = airflow.alice.log(change, run, "apply_1")
    assert log.count("***") >= 7
    assert "broken by ***" in log
    assert found_in(airflow.place.home) == []


def found_in(folder: Path) -> list[str]:
    """Return the files in which the canary stands, in any form."""
    inner = (base64.b64encode(b"\0" * shift + CANARY.encode())[4:-4] for shift in range(3))
    forms = [*(form.encode() for form in FORMS), *inner]
    return [str(path) for path, content in contents(folder).items() if any(form in content for form in forms)]


def test_what_standalone_writes_is_closed_to_others(airflow: RealAirflow) -> None:
    """Databases, logs and passwords, and the folder with all of it."""
    home = airflow.place.home
    written = [*home.glob("*.db"), *home.glob("*.json"), home / "standalone.log", *(home / "logs").rglob("*")]
    paths = [path for path in (home, *written) if path.exists() and not path.is_symlink()]
    assert [str(path) for path in paths if path.stat().st_mode & 0o077] == []
