"""The DAG `emergency_change`: what is declared acts at once, under the name of who declared it, and is sealed."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

from changewindow import settings
from changewindow.documents.text import spoken
from changewindow.errors import StepFailed
from changewindow.flow.dag import dag_of
from changewindow.flow.dags.emergency import build_emergency_dag
from changewindow.flow.dags.emergency_form import form
from changewindow.flow.dags.housekeeping import is_being_declared
from changewindow.flow.own_dag import EMERGENCY
from changewindow.flow.timetable import scheduled_run
from changewindow.ledger import changes, events, leases, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import Declared
from changewindow.ledger.verification import verify_all
from changewindow.ticket.revision import PublishedChange
from support.changes import intent
from support.task_instance import TaskInstance
from support.tickets import banner


class Declaration:
    """An emergency that somebody declares by the form; its tasks run as Airflow runs them."""

    def __init__(self, ledger: Ledger, folder: Path, *, run: str = "run-1", person: str | None = "alice") -> None:
        self.ledger, self.folder, self.run = ledger, folder, run
        self.dag_run = SimpleNamespace(triggering_user_name=person, run_type="manual")
        self.instance = TaskInstance("act", dag=EMERGENCY)

    def step(self, name: str = "done") -> dict[str, Any]:
        """Return a step that leaves a file."""
        path = str(self.folder / name)
        return {"name": "Act", "kind": "command", "run": ["touch", path], "undo": ["rm", path]}

    def do(self, task: str = "act", **params: Any) -> None:
        """Do a task with what was filled in; by default, one step that nothing watches."""
        self.instance.task_id = task
        default = {} if {"ticket", "standard", "step"} & {*params} else self.one_step()
        given = {name: param.value for name, param in form().items() if param.has_value}
        named = {"broken": "Orders cannot be paid", "commander": "bob", **default, **params}
        context: Any = {"dag_run": self.dag_run, "params": {**given, **named}, "ti": self.instance, "run_id": self.run}
        operator: Any = build_emergency_dag().get_task(task)
        operator.execute(context)

    def one_step(self) -> dict[str, Any]:
        """Return one step on a target of its own."""
        because = "there is no metric"
        return {"step": json.dumps(self.step()), "target": "production/orders", "unwatched_because": because}

    @property
    def change(self) -> Change:
        """Return what was declared."""
        change = queries.of_origin(self.ledger, f"{EMERGENCY}/{self.run}")
        assert change is not None
        return change

    @property
    def note(self) -> str:
        """Return the note of the run."""
        return str(self.instance.left["note"])

    def kinds(self) -> list[str]:
        """Return the kinds of events of the change."""
        return [str(row.kind) for row in events.history(self.ledger, self.change.id)]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let Airflow read what is published as data."""
    folder = tmp_path / "published"
    monkeypatch.setenv("CHANGEWINDOW_PUBLISHED", str(folder))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([settings.BUNDLE]))
    return folder


@pytest.fixture
def declaration(known: Ledger, tmp_path: Path, published: Path) -> Declaration:
    """Return an emergency that alice is about to declare."""
    assert not published.exists()
    return Declaration(known, tmp_path)


def test_one_step_acts_at_once_and_its_change_is_published(declaration: Declaration, published: Path) -> None:
    """Its run is the one that comes by itself when its window opens, which is now; what was skipped is sealed."""
    declaration.do()
    change = declaration.change
    assert (declaration.folder / "done").exists()
    assert declaration.kinds() == ["submitted", "declared", "started", "remembered", "applied"]
    assert (change.status, change.run) == ("running", scheduled_run(change.opens))
    assert leases.leases(declaration.ledger, change.id) == ["production/orders"]
    assert (published / f"{change.id}.json").exists()
    (event,) = events.past(declaration.ledger, change.id, Declared)
    assert [(each.code, each.people) for each in event.skipped] == [
        ("nobody_approved", ("bob", "erik", "carol")),
        ("no_incident", ()),
        ("unwatched", ()),
    ]
    assert verify_all(declaration.ledger).altered == ()
    assert declaration.note == (
        f"{change.id} acts, see http://airflow/dags/{change.id}: Emergency: Orders cannot be paid"
    )


def test_it_may_be_tried_again_and_declares_and_applies_once(declaration: Declaration) -> None:
    """Whatever died before, the ledger knows how far it was."""
    declaration.do()
    (declaration.folder / "done").unlink()
    declaration.do()
    assert not (declaration.folder / "done").exists()
    assert declaration.kinds().count("declared") == 1


def test_who_declares_it_is_known(known: Ledger, tmp_path: Path) -> None:
    """A run that nobody has triggered under a name declares nothing."""
    nobody = Declaration(known, tmp_path, person=None)
    with pytest.raises(AirflowFailException, match="Nobody is known to have triggered this run"):
        nobody.do()
    assert nobody.note.startswith("Nobody is known")


def test_a_step_that_fails_is_published_all_the_same(
    declaration: Declaration, published: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its run then rolls it back; the task is red, and says why, as the note does; nobody is told that it acts."""
    step = {"kind": "command", "run": ["false"], "undo": ["true"]}
    with pytest.raises(AirflowFailException, match="exit code 1"):
        declaration.do(**{**declaration.one_step(), "step": json.dumps(step)})
    assert (published / f"{declaration.change.id}.json").exists()
    assert declaration.kinds()[-1] == "apply_failed"
    with caplog.at_level(logging.INFO):
        declaration.do("tell")
    assert "🚒 EMERGENCY" in caplog.text
    assert "🔧 ACTING" not in caplog.text
    first, *_ = declaration.note.splitlines()
    page = f"http://airflow/dags/{declaration.change.id}"
    assert first.startswith(
        f"{declaration.change.id}: its first step failed, and it is rolled back, see {page}: 'false'"
    )


def test_the_change_goes_on_from_its_second_step(declaration: Declaration, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own run the gate and the first apply hand over what was done, and do nothing a second time."""
    data = banner(steps=[declaration.step("one"), declaration.step("two")], type="normal")
    declaration.do(ticket=json.dumps(data))
    (declaration.folder / "one").unlink()
    change = declaration.change
    published = PublishedChange.of(change.id, changes.revision(declaration.ledger, change.id))
    dag, instance = dag_of(published), TaskInstance(dag=change.id)
    instance.states["window"] = "success"
    for task in ("window", "gate", "apply_1", "apply_2"):
        instance.task_id = task
        operator: Any = dag.get_task(task)
        operator.execute({"run_id": change.run, "ti": instance, "params": {"mode": "run"}})
    assert not (declaration.folder / "one").exists()
    assert (declaration.folder / "two").exists()
    assert declaration.kinds()[5:] == ["remembered", "applied"]


def test_a_held_target_is_waited_for_or_taken_over(declaration: Declaration, known: Ledger, tmp_path: Path) -> None:
    """Who waits comes back in a second; who takes over aborts the holder once, and waits for its rollback."""
    declaration.do()
    first = declaration.change
    second = Declaration(known, tmp_path, run="run-2", person="erik")
    with pytest.raises(AirflowRescheduleException):
        second.do()
    assert changes.get(known, first.id).aborted is None
    for _ in range(2):
        with pytest.raises(AirflowRescheduleException):
            second.do(held="take_over")
    assert f"the emergency {second.change.id} takes over" in str(changes.get(known, first.id).aborted)
    assert declaration.kinds().count("aborted") == 1
    changes.close(known, first.id, run=first.run, outcome="rolled_back", reason="aborted", now=datetime.now(UTC))
    second.do(held="take_over")
    assert second.change.status == "running"


def test_a_target_whose_rollback_failed_is_refused_with_what_to_do(declaration: Declaration, tmp_path: Path) -> None:
    """Nobody waits for what only a person can release; the change ends refused, and the form may be sent again."""
    declaration.do()
    at, first, ledger = datetime.now(UTC), declaration.change, declaration.ledger
    changes.close(ledger, first.id, run=first.run, outcome="rollback_failed", reason="?", now=at)
    second = Declaration(ledger, tmp_path, run="run-2")
    with pytest.raises(AirflowFailException, match="run release_target; its rollback failed"):
        second.do(held="take_over")
    assert second.change.status == "refused"


@pytest.mark.parametrize("outcome", ["completed", "rolled_back", "rollback_failed", "refused"])
def test_clearing_it_later_changes_no_outcome(declaration: Declaration, outcome: Any) -> None:
    """What has ended stays as it is, with the targets that a failed rollback holds; nothing acts again."""
    declaration.do()
    first, ledger = declaration.change, declaration.ledger
    changes.close(ledger, first.id, run=first.run, outcome=outcome, reason="so it ended", now=datetime.now(UTC))
    (declaration.folder / "done").unlink()
    held, kinds = leases.leases(ledger, first.id), declaration.kinds()
    with pytest.raises(AirflowFailException, match=f"it is closed: {spoken(outcome)}"):
        declaration.do()
    assert (declaration.change.status, declaration.change.reason) == (outcome, "so it ended")
    assert (leases.leases(ledger, first.id), declaration.kinds()) == (held, kinds)
    assert bool(held) == (outcome == "rollback_failed")
    assert not (declaration.folder / "done").exists()


@pytest.mark.parametrize("is_rolling_back", [False, True])
def test_clearing_it_takes_no_lease_from_who_rolls_back(declaration: Declaration, *, is_rolling_back: bool) -> None:
    """Neither once its run has died, nor while another run rolls it back; that one still finds what to undo."""
    declaration.do()
    change, ledger, at = declaration.change, declaration.ledger, datetime.now(UTC)
    assert leases.orphan(ledger, change.id, run=str(change.run), now=at)
    back = intent(change.digest, run="take_back_1", mode="rollback")
    if is_rolling_back:
        leases.start(ledger, change.id, back, targets=("production/orders",), now=at)
    with pytest.raises(AirflowFailException, match="take_back_1" if is_rolling_back else "its run died"):
        declaration.do()
    assert declaration.change.status == "running"
    assert leases.leases(ledger, change.id) == ["production/orders"]
    if not is_rolling_back:
        leases.start(ledger, change.id, back, targets=("production/orders",), now=at)
    leases.require_running(ledger, change.id, run="take_back_1", now=at)


def test_the_policy_may_be_broken(declaration: Declaration) -> None:
    """At three in the morning nobody repairs a file first; that nobody knows the approvers is among what is skipped."""
    (declaration.folder / "policy" / "approvals.yaml").write_text("rules: [")
    declaration.do()
    (event,) = events.past(declaration.ledger, declaration.change.id, Declared)
    assert "approvers_unknown" in [each.code for each in event.skipped]
    assert declaration.change.status == "running"


def test_clearing_the_task_of_an_ended_emergency_changes_nothing(declaration: Declaration) -> None:
    """It says how the change has ended, and neither acts nor writes another end."""
    declaration.do()
    ended = declaration.change
    changes.close(
        declaration.ledger, ended.id, run=ended.run, outcome="completed", reason="good", now=datetime.now(UTC)
    )
    with pytest.raises(AirflowFailException, match="it is closed: completed"):
        declaration.do()
    assert declaration.change.status == "completed"
    assert declaration.kinds()[-1] == "closed"


def test_what_airflow_would_not_run_is_refused_before_it_acts(
    declaration: Declaration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An applied step that nobody would watch or undo is worse than none."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", "[]")
    with pytest.raises(AirflowFailException, match="nothing is published there"):
        declaration.do()
    assert declaration.change.status == "refused"
    assert not (declaration.folder / "done").exists()


def test_a_step_without_undo_calls_a_person(declaration: Declaration) -> None:
    """Its rollback fails, says why, and keeps the target."""
    step = {"kind": "command", "run": ["false"]}
    with pytest.raises(AirflowFailException, match="exit code 1"):
        declaration.do(
            **{**declaration.one_step(), "step": json.dumps(step), "no_undo_because": "it ends a process for good"}
        )
    change = declaration.change
    published = PublishedChange.of(change.id, changes.revision(declaration.ledger, change.id))
    instance = TaskInstance("undo_1", dag=change.id)
    operator: Any = dag_of(published).get_task("undo_1")
    with pytest.raises(StepFailed, match="has no undo: it ends a process for good"):
        operator.execute({"run_id": change.run, "ti": instance, "params": {"mode": "run"}})
    assert declaration.kinds()[-1] == "undo_failed"


def test_the_run_of_the_form_follows_until_that_of_the_change_has_begun(declaration: Declaration) -> None:
    """Until then it is the run that acts, which housekeeping counts as alive."""
    declaration.do()
    with pytest.raises(AirflowRescheduleException):
        declaration.do("follow")
    begun = declaration.change.run
    assert begun is not None
    declaration.instance.others[begun] = TaskInstance("window")
    declaration.do("follow")
    context: Any = {"ti": declaration.instance}
    declaration.instance.others["run-1"] = TaskInstance("follow", dag=EMERGENCY)
    assert is_being_declared(context, f"{EMERGENCY}/run-1")
    assert not is_being_declared(context, f"{EMERGENCY}/run-2")
    assert not is_being_declared(context, "request_change/run-1")
    assert not is_being_declared(context, None)


def test_the_room_and_whoever_was_skipped_are_told(declaration: Declaration, caplog: pytest.LogCaptureFixture) -> None:
    """By name, with the reason and a link; a message that does not arrive fails nothing."""
    declaration.do()
    with caplog.at_level(logging.INFO):
        declaration.do("tell")
    identity = declaration.change.id
    told = [line for line in caplog.text.splitlines() if identity in line]
    for head in ("🚒 EMERGENCY", "⏭️ SKIPPED by", "🔧 ACTING"):
        assert any(head in line for line in told)
    asked = f"@erik, @carol: see what runs (http://airflow/dags/{identity}), and say by"
    assert any(line.startswith(asked) for line in caplog.messages)  # not bob, who commands: his word would not count
    assert declaration.kinds()[-3:] == ["message_sent"] * 3
    acts, approval = declaration.note.splitlines()
    assert acts == f"{identity} acts, see http://airflow/dags/{identity}: Emergency: Orders cannot be paid"
    assert approval.startswith("owes: retroactive approval by ")


def test_of_one_that_was_refused_the_end_is_told(declaration: Declaration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked to look at what never ran."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", "[]")
    with pytest.raises(AirflowFailException):
        declaration.do()
    declaration.do("tell")
    assert declaration.kinds()[-2:] == ["closed", "message_sent"]
    with pytest.raises(AirflowFailException, match="is refused: no run of it acts"):
        declaration.do("follow")


def test_a_first_step_that_does_not_end_is_ended(declaration: Declaration, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as long as it would have in the run of its change, which rolls it back."""
    monkeypatch.setattr("changewindow.flow.dags.emergency.LIFETIME", timedelta(0))
    monkeypatch.setattr("changewindow.flow.dags.emergency.GRACE", 0.3)
    step = {**declaration.step(), "run": ["sleep", "20"], "timeout": "1s"}
    with pytest.raises(AirflowFailException, match=r"first step has not ended within 1\.3s"):
        declaration.do(**{**declaration.one_step(), "step": json.dumps(step)})
    assert declaration.kinds()[-1] == "remembered"
