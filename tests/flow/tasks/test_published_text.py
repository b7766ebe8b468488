"""Whoever writes the published files gains nothing: no task runs, asks or undoes by a text the ledger does not hold."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import Decision, NotGood, Passed, Remembered
from changewindow.errors import MemoryUnknown, NotAllowed
from changewindow.flow.dag import build_dag
from changewindow.flow.published_text import require_passed_text, require_text
from changewindow.ledger import changes
from support.started_change import StartedChange
from support.task_instance import TaskInstance

NOT_NEWEST = r"its text \([0-9a-f]{12}…\) is not the newest one \([0-9a-f]{12}…\)"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Return the file that a forged text would leave."""
    return tmp_path / "canary"


@pytest.fixture
def forged(started: StartedChange, canary: Path) -> StartedChange:
    """Return a change with both steps applied, whose published file somebody has replaced."""
    started.apply(1)
    started.apply(2)
    touch = ["touch", str(canary)]
    data = changes.revision(started.ledger, started.change.id)
    condition = {"name": "health", "source": {"kind": "command", "run": touch}, "pass": {"equals": 1}}
    step = {"name": "Act", "kind": "command", "run": touch, "undo": touch}
    data |= {
        "steps": [step, step],
        "validation": [condition],
        "preflight": {"checks": [condition]},
        "rollback": {**data["rollback"], "verify": [condition]},
    }
    started.dag = build_dag(started.change.id, json.dumps(data))
    return started


@pytest.mark.parametrize("mode", ["run", "dry_run", "rollback"])
@pytest.mark.parametrize("task", ["check_1", "gate", "apply_1", "watch", "undo_1", "undo_2", "verify", "close"])
def test_a_replaced_file_runs_nothing_in_any_task(forged: StartedChange, canary: Path, task: str, mode: str) -> None:
    """Neither its steps nor its conditions; the change is not closed by it either."""
    started = forged.kinds()
    forged.hand_over("watch", Decision(route="undo", reason="errors = 7"))
    try:
        forged.do(task, mode)
    except Exception as error:  # noqa: BLE001  each task refuses in the way that Airflow knows of it
        refusal = error
    else:
        refusal = None
    assert not canary.exists()
    assert forged.status == "running"
    assert {*forged.kinds()} - {*started} <= {"refused"}
    if mode == "run" and task not in {"gate", "apply_1"}:
        assert "is not the newest one" in str(refusal)


def test_the_sentence_says_what_to_do(forged: StartedChange) -> None:
    """The run is over; housekeeping publishes what was approved again, and rolls the change back."""
    with pytest.raises(NotAllowed, match=NOT_NEWEST):
        forged.do("undo_2")
    with pytest.raises(AirflowFailException, match=NOT_NEWEST):
        forged.do("close")


def test_undo_goes_on_while_the_ledger_is_down(started: StartedChange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file carries its own seal; rolling back depends on nothing else."""
    started.apply(1)
    started.apply(2)
    for step in (1, 2):
        started.task_instance.xcoms[f"apply_{step}", f"remembered_{step}"] = {}
    started.lose_the_ledger(monkeypatch)
    require_text(started.run("undo_2"), forward=False)


@pytest.mark.parametrize("task", ["undo_1", "undo_2"])
def test_without_the_ledger_undo_refuses_a_text_that_did_not_pass_this_runs_gate(
    forged: StartedChange, canary: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """Any text that was once published has its seal; nothing of it runs."""
    for step in (1, 2):
        forged.hand_over(f"apply_{step}", Remembered(memory={}))
    forged.lose_the_ledger(monkeypatch)
    with pytest.raises(NotAllowed, match="are not those with which this run passed its gate"):
        forged.do(task)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("passed", "error"),
    [
        pytest.param(Passed(token=1, digest="d" * 64), NotAllowed, id="another text"),
        pytest.param(Passed(token=1), None, id="a version before handed it over, which knew no text"),
        pytest.param(None, MemoryUnknown, id="nothing"),
    ],
)
def test_what_the_gate_has_handed_over_says_which_text_counts(
    started: StartedChange, passed: Passed | None, error: type[Exception] | None
) -> None:
    """What is not there is asked for again, until the ledger is back; other values are another text, too."""
    require_passed_text(started.run("undo_1"))
    del started.task_instance.xcoms["gate", "passed"]
    if passed:
        started.hand_over("gate", passed)
    with pytest.raises(error) if error else nullcontext():
        require_passed_text(started.run("undo_1"))
    started.hand_over("gate", Passed(token=1, digest=started.change.digest, values={"version": "v2"}))
    with pytest.raises(NotAllowed, match="or its values, are not those"):
        require_passed_text(started.run("undo_1"))


class Waiting:
    """A change that waits for its approval, and whose text somebody has published all the same."""

    def __init__(self, started: StartedChange, canary: Path) -> None:
        touch = ["touch", str(canary)]
        condition = {"name": "health", "source": {"kind": "command", "run": touch}, "pass": {"equals": 1}}
        data = changes.revision(started.ledger, started.change.id)
        data |= {"validation": [condition], "preflight": {"checks": [condition]}}
        change = changes.submit(started.ledger, data, requester="alice", now=started.change.ticket.window.opens).change
        self.dag = build_dag(change, json.dumps(data))
        self.task_instance = TaskInstance(states={"window": "success", "check_1": "success"})

    def do(self, task: str, mode: str) -> None:
        """Do a task, as Airflow does."""
        self.task_instance.task_id = task
        operator: Any = self.dag.get_task(task)
        operator.execute({"run_id": "run", "ti": self.task_instance, "params": {"mode": mode}})


@pytest.mark.parametrize("mode", ["run", "dry_run"])
@pytest.mark.parametrize("task", ["check_1", "gate", "apply_1"])
def test_a_text_that_nobody_has_approved_runs_nothing(
    started: StartedChange, canary: Path, task: str, mode: str
) -> None:
    """It is the newest one and its file is right; still nobody but its author has seen it."""
    waiting = Waiting(started, canary)
    with pytest.raises(AirflowFailException, match=r"nobody has approved it|it is submitted, not running"):
        waiting.do(task, mode)
    assert not canary.exists()
    if task == "check_1":
        assert "nobody has approved it" in waiting.task_instance.left[NotGood.key]["reason"]
