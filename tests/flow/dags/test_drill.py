"""The DAG `emergency_drill`: it walks the way of an emergency, and marks as a drill only what the policy names."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from changewindow import settings
from changewindow.changes.emergency_drill import DRILLER
from changewindow.flow.dags import chasing
from changewindow.flow.dags.drill import build_drill_dag
from changewindow.flow.own_dag import DRILL
from changewindow.ledger import aftercare, changes, events, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import Declared, Drilled, Reminded
from changewindow.ledger.population import last_drills
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.population import in_order
from support.task_instance import TaskInstance

TARGET = {"commander": "dora", "target": "staging/orders", "unwatched_because": "a drill changes nothing"}


class DrillRun:
    """A run of the drill; its tasks run as Airflow runs them."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger, self.folder = ledger, folder
        self.instance = TaskInstance("act", dag=DRILL)
        self.dag_run = SimpleNamespace(triggering_user_name=None, run_type="scheduled", start_date=None)

    def do(self, task: str, **params: Any) -> None:
        """Do a task with whatever somebody has given to the run."""
        self.instance.task_id = task
        context: Any = {"dag_run": self.dag_run, "params": params, "ti": self.instance, "run_id": "drill-1"}
        operator: Any = build_drill_dag().get_task(task)
        operator.execute(context)

    @property
    def change(self) -> Change:
        """Return what was declared."""
        change = queries.of_origin(self.ledger, f"{DRILL}/drill-1")
        assert change is not None
        return change

    def close(self, outcome: str) -> None:
        """Close the change as its own run does."""
        change = self.change
        end: Any = {"run": change.run, "outcome": outcome, "reason": "as drilled"}
        changes.close(self.ledger, change.id, **end, now=change.submitted_at + timedelta(seconds=90))


@pytest.fixture
def drill(known: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DrillRun:
    """Return a drill of which the policy says what it does: it leaves a file."""
    monkeypatch.setenv("CHANGEWINDOW_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([settings.BUNDLE]))
    path = str(tmp_path / "drilled")
    step = {"kind": "command", "run": ["touch", path], "undo": ["rm", path]}
    (tmp_path / "policy" / "emergencies.yaml").write_text(json.dumps({"drill": {**TARGET, "step": step}}))
    return DrillRun(known, tmp_path)


def test_a_drill_that_goes_well(drill: DrillRun) -> None:
    """Its step is done, its own word does not count and another's does, and each part has its time."""
    drill.do("act")
    assert (drill.folder / "drilled").exists()
    with pytest.raises(AirflowRescheduleException):
        drill.do("settle")
    drill.close("completed")
    drill.do("settle")
    drill.do("settle")
    (drilled,) = events.past(drill.ledger, drill.change.id, Drilled)
    assert drilled.good, drilled.reason
    assert [part for part, _ in in_order(drilled.took)] == [
        "declared",
        "first step begins",
        "first step applied",
        "closed",
    ]
    owed = aftercare.of_change(drill.ledger, drill.change.id)
    assert owed is not None
    assert [(word.person, word.counts) for word in owed.words] == [(DRILLER, False), ("housekeeping", True)]
    good, last = last_drills(drill.ledger)
    assert good == last
    assert good is not None
    assert good.change == drill.change.id


def test_a_drill_that_was_rolled_back_went_badly(drill: DrillRun) -> None:
    """Its run is red and says why; it is not the last good one."""
    drill.do("act")
    drill.close("rolled_back")
    with pytest.raises(AirflowFailException, match="went badly: it is rolled back: as drilled"):
        drill.do("settle")
    assert last_drills(drill.ledger)[0] is None


def test_what_is_given_to_its_run_is_of_no_meaning(drill: DrillRun) -> None:
    """Nobody can have a change of their own carried out as a drill, which nobody approves and nobody counts."""
    own = json.dumps({"kind": "command", "run": ["touch", str(drill.folder / "own")], "undo": ["true"]})
    drill.do("act", step=own, target="production/orders", is_drill=True, broken="x", commander="alice")
    assert not (drill.folder / "own").exists()
    (event,) = events.past(drill.ledger, drill.change.id, Declared)
    assert event.is_drill
    assert event.commander == "dora"
    assert changes.revision(drill.ledger, drill.change.id)["environment"] == "staging"


def test_without_a_target_it_says_how_to_name_one(drill: DrillRun) -> None:
    """It does nothing, and is no failure."""
    (drill.folder / "policy" / "emergencies.yaml").write_text("drill: null\n")
    with pytest.raises(AirflowSkipException, match="Name a harmless target in"):
        drill.do("act")
    assert queries.of_origin(drill.ledger, f"{DRILL}/drill-1") is None


def test_a_stale_drill_is_told_once_a_day(drill: DrillRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Housekeeping comes every five minutes, and people are told once."""
    drill.do("act")
    drill.close("completed")
    drill.do("settle")
    rules = Emergencies.model_validate({"drill": {**TARGET, "step": {"kind": "command"}}})
    later = drill.change.submitted_at
    for days in (44, 46, 46, 47.5):
        moment = later + timedelta(days=days)
        monkeypatch.setattr(chasing, "now", lambda moment=moment: moment)
        chasing.tell_of_stale_drill(drill.ledger, rules)
    assert len(events.past(drill.ledger, drill.change.id, Reminded)) == 2
