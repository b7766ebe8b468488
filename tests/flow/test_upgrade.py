"""What installations of version 0.1.0 hold as text is still understood: published files, waiting triggers, timetables.

The texts were written by version 0.1.0 itself and are never made anew.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.trigger import Trigger
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.serialized_objects import DagSerialization
from pydantic import ValidationError

from changewindow.flow.dag import build_dag
from changewindow.flow.triggers import WatchTrigger

KEPT = Path(__file__).parent / "version_0_1_0"
TRIGGERS = sorted(path.stem for path in KEPT.glob("*trigger*.json"))


def kept(name: str) -> dict[str, Any]:
    """Return what version 0.1.0 wrote."""
    data: dict[str, Any] = json.loads((KEPT / name).read_text(encoding="utf-8"))
    return data


def test_a_published_file_still_builds_its_dag(tmp_path: Path) -> None:
    """Airflow finds the change with all its tasks, and can store it."""
    file = tmp_path / "CHG-1042.py"
    file.write_text((KEPT / "CHG-1042.py.txt").read_text(encoding="utf-8"), encoding="utf-8")
    bag = DagBag(dag_folder=str(tmp_path), bundle_path=tmp_path, bundle_name="changes")
    assert bag.import_errors == {}
    dag = bag.dags["CHG-1042"]
    assert {"window", "gate", "apply_1", "watch", "undo_1", "verify", "succeed", "close"} <= set(dag.task_ids)
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert set(DagSerialization.from_dict(stored).task_ids) == set(dag.task_ids)


def test_a_published_file_still_has_the_digest_that_was_approved() -> None:
    """Its approvals count for it as before."""
    scope: dict[str, Any] = {}
    exec((KEPT / "CHG-1042.py.txt").read_text(encoding="utf-8"), scope)  # noqa: S102  Airflow does just that
    dag = build_dag("CHG-1042", scope["REVISION"])
    assert f"Digest `{(KEPT / 'digest.txt').read_text().strip()}`" in str(dag.doc_md)


def holds(now: Any, before: Any) -> bool:
    """Return whether all that was kept is there still; what is new since then may stand beside it."""
    if isinstance(before, dict):
        return all(name in now and holds(now[name], value) for name, value in before.items())
    if isinstance(before, list):
        return len(now) == len(before) and all(map(holds, now, before))
    return bool(now == before)


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_waiting_trigger_is_still_made_from_its_row(name: str) -> None:
    """The triggerer imports the class by its path and gives it the arguments of its row; it can be stored again."""
    row = kept(f"{name}.json")
    module, _, of = row["classpath"].rpartition(".")
    arguments = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(row["kwargs"]))
    trigger = getattr(importlib.import_module(module), of)(**arguments)
    path, again = trigger.serialize()
    assert path == row["classpath"]
    assert holds(again, row["kwargs"])


def test_a_stored_timetable_is_still_read() -> None:
    """The scheduler sees the same window."""
    timetable = decode_timetable(kept("timetable.json"))
    assert timetable.summary == "once, 2031-03-18 14:00 UTC"


def test_there_is_a_text_of_every_trigger() -> None:
    """None is forgotten when the classes change."""
    assert TRIGGERS == [
        "baseline_trigger",
        "good_trigger",
        "good_trigger_on_rollback",
        "watch_trigger",
        "watch_trigger_asked",
        "window_trigger",
    ]


def test_a_trigger_of_a_later_version_is_refused() -> None:
    """What it carries is not guessed at; the task that waits for it fails and says so."""
    arguments = kept("watch_trigger.json")["kwargs"]
    with pytest.raises(ValidationError, match="version"):
        WatchTrigger(**{**arguments, "version": 2})
