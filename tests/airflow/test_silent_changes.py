"""Silent changes on a real Airflow: red once, told, listed; what a change has done is not among them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from changewindow.documents.text import escaped
from changewindow.ledger import events, findings
from changewindow.ledger.events import Event
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.payloads import Remembered
from changewindow.steps.git_change import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from support.real_airflow import RealAirflow, git, ticket

SERVICE = "quiet"
CONNECTION = "quiet_config"


@pytest.fixture
def repository(airflow: RealAirflow, tmp_path: Path) -> Iterator[Path]:
    """Return a repository that a collector looks at, and that Airflow knows."""
    folder, file = tmp_path / "repository", airflow.policy / "collectors.yaml"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    known = {"connection_id": CONNECTION, "conn_type": "git", "host": str(folder)}
    airflow.clients["admin"].post("/connections", known)
    before = file.read_text()
    asked = f"{{kind: git, service: {SERVICE}, environment: test, connection: {CONNECTION}, within: 60s}}"
    file.write_text(f"collectors:\n  config: {asked}\n")
    git(folder, "checkout", "--quiet", "--detach")
    yield folder
    file.write_text(before)


def committed(folder: Path, message: str) -> None:
    """Commit a file on the main branch, into which others push."""
    git(folder, "checkout", "--quiet", "main")
    (folder / "pool.yaml").write_text(f"# {message}\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", message)
    git(folder, "checkout", "--quiet", "--detach")


def changed(airflow: RealAirflow, repository: Path) -> str:
    """Let the step of a change push its commit, with what its tasks record; return the change."""
    data = ticket(repository.parent / SERVICE)
    step = {"name": "Tune", "kind": "git_change", "connection": CONNECTION, "write": {"pool.yaml": "max_idle: 1\n"}}
    change = airflow.submit({**data, "steps": [step]}, approved=False)  # so that nothing else runs it
    here = Context(change, 1, lambda name: Connection(name, "git", str(repository)), print)
    acting = Step.model_validate(step)
    remembered = acting.remember(here)
    before = Remembered(step=1, name="Tune", remembered=remembered)
    events.record(airflow.ledger, Event(change, "run/apply_1", datetime.now(UTC), before))
    acting.apply(here, remembered)
    return change


def pass_of(airflow: RealAirflow) -> tuple[str, str]:
    """Make a pass; return how its run ended, and its note."""
    run = airflow.alice.run("silent_changes", airflow.does("silent_changes"))
    return run["state"], run["note"]


@pytest.mark.xdist_group("collectors")
def test_of_two_commits_the_one_that_nobody_announced_makes_the_next_run_red(
    airflow: RealAirflow, repository: Path
) -> None:
    """It is told to Slack and listed; the one of a change is not, and the next pass over the same world is green."""
    green = ("success", escaped("nothing new; asked: config"))
    assert any(pass_of(airflow) == green for _ in range(2))  # the first one may tell what others have left
    change = changed(airflow, repository)
    committed(repository, "Quick fix")
    state, note = pass_of(airflow)
    assert (state, note.splitlines()[0]) == ("failed", escaped("new findings: 1"))
    assert "Quick fix" in note
    assert "by alice" in note
    airflow.is_posted(f"SILENT CHANGES on {SERVICE}", "Quick fix")
    [recorded] = findings.find(airflow.ledger, Wanted(service=SERVICE))
    assert recorded.told_at
    command = [sys.executable, "-m", "changewindow", "findings", "--ledger", airflow.place.ledger, "--service", SERVICE]
    environment = {**os.environ, "PYTHONPATH": "include"}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert f"finding {recorded.number}: " in listed
    assert "Quick fix" in listed
    assert f"{change} acted on {SERVICE} in test then, but no step of it announced this value" in listed
    assert "Tune" not in listed
    assert pass_of(airflow) == green
