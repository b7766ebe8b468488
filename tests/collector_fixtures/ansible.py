"""A world for `ansible`: artifacts in the form in which ansible-runner 2.4 leaves them, recorded from a real run."""

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collector_fixtures import Made, World

COMMAND = ["ansible-playbook", "-i", "hosts", "-e", "password=s3cret", "--extra-vars=token=s3cret", "pool.yml"]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give a folder of artifacts, with a run of last month."""
    event(folder, "old", 1, "runner_on_ok", at=datetime.now(UTC) - timedelta(days=30))
    asked = {"kind": "ansible", "folder": str(folder)}
    yield World(asked, lambda: made(folder), lambda text: hostile(folder, text), {**asked, "folder": f"{folder}/gone"})


def made(folder: Path) -> Made:
    """Let a run change a file of a host."""
    event(folder, "run_7", 1, "runner_on_ok")
    return Made(
        "web-3:/etc/pool.ini", account(), "task 'set the value' (ansible.builtin.copy) changed it, run run_7 of"
    )


def hostile(folder: Path, text: str) -> None:
    """Leave what an attacker may leave who owns a host: texts, and what is no event."""
    event(folder, "run_8", 1, "runner_on_ok", host=text, task=text, res={"changed": True, "dest": text})
    events = folder / "run_8" / "job_events"
    for number, garbage in enumerate(("{", "[]", '{"event": "runner_on_ok"}', "[" * 100_000), 2):
        (events / f"{number}-x.json").write_text(garbage)


def account() -> str:
    """Return who leaves the artifacts here."""
    return pwd.getpwuid(os.getuid()).pw_name


def event(folder: Path, run: str, number: int, kind: str, *, at: datetime | None = None, **data: Any) -> None:
    """Leave an event."""
    at = at or datetime.now(UTC)
    copy = {"task": "set the value", "resolved_action": "ansible.builtin.copy", "task_action": "copy", "host": "web-3"}
    result = {"changed": True, "dest": "/etc/pool.ini", "checksum": "8f55d7cc", "invocation": {"module_args": {}}}
    event_data = {"playbook": "pool.yml", "res": result, **copy, "start": at.isoformat(), "end": at.isoformat(), **data}
    document = {"uuid": "50a68258", "counter": number, "stdout": "changed: [web-3]", "event": kind}
    events = folder / run / "job_events"
    events.mkdir(parents=True, exist_ok=True)
    file = events / f"{number}-50a68258.json"
    file.write_text(json.dumps({**document, "created": at.isoformat(), "event_data": event_data}))
    (folder / run / "command").write_text(json.dumps({"command": COMMAND, "env": {"TOKEN": "s3cret"}}))
    os.utime(folder / run, (at.timestamp(), at.timestamp()))
