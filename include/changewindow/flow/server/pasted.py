"""Hides secrets in what people paste before Airflow stores it, where everybody reads the parameters of a run."""

import json
from dataclasses import replace
from typing import Any

from changewindow.changes.record_form import LONGEST_PASTE
from changewindow.flow.own_dag import RECORD
from changewindow.flow.server.asked import Asked, Refused
from changewindow.systems.sessions.reading import cleaned, read
from changewindow.systems.sessions.shell import as_history

TRIGGER = "POST /api/v2/dags/{dag_id}/dagRuns"
PASTE = "commands"
MOST_LINES = 20_000
"""Each is read alone, and the server answers nobody else meanwhile."""


def without_secrets(asked: Asked) -> Asked:
    """Return a request to record something as it may be stored: its paste as plain commands; any other as it is.

    Raises:
        Refused: more was pasted than is read.
    """
    if asked.key != TRIGGER or RECORD not in asked.dags or not asked.fields:
        return asked
    conf = asked.fields.get("conf")
    fields = {**asked.fields, **({"conf": _cleaned(conf)} if isinstance(conf, dict) else {})}
    if isinstance(fields.get("note"), str):
        fields["note"] = "\n".join(map(cleaned, fields["note"].splitlines()))
    return replace(asked, body=json.dumps(fields).encode())


def _cleaned(conf: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in conf.items()}


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name != PASTE:
        return cleaned(value)
    lines = value.count("\n")
    if len(value) > LONGEST_PASTE or lines > MOST_LINES:
        is_long = len(value) > LONGEST_PASTE
        size, most = (f"{len(value):,} characters", LONGEST_PASTE) if is_long else (f"{lines:,} lines", MOST_LINES)
        sentence = f"{RECORD}: {size} were pasted, {most:,} allowed"
        remedy = "Paste only what was done then; `changewindow record --file` takes it out of a large file."
        raise Refused(413, f"{sentence}. {remedy}")
    return as_history(read(value))
