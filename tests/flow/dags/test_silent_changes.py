"""The DAG `silent_changes`: green while nothing is new, red with before, after and who when something is."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from changewindow.changes import recording
from changewindow.changes.recording import Teller
from changewindow.flow.dags.silent_changes import build_silent_changes_dag
from changewindow.flow.triggerer.arguments import SilentArguments
from changewindow.flow.triggerer.silent_trigger import SilentTrigger
from changewindow.flow.xcoms import NOTE
from changewindow.ledger import findings
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Settled
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.looks import Look
from changewindow.ledger.verification import verify_all
from changewindow.policy.finding_rights import nobody
from changewindow.policy.world_finding import WorldFinding
from collector_fixtures.git import commit
from step_fixtures.git_change import git
from support.manual_changes import manual
from support.task_instance import TaskInstance

COLLECTORS = """collectors:
  config: {kind: git, service: orders, connection: orders_config, within: 60s}
  ours: {kind: changes}
"""
NOISE = """expected:
  tuning: {owner: dora, reason: A robot tunes it, until: 2199-12-31, collector: config, what: 'commit .*: Tune;.*'}
"""


@pytest.fixture
def repository(tmp_path: Path, known: Ledger, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository that Airflow knows, and a policy that looks at it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", ".")
    commit(folder, "Begin")
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_CONFIG", json.dumps({"conn_type": "git", "host": str(folder)}))
    monkeypatch.setenv("CHANGEWINDOW_COLLECTED", str(tmp_path / "collected"))
    (tmp_path / "policy" / "collectors.yaml").write_text(COLLECTORS)
    return folder


def looked(monkeypatch: pytest.MonkeyPatch) -> TaskInstance:
    """Make a run: the task defers, the trigger looks, and the task goes on."""
    operator: Any = build_silent_changes_dag().tasks[0]
    task_instance = TaskInstance("look", dag="silent_changes")
    context = {"ti": task_instance, "params": {}}
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    path, arguments = deferred.value.trigger.serialize()
    assert path == "changewindow.flow.triggerer.silent_trigger.SilentTrigger"
    event = asyncio.run(SilentTrigger(**arguments).decided())
    operator.looked(context, event)
    return task_instance


def note_of(task_instance: TaskInstance) -> str:
    """Return what the note of the run says."""
    return str(task_instance.xcom_pull(key=NOTE, task_ids="look"))


def test_the_note_of_a_red_run_says_what_to_do(repository: Path, known: Ledger, tmp_path: Path) -> None:
    """Whether something was found, or nobody could look; the list of runs shows nothing else."""
    operator: Any = build_silent_changes_dag().tasks[0]
    finding = WorldFinding("change", "config", "orders_config:main", datetime.now(UTC), "commit", "nobody")
    at = datetime.now(UTC)
    findings.write_pass(known, [Look("config", at, at, {})], [finding], [], now=at)
    task_instance = TaskInstance("look", dag="silent_changes")
    with pytest.raises(AirflowFailException):
        operator.looked({"ti": task_instance}, {"verdict": "pass", "reason": "", "collectors": ["config"]})
    head, what_to_do, what = note_of(task_instance).splitlines()[:3]
    assert head == "new findings: 1"
    assert what_to_do == (
        "Take each back (the log has the tickets), record it (`record_change`), or accept it (`accept_finding`)."
    )
    assert what.startswith("finding 1: ")
    (tmp_path / "policy" / "collectors.yaml").write_text("collectors: [1]\n")
    with pytest.raises(AirflowFailException):
        operator.execute({"ti": task_instance})
    assert note_of(task_instance).startswith("The collectors cannot be read, so nobody looks.\n")
    with pytest.raises(AirflowFailException):
        operator.looked({"ti": task_instance}, {"verdict": "fail", "reason": "the ledger is down"})
    assert note_of(task_instance) == "the ledger is down"


def test_a_commit_that_nobody_announced_is_found_in_the_next_run(
    repository: Path, known: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: the run is red, its owner is told, and the runs after it are green."""
    assert note_of(looked(monkeypatch)) == "nothing new; asked: config"
    commit(repository, "Quick fix")
    with caplog.at_level(logging.INFO), pytest.raises(AirflowFailException, match="new findings: 1") as red:
        looked(monkeypatch)
    assert "orders_config:main commit" in str(red.value)
    assert "Quick fix" in str(red.value)
    assert "SILENT CHANGES on orders: nobody announced this" in caplog.text
    assert "take back: `changewindow findings ticket 1` writes the ticket" in caplog.text
    assert "record what was done by hand: `changewindow record --finding NUMBER …`" in caplog.text
    assert "accept until a day: the DAG `accept_finding`, with numbers, a reason and an end" in caplog.text
    assert (
        "fill in every <blank> and paste this into the form of request_change:\n"
        "# Takes finding 1 back: orders_config:main commit" in caplog.text
    )
    for _ in range(2):
        assert note_of(looked(monkeypatch)) == "nothing new; asked: config"
    [recorded] = findings.find(known, Wanted())
    assert (recorded.state, recorded.finding.services, recorded.told_at is not None) == ("open", ("orders",), True)
    assert verify_all(known).altered == ()


def test_what_a_run_found_before_it_died_is_told_by_the_next(
    repository: Path, known: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trigger of a run that died has written it; another trigger finds nothing more."""
    looked(monkeypatch)
    commit(repository, "Quick fix")
    for _ in range(2):
        asyncio.run(SilentTrigger.of(SilentArguments()).decided())
    with pytest.raises(AirflowFailException, match="Quick fix"):
        looked(monkeypatch)
    assert len(findings.find(known, Wanted())) == 1


def test_a_repository_that_cannot_be_reached_is_one_finding_until_it_is_back(
    repository: Path, known: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what happened meanwhile is found then."""
    looked(monkeypatch)
    away = repository.rename(repository.with_name("away"))
    with pytest.raises(AirflowFailException, match=r"config .* could not see from .* on: "):
        looked(monkeypatch)
    looked(monkeypatch)
    commit(away, "Quick fix")
    away.rename(repository)
    with pytest.raises(AirflowFailException, match="Quick fix"):
        looked(monkeypatch)
    assert [recorded.state for recorded in findings.find(known, Wanted())] == ["open", "seen"]


def test_expected_noise_tells_nobody(
    repository: Path, known: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beside it is found."""
    (tmp_path / "policy" / "collectors.yaml").write_text(COLLECTORS + NOISE)
    looked(monkeypatch)
    commit(repository, "Tune")
    commit(repository, "Quick fix")
    with pytest.raises(AirflowFailException, match="new findings: 1"):
        looked(monkeypatch)
    [recorded] = findings.find(known, Wanted())
    assert "Quick fix" in recorded.finding.what


def test_an_accepted_finding_is_told_again_when_its_time_is_over(
    repository: Path, known: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody forgets it."""
    looked(monkeypatch)
    commit(repository, "Quick fix")
    with pytest.raises(AirflowFailException):
        looked(monkeypatch)
    [recorded] = findings.find(known, Wanted())
    findings.settle(
        known, [Settled(recorded.number, "accepted", "known", recorded.made_at)], person="dora", now=recorded.made_at
    )
    with pytest.raises(AirflowFailException, match="Quick fix"):
        looked(monkeypatch)


def test_without_collectors_the_run_is_green_and_says_how_to_add_one(repository: Path, tmp_path: Path) -> None:
    """Nobody who does not use it is called; our own changes are all announced."""
    (tmp_path / "policy" / "collectors.yaml").write_text("collectors:\n  ours: {kind: changes}\n")
    operator: Any = build_silent_changes_dag().tasks[0]
    task_instance = TaskInstance("look", dag="silent_changes")
    operator.execute({"ti": task_instance, "params": {}})
    assert note_of(task_instance).startswith("No collector is configured, so nobody looks. Add some to collectors.yaml")


def test_a_file_that_cannot_be_read_makes_the_run_red(repository: Path, tmp_path: Path) -> None:
    """With the line that is wrong."""
    (tmp_path / "policy" / "collectors.yaml").write_text("collectors:\n  config: {kind: gti}\n")
    operator: Any = build_silent_changes_dag().tasks[0]
    with pytest.raises(AirflowFailException, match=r"collectors\.yaml:2"):
        operator.execute({"ti": TaskInstance("look", dag="silent_changes"), "params": {}})


@pytest.mark.parametrize("may_close", [True, False], ids=["by who may close it", "by another user"])
def test_what_was_recorded_before_a_collector_saw_it_alarms_nobody(
    repository: Path, known: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, may_close: bool
) -> None:
    """If whoever told it may close findings. It is one all the same, closed as recorded and not approved."""
    looked(monkeypatch)
    now = datetime.now(UTC)
    began, ended = now - timedelta(seconds=60), now - timedelta(seconds=30)
    commit(repository, "Quick fix", at=(now - timedelta(seconds=45)).isoformat(timespec="seconds"))
    told = manual("git push origin main", began=began, ended=ended)
    (tmp_path / "policy" / "rights.yaml").write_text(f"operators: [{'bob' if may_close else 'dora'}]\n")
    change = recording.enter(known, told, Teller("bob", nobody), now=now).change
    if not may_close:
        with pytest.raises(AirflowFailException, match="new findings: 1"):
            looked(monkeypatch)
        return
    assert note_of(looked(monkeypatch)) == "nothing new; asked: config"
    [recorded] = findings.find(known, Wanted())
    assert (recorded.state, recorded.person) == ("recorded", "bob")
    assert recorded.reason == f"as {change}, not approved: command 1 names it"
    commit(repository, "Another")
    with pytest.raises(AirflowFailException, match="new findings: 1"):
        looked(monkeypatch)
    assert verify_all(known).altered == ()
