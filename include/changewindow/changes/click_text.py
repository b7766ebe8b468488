"""Says in a sentence what a person did to a change in Airflow, in its pages or by REST."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from changewindow.ledger.payloads import Clicked

Fields = Mapping[str, Any]
"""What the path and the body of a request say."""
Phrase = Callable[[Fields], str]
GAP, DEEP_GAP = re.compile(r"\{(\w+)\}"), re.compile(r"\{(\w+):path\}")
"""What a route leaves open: a part of its path, or all of the rest."""
SHOWN = 5
"""How many tasks or runs are named."""
DAG, RUN = "/api/v2/dags/{dag_id}", "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}"
TASK, OF = f"{RUN}/taskInstances/{{task_id}}", "task {task_id} of run {dag_run_id}"
KEPT = f"what {OF} has kept for a later try"


def click_text(click: Clicked) -> str:
    """Return what a click did; or what it was meant to do, and why it did not."""
    phrase = _phrase(click)
    if phrase is None:
        return f"sent {click.method} {click.path} to Airflow, which answered {click.status}"
    if click.status < 300:
        verb, _, rest = phrase.partition(" ")
        return f"{'wrote' if verb == 'write' else verb.removesuffix('e') + 'ed'} {rest}"
    if click.reason:
        return f"tried to {phrase}; that was refused: {click.reason}"
    return f"tried to {phrase}; that {'failed' if click.status >= 500 else 'was refused'} (status {click.status})"


def _phrase(click: Clicked) -> str | None:
    """Return what was asked for, beginning with its verb; None for what nobody has put into words."""
    for route, phrase in PHRASES.items():
        path = PATTERNS[route].fullmatch(f"{click.method} {click.path}")
        if path:
            fields = _body(click.body) | path.groupdict()
            return phrase(fields) if callable(phrase) else phrase.format_map(fields)
    return None


def _body(text: str) -> dict[str, Any]:
    """Return the fields of a body; of one that was too long to be kept whole, that it may have been meant."""
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        return {"dry_run": False}
    return body if isinstance(body, dict) else {}


def _pause(fields: Fields) -> str:
    return "unpause its DAG" if fields.get("is_paused") is False else "pause its DAG"


def _trigger(fields: Fields) -> str:
    conf = fields.get("conf")
    mode = conf.get("mode") if isinstance(conf, dict) else None
    return f"trigger a run of it, with mode {mode}" if mode else "trigger a run of it"


def _clear(what: str) -> Phrase:
    """Return how clearing is put; Airflow only says what it would clear, unless it is told to do it."""

    def phrase(fields: Fields) -> str:
        named = [*_names(fields.get("task_ids"), "task_id"), *_names(fields.get("dag_runs"), "dag_run_id")]
        cleared = " ".join(filter(None, [what.format_map(fields), _listed(named)]))
        if "dag_run_id" not in what and fields.get("dag_run_id"):
            cleared += f" of run {fields['dag_run_id']}"
        return f"ask what clearing {cleared} would do" if fields.get("dry_run", True) is True else f"clear {cleared}"

    return phrase


def _mark(what: str, state: str) -> Phrase:
    """Return how a state that is set by hand is put; without one, it is a note."""

    def phrase(fields: Fields) -> str:
        marked, named = fields.get(state), what.format_map(fields)
        return f"mark {named} as {marked}" if marked else f"write a note on {named}"

    return phrase


def _bulk(what: str, name: str, state: str) -> Phrase:
    """Return how what is done to several at once is put."""

    def phrase(fields: Fields) -> str:
        actions = [action for action in _list(fields.get("actions")) if isinstance(action, dict)]
        return " and ".join(_of_several(action, what, name, state) for action in actions) or f"change {what}s"

    return phrase


def _of_several(action: Fields, what: str, name: str, state: str) -> str:
    entities = _list(action.get("entities"))
    named = f"{what}s {_listed(_names(entities, name))}"
    if action.get("action") == "delete":
        return f"delete {named}"
    states = [entity[state] for entity in entities if isinstance(entity, dict) and entity.get(state)]
    return f"mark {named} as {states[0]}" if states else f"write a note on {named}"


def _answer(fields: Fields) -> str:
    answer = _listed(_names(fields.get("chosen_options"), ""))
    return f"answer {OF.format_map(fields)}{' with ' if answer else ''}{answer}"


def _names(values: Any, name: str) -> list[str]:
    """Return the names in a list of names, or of fields of which one is the name."""
    named = (value.get(name) if isinstance(value, dict) else value for value in _list(values))
    first = (_list(value)[0] if _list(value) else value for value in named)
    return [value for value in first if isinstance(value, str)]


def _listed(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


PHRASES: Mapping[str, str | Phrase] = {
    "PATCH /api/v2/dags": _pause,
    f"PATCH {DAG}": _pause,
    f"DELETE {DAG}": "delete its DAG with all runs",
    f"POST {DAG}/favorite": "add its DAG to the favourites",
    f"POST {DAG}/unfavorite": "remove its DAG from the favourites",
    f"POST {DAG}/dagRuns": _trigger,
    f"PATCH {DAG}/dagRuns": _bulk("run", "dag_run_id", "state"),
    f"PATCH {RUN}": _mark("run {dag_run_id}", "state"),
    f"DELETE {RUN}": "delete run {dag_run_id}",
    f"POST {RUN}/clear": _clear("run {dag_run_id}"),
    f"POST {DAG}/clearDagRuns": _clear("runs"),
    f"POST {DAG}/clearPartitions": _clear("runs by their partition"),
    "POST /api/v2/backfills": "backfill its DAG",
    f"POST {DAG}/clearTaskInstances": _clear("tasks"),
    f"PATCH {RUN}/taskInstances": _bulk("task", "task_id", "new_state"),
    f"PATCH {RUN}/taskGroupInstances/{{group_id}}": _mark("task group {group_id} of run {dag_run_id}", "new_state"),
    f"PATCH {TASK}": _mark(OF, "new_state"),
    f"PATCH {TASK}/{{map_index}}": _mark(OF, "new_state"),
    f"PATCH {TASK}/{{map_index}}/hitlDetails": _answer,
    f"DELETE {TASK}": f"delete {OF}",
    f"POST {TASK}/xcomEntries": f"add to what {OF} has handed over",
    f"PATCH {TASK}/xcomEntries/{{xcom_key:path}}": f"change {{xcom_key}}, which {OF} has handed over",
    f"DELETE {TASK}/xcomEntries/{{xcom_key:path}}": f"delete {{xcom_key}}, which {OF} has handed over",
    f"PUT {TASK}/state-store/{{key:path}}": f"change {{key}} in {KEPT}",
    f"PATCH {TASK}/state-store/{{key:path}}": f"change {{key}} in {KEPT}",
    f"DELETE {TASK}/state-store/{{key:path}}": f"delete {{key}} in {KEPT}",
    f"DELETE {TASK}/state-store": f"delete {KEPT}",
    f"DELETE {DAG}/assets/queuedEvents": "delete its queued asset events",
    f"DELETE {DAG}/assets/{{asset_id}}/queuedEvents": "delete its queued events of asset {asset_id}",
}
"""What each writing route that can name a change does to it; a test holds that none is missing."""


def _pattern(route: str) -> re.Pattern[str]:
    deep = DEEP_GAP.sub(r"(?P<\1>.+)", route)
    return re.compile(GAP.sub(r"(?P<\1>[^/]+)", deep))


PATTERNS = {route: _pattern(route) for route in PHRASES}
