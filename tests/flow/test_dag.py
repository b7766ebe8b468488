"""The DAG of a change: drawn from its plan, serializable, the same every time."""

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import DagSerialization

from changewindow.changes.publication import publish
from changewindow.cli.standalone import ROOT
from changewindow.flow.bundle import PublishedChanges
from changewindow.flow.dag import build_dag
from changewindow.flow.dags.housekeeping import build_housekeeping_dag
from changewindow.flow.dags.interventions import build_reslot_dag
from changewindow.flow.weights import FIRST, LAST, STARTS
from changewindow.ledger.seal import Seal
from changewindow.policy.review import load_file
from changewindow.ticket.plan import plan
from support.tickets import FACTS

SEAL = Seal()
TICKETS = sorted((ROOT / "include" / "tickets").glob("*.yaml"))


@pytest.fixture(params=TICKETS, ids=lambda path: path.stem)
def published(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedChanges:
    """Return the bundle of published changes with an example ticket in it."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("CHANGEWINDOW_PUBLISHED", raising=False)
    publish(tmp_path / "changes", "CHG-1042", load_file(request.param, FACTS).data, SEAL)
    bundle = PublishedChanges(name="changes")
    bundle.initialize()
    return bundle


def dag_of(bundle: PublishedChanges) -> DAG:
    """Return the DAG that Airflow finds in the bundle."""
    bag = DagBag(dag_folder=str(bundle.path), bundle_path=bundle.path, bundle_name="changes")
    assert bag.import_errors == {}
    return bag.dags["CHG-1042"]


def test_a_published_file_is_one_dag_that_survives_serialization(published: PublishedChanges) -> None:
    """Airflow finds exactly the change, and what it stores can be read again."""
    dag = dag_of(published)
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    again = DagSerialization.from_dict(stored)
    assert set(again.task_ids) == set(dag.task_ids)
    assert again.timetable.summary == dag.timetable.summary


def test_parsing_twice_gives_the_same(published: PublishedChanges) -> None:
    """The shape depends on the revision alone, so the same file makes no second version."""
    assert DagSerialization.to_dict(dag_of(published)) == DagSerialization.to_dict(dag_of(published))


def test_every_task_and_arrow_is_the_plans() -> None:
    """The DAG draws the plan and adds nothing."""
    loaded = load_file(TICKETS[0], FACTS)
    dag = build_dag("CHG-1042", json.dumps(loaded.data))
    assert loaded.ticket is not None
    nodes = plan(loaded.ticket)
    assert {node.id: set(node.after) for node in nodes} == {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert {node.id: node.rule for node in nodes if node.id not in {"close", "report"}} == {
        task.task_id: str(task.trigger_rule.value) for task in dag.tasks if not task.is_teardown
    }


ORDER = ["undo", "verify", "watch", "close", "succeed", "apply", "gate", "rest", "last"]
PLACE = {"check": "rest", "confirm": "rest", "baseline": "rest", "window": "last", "announce": "last", "report": "last"}


def test_rolling_back_comes_before_everything_that_has_not_begun(published: PublishedChanges) -> None:
    """Airflow stores the weights of the roles; messages weigh what begins a change does, so none waits for ever."""
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag_of(published)))))
    weights: dict[str, set[int]] = {}
    for task in stored.tasks:
        assert type(task.weight_rule).__name__ == "_AbsolutePriorityWeightStrategy"
        role = task.task_id.rstrip("0123456789").rstrip("_")
        weights.setdefault(PLACE.get(role, role), set()).add(task.priority_weight)
    assert all(len(values) == 1 for values in weights.values())
    assert sorted(weights, key=lambda place: -min(weights[place])) == [place for place in ORDER if place in weights]
    assert max(weight for values in weights.values() for weight in values) < FIRST


ENDING = {"look_after", "take_back", "check_policy"}
"""The tasks of housekeeping that end what acts; the others chase what is owed afterwards."""


def ending() -> list[BaseOperator]:
    """Return the tasks of housekeeping that end what acts."""
    return [task for task in build_housekeeping_dag().tasks if task.task_id in ENDING]


def chasing() -> list[BaseOperator]:
    """Return the tasks of housekeeping that chase what is owed."""
    return [task for task in build_housekeeping_dag().tasks if task.task_id not in ENDING]


def test_what_begins_uses_no_slot_of_the_way_back(published: PublishedChanges) -> None:
    """It has a pool of its own; what watches, undoes and closes is in the pool that is always there."""
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag_of(published)))))
    in_default = {task.task_id.rstrip("0123456789").rstrip("_") for task in stored.tasks if task.pool == "default_pool"}
    assert in_default == {"watch", "undo", "verify", "succeed", "close"}
    assert {task.pool for task in stored.tasks} == {"default_pool", STARTS}
    assert {task.pool for task in ending()} == {"default_pool"}
    assert {task.pool for task in chasing()} == {STARTS}
    assert {task.pool for task in build_reslot_dag().tasks} == {STARTS}


def test_what_is_done_about_a_change_that_acts_comes_first() -> None:
    """Housekeeping begins rollbacks; what asks for new work weighs no more than a preflight, what is owed less."""
    assert {task.priority_weight for task in ending()} == {FIRST}
    assert {task.priority_weight for task in chasing()} == {LAST}
    assert {task.weight_rule for task in build_housekeeping_dag().tasks} == {"absolute"}
    assert {task.priority_weight for task in build_reslot_dag().tasks} == {20}


def test_close_decides_the_colour_and_survives_a_run_marked_failed() -> None:
    """Close is a teardown that fails the run; the report after it decides nothing."""
    dag = build_dag("CHG-1042", json.dumps(load_file(TICKETS[0], FACTS).data))
    close, report = dag.get_task("close"), dag.get_task("report")
    assert (close.is_teardown, close.on_failure_fail_dagrun) == (True, True)
    assert (report.is_teardown, report.on_failure_fail_dagrun) == (True, False)


def test_the_list_of_dags_says_what_a_change_is_about() -> None:
    """Name, tags, text and form come from the ticket; a run can be chosen to be dry."""
    dag = build_dag("CHG-1042", json.dumps(load_file(ROOT / "include/tickets/release.yaml", FACTS).data))
    assert dag.dag_display_name.startswith("CHG-1042 Release orders v2.15.0")
    assert dag.tags == {"service:orders", "environment:production", "risk:medium", "type:normal"}
    assert "git merge release/v2.15.0 into main" in str(dag.doc_md)
    assert dag.params["version"] == "v2.15.0"
    assert dag.params.get_param("mode").schema["enum"] == ["run", "dry_run", "rollback"]
    assert dag.max_active_runs > 1, "a rollback would wait behind other runs of its change"


def test_every_file_of_ours_is_read_by_airflow() -> None:
    """Airflow silently ignores a file that lacks one of two words; none of ours does, and all import."""
    files = sorted((ROOT / "dags").glob("*.py"))
    assert all({"airflow", "dag"} <= set(file.read_text().lower().replace("_", " ").split()) for file in files)
    bag = DagBag(dag_folder=str(ROOT / "dags"), bundle_path=ROOT / "dags", bundle_name="dags-folder")
    assert bag.import_errors == {}
    assert set(bag.dags) == {file.stem for file in files}
