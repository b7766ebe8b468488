"""Hides secrets in what people write before Airflow stores it, where everybody reads notes, answers and parameters."""

import json
from dataclasses import replace
from typing import Any

from changewindow.changes.record_form import LONGEST_PASTE
from changewindow.flow.own_dag import EMERGENCY, FOLLOW_UP, RECORD, REVIEW
from changewindow.flow.server.asked import Asked, Refused
from changewindow.systems.sessions.reading import cleaned, read, without_documents
from changewindow.systems.sessions.shell import as_history

TRIGGER = "POST /api/v2/dags/{dag_id}/dagRuns"
PASTE = "commands"
WRITTEN = frozenset({REVIEW, FOLLOW_UP})
"""Whose texts have lines of their own."""
FREE = frozenset({"note", "reason", "params_input"})
"""Of a request, what people write freely; below a name of these, all of it."""
RUNS = frozenset({"ticket", "standard", "values", "target", "step", "works_when"})
"""What an emergency runs by: a secret taken out of it would make it another one."""
MOST_LINES = 20_000
"""Each is read alone, and the server answers nobody else meanwhile."""


def without_secrets(asked: Asked) -> Asked:
    """Return a request to one of our DAGs as it may be stored: notes and reasons, and whatever a form tells.

    What was pasted becomes plain commands; what runs, and a ticket, stays as it is.

    Raises:
        Refused: more was pasted than is read.
    """
    named = {EMERGENCY, RECORD, *WRITTEN} & set(asked.dags)
    if asked.key == TRIGGER and named and asked.fields:
        return _of_a_form(asked, named)
    fields = _without(asked.json) if asked.dags else asked.json
    return asked if fields == asked.json else replace(asked, body=json.dumps(fields).encode())


def _of_a_form(asked: Asked, named: set[str]) -> Asked:
    fields = dict(asked.fields)
    value = _value if RECORD in named else _sentence if EMERGENCY in named else _lines
    if isinstance(conf := fields.get("conf"), dict):
        fields["conf"] = {name: value(name, given) for name, given in conf.items()}
    if "note" in fields:
        fields["note"] = _lines("note", fields["note"])
    return replace(asked, body=json.dumps(fields).encode())


def _without(value: Any, name: str = "") -> Any:
    """Return a request with what people write freely as it may be stored: on a run, on a task, in an answer."""
    if isinstance(value, str):
        return _lines(name, value) if name in FREE else value
    if isinstance(value, list):
        return [_without(each, name) for each in value]
    if isinstance(value, dict):
        return {key: _without(each, name if name in FREE else key) for key, each in value.items()}
    return value


def _sentence(name: str, value: Any) -> Any:
    return cleaned(value) if isinstance(value, str) and name not in RUNS else value


def _lines(_name: str, value: Any) -> Any:
    return "\n".join(map(cleaned, without_documents(value).splitlines())) if isinstance(value, str) else value


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
