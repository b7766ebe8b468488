"""Comparing with a baseline on a real Airflow: taken before the first step, used by the watch and after a rollback."""

from pathlib import Path
from typing import Any

import pytest

from changewindow.ledger import changes, events
from support.real_airflow import RealAirflow, acts, ticket


def errors(file: Path, by: str, **limits: Any) -> dict[str, Any]:
    """Return a condition that compares the number in a file with its baseline."""
    source = {"kind": "command", "run": ["cat", str(file)]}
    return {
        "name": f"errors by {by}",
        "source": source,
        "compare": {"by": by, "samples": 3, "every": "200ms"},
        **limits,
    }


def comparing(journal: Path, file: Path, after: str) -> dict[str, Any]:
    """Return a ticket that writes a number into a file, undoes it, and compares it with its baseline."""
    data = ticket(journal)
    write = {"kind": "command", "run": ["sh", "-c", f"echo {after} > {file}"], "undo": ["sh", "-c", f"echo 2 > {file}"]}
    data["steps"].append({"name": "Change the number", **write})
    data["watch"]["conditions"] = [errors(file, "ratio", fail={"above": 1.5}, failures=2)]
    data["rollback"]["verify"] = [errors(file, "difference", **{"pass": {"between": [-0.1, 0.1]}})]
    return data


@pytest.mark.parametrize(
    ("after", "ended"),
    [
        pytest.param("2.5", "completed: all 2 conditions are good in the last sample", id="a little more is good"),
        pytest.param("5", "rolled_back: errors by ratio is bad: 2.5, limit 1.5 (5 against 2)", id="more is bad"),
    ],
)
def test_a_change_is_compared_with_before(airflow: RealAirflow, tmp_path: Path, after: str, ended: str) -> None:
    """The baseline is in the ledger; the watch and the rollback are judged by it."""
    file = tmp_path / "number"
    file.write_text("2\n")
    change = airflow.publish(comparing(tmp_path / f"compared_{after[0]}", file, after))
    _, outcome = airflow.ends(change, airflow.run_of(change))
    assert f"{outcome}: {changes.get(airflow.ledger, change).reason}".startswith(ended)
    history = events.history(airflow.ledger, change)
    baselines = [events.data(event) for event in history if event.kind == "baseline"]
    assert [baseline["before"] for baseline in baselines] == [
        {"errors by ratio": [2.0] * 3, "errors by difference": [2.0] * 3}
    ]


@pytest.mark.parametrize(
    ("compares", "reason"),
    [
        pytest.param(True, "baseline failed: errors by ratio: 0 of 3 baseline readings", id="nothing to compare with"),
        pytest.param(False, "its source does not answer", id="nothing to watch by"),
    ],
)
def test_a_watch_that_could_not_judge_is_refused_before_the_first_step(
    airflow: RealAirflow, tmp_path: Path, *, compares: bool, reason: str
) -> None:
    """Its source is offline; nothing was touched."""
    data = comparing(tmp_path / f"offline_{compares}".lower(), tmp_path / "missing", "1")
    data["preflight"] = {"within": "1s"}
    if not compares:
        del data["watch"]["conditions"][0]["compare"], data["rollback"]["verify"][0]["compare"]
    change = airflow.publish(data)
    assert airflow.ends(change, airflow.run_of(change)) == ("failed", "refused")
    assert reason in changes.get(airflow.ledger, change).reason
    assert acts(tmp_path / f"offline_{compares}".lower()) == []
