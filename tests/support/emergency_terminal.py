"""A host from which emergencies are carried out: its policy, a service, and what the record of it holds."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from changewindow.ledger import queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.verification import verify_all
from servers.incident_apis import TOKEN as DESK_TOKEN
from support import direct
from support.recording_server import RecordingServer

ME = pwd.getpwuid(os.geteuid()).pw_name
SLACK_TOKEN = "xoxb-of-the-terminal"
GIVEN = ("--broken", "no orders come in", "--commander", "carol", "--agreed-how", "by phone", "--incident", "INC-7")


@dataclass
class Terminal:
    """A host with a policy, a service that is up once step 2 ran, and what else a terminal may need."""

    folder: Path
    service: RecordingServer
    environment: dict[str, str]

    @property
    def did(self) -> list[str]:
        """Return what the steps have done."""
        return direct.lines(self.folder / "done")

    def ticket(self, **changed: Any) -> str:
        """Return the file of a ticket."""
        path = self.folder / "ticket.yaml"
        path.write_text(yaml.safe_dump(direct.data(self.folder / "done", type="normal", **changed)))
        return str(path)

    def command(self, *more: str, **changed: Any) -> list[str]:
        """Return the arguments of an emergency."""
        places = ("--policy", str(self.folder / "policy"), "--yes", "--wait", "1")
        return ["emergency", *GIVEN, "--ticket", self.ticket(**changed), *places, *more]


def newest(ledger: Ledger) -> str:
    """Return the newest change, whose record is whole."""
    assert verify_all(ledger).altered == ()
    return queries.of_ids(ledger, [f"CHG-{number}" for number in range(1000, 1010)])[-1].id


def secrets_in(folder: Path) -> list[str]:
    """Return what files that were written hold of the secrets."""
    secrets = ("s3cret-of-the-shop", SLACK_TOKEN, DESK_TOKEN, "key-of-pagerduty", "of alice at Airflow")
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in {".journal", ".jsonl", ".db"}]
    return [f"{secret} in {path}" for path in files for secret in secrets if secret.encode() in path.read_bytes()]
