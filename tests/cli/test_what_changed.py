"""The command `what-changed`, on a real repository and a real ledger."""

import json
import re
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.cli import output
from changewindow.cli.main import main
from changewindow.cli.standalone import ROOT
from collector_fixtures.git import commit
from step_fixtures.git_change import git
from support.acted import acted
from support.ledgers import on_sqlite

Capture = pytest.CaptureFixture[str]
COLLECTORS = """collectors:
  orders-config: {kind: git, service: orders, environment: production, connection: orders_config, within: 60s}
"""
STEP = {"name": "Tune", "kind": "git_change", "connection": "orders_config", "write": {"pool.yaml": "# 29\n"}}


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a policy whose one collector looks at a repository; the terminal knows it."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main", ".")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_CONFIG", json.dumps({"conn_type": "git", "host": str(repository)}))
    monkeypatch.delenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", raising=False)
    folder = shutil.copytree(ROOT / "include" / "policy", tmp_path / "policy")
    (folder / "collectors.yaml").write_text(COLLECTORS)
    return folder


def test_a_commit_by_hand_and_one_of_a_change(policy: Path, capsys: Capture) -> None:
    """Each with who explains it: nobody, or the change whose step it is."""
    ledger = on_sqlite(policy.parent)
    change = acted(ledger, datetime.now(UTC) - timedelta(seconds=2), name="Tune", steps=[STEP])
    repository = policy.parent / "repository"
    commit(repository, "First", at="2025-01-01T00:00:00Z")
    commit(repository, f"Tune\n\nChange-Step: {change}/1")
    commit(repository, "Quick fix")
    arguments = ["what-changed", "--policy", str(policy), "--ledger", str(policy.parent / "ledger.db")]
    assert main([*arguments, "--since", "1h"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("explained by")] == [
        f"explained by nobody: {change} acted on orders in production then, but no step of it announced this value",
        f"explained by {change}: step 1 'Tune' is named by the commit, which holds what it announced",
    ]
    assert main([*arguments, "--json", "--symptom", "orders"]) == 0
    answer = json.loads(capsys.readouterr().out)
    entries = answer["entries"]
    assert [entry["change"] for entry in entries] == [None, change]
    assert entries[0]["by"] == "Dora <dora@example.com>"
    documented = set(re.findall(r'"(\w+)"', output.CHANGED))
    assert {*answer, *entries[0]} <= documented


def test_without_a_ledger_it_says_that_nothing_is_explained(
    policy: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is shown all the same."""
    monkeypatch.setattr("changewindow.cli.embedded.DEMO", policy / "no demo")
    commit(policy.parent / "repository", "Quick fix")
    assert main(["what-changed", "--policy", str(policy)]) == 0
    printed = capsys.readouterr().out
    assert "which changes explain this is not known: no ledger is named. Give --ledger, or set AIRFLOW_CONN_" in printed
    assert "Quick fix" in printed
    assert "explained by" not in printed


def test_a_broken_calendar_holds_up_nothing(policy: Path, capsys: Capture) -> None:
    """Whoever is woken asks what changed, also of a policy by which no change may start."""
    commit(policy.parent / "repository", "Quick fix")
    (policy / "calendar.yaml").write_text("windows: [")
    main(["what-changed", "--policy", str(policy)])
    assert "Quick fix" in capsys.readouterr().out


def test_a_ledger_that_does_not_answer_holds_up_nothing(policy: Path, capsys: Capture) -> None:
    """The answer is there in its time, and says why nothing is explained."""
    commit(policy.parent / "repository", "Quick fix")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/ledger"
        assert main(["what-changed", "--policy", str(policy), "--ledger", address]) == 0
    printed = capsys.readouterr().out
    assert "  which changes explain this is not known: the ledger does not answer\n" in printed
    assert "Quick fix" in printed


def test_a_connection_that_the_terminal_does_not_know(
    policy: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector is named with what to do, and the command fails."""
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_CONFIG")
    assert main(["what-changed", "--policy", str(policy)]) == 1
    assert (
        "  orders-config  all of it: this terminal does not know the connection 'orders_config'. "
        "Set AIRFLOW_CONN_ORDERS_CONFIG as for Airflow, or ask by the DAG what_changed"
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No collector is configured, so nobody can see what changed. Add some to {file}; `changewindow kinds` "),
        (
            "collectors:\n  a: {kind: gti}\n",
            "The collectors cannot be read, so nothing was asked. Correct them.\n{file}:2: collectors.a.kind: ",
        ),
    ],
    ids=["none", "a wrong one"],
)
def test_collectors_that_are_not_there(policy: Path, capsys: Capture, text: str | None, expected: str) -> None:
    """What to do is said, and nothing looks like an answer."""
    file = policy / "collectors.yaml"
    file.unlink()
    if text is not None:
        file.write_text(text)
    assert main(["what-changed", "--policy", str(policy)]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(expected.format(file=file))
    assert printed.out == ""


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--service", "ordrs", "--service: services.yaml has no service 'ordrs'. Did you mean 'orders'?"),
        ("--symptom", "ordrs", "--symptom: services.yaml has no service 'ordrs'. Did you mean 'orders'?"),
        ("--zone", "Mars/Olympus", "--zone: there is no time zone 'Mars/Olympus'. Write it like Europe/Berlin."),
        ("--since", "2200-01-01", "--since 2200-01-01 is not in the past"),
    ],
)
def test_misuse_is_said_in_a_line(policy: Path, capsys: Capture, *, option: str, value: str, message: str) -> None:
    """With what to write instead."""
    with pytest.raises(SystemExit):
        main(["what-changed", "--policy", str(policy), option, value])
    assert message in capsys.readouterr().err


def test_lint_names_a_service_that_nobody_has(policy: Path, capsys: Capture) -> None:
    """It is a warning: what shows there would concern nobody."""
    (policy / "collectors.yaml").write_text(COLLECTORS.replace("service: orders", "service: ordrs"))
    main(["policy", "lint", "--policy", str(policy)])
    assert "services.yaml has no service 'ordrs'. Did you mean 'orders'?" in capsys.readouterr().out
