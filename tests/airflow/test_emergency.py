"""An emergency on a real Airflow: declared over REST, carried out at once, and rolled back where it breaks more."""

import json
from pathlib import Path
from typing import Any

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import changes, queries
from changewindow.ledger.population import last_drills
from changewindow.policy.population import in_order
from support.real_airflow import Probe, RealAirflow, acts, ticket

EMERGENCY = "emergency_change"


def declared(airflow: RealAirflow, **form: Any) -> tuple[str, str]:
    """Declare an emergency as alice; return the run and, once it is known, the change."""
    run = airflow.alice.trigger(EMERGENCY, {"broken": "Orders cannot be paid", "commander": "bob", **form})
    change = wait_for(lambda: queries.of_origin(airflow.ledger, f"{EMERGENCY}/{run}"), "the change of an emergency")
    return run, change.id


def run_of(airflow: RealAirflow, change: str) -> str:
    """Return the run of a change that was just declared, once Airflow has read its file."""
    wait_for(lambda: airflow.knows(change), f"the DAG {change}")
    return airflow.run_of(change)


def test_a_breach_rolls_an_emergency_back(airflow: RealAirflow, probe: Probe, tmp_path: Path) -> None:
    """It is watched like any change; what makes it worse is undone, the step that the form has applied included."""
    _, change = declared(airflow, ticket=json.dumps(ticket(tmp_path / "worse", steps=2, watch="2m")))
    run = run_of(airflow, change)
    airflow.reaches(change, run, "watch", "deferred")
    probe.status = 500
    airflow.reaches(change, run, "undo_2", "running", "success")
    probe.status = 200
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(tmp_path / "worse") == ["apply_1", "apply_2", "undo_2", "undo_1"]


def test_what_was_half_done_when_its_process_died_is_rolled_back(airflow: RealAirflow, tmp_path: Path) -> None:
    """The next try declares and applies nothing a second time; the run of the change undoes what nobody knows."""
    kill, undone = ["sh", "-c", "kill -9 $PPID"], tmp_path / "undone"
    step = {"kind": "command", "run": kill, "undo": ["touch", str(undone)]}
    form = {"step": json.dumps(step), "target": "test/half-done", "unwatched_because": "there is no metric"}
    _, change = declared(airflow, **form)
    assert airflow.ends(change, run_of(airflow, change)) == ("failed", "rolled_back")
    assert undone.exists()
    kinds = airflow.kinds(change)
    assert (kinds.count("declared"), kinds.count("started"), kinds.count("applied")) == (1, 1, 0)


def test_an_emergency_takes_a_target_over(airflow: RealAirflow, tmp_path: Path) -> None:
    """The change that holds it is rolled back by its own run first; of two emergencies the later one wins so, too."""
    data = ticket(tmp_path / "held", watch="5m")
    _, first = declared(airflow, ticket=json.dumps(data))
    airflow.reaches(first, run_of(airflow, first), "watch", "deferred")
    run, second = declared(
        airflow, ticket=json.dumps({**data, "watch": {"for": "3s", "every": "1s"}}), held="take_over"
    )
    assert airflow.ends(first, run_of(airflow, first)) == ("failed", "rolled_back")
    assert f"the emergency {second} takes over" in changes.get(airflow.ledger, first).reason
    assert airflow.request_ends(run, EMERGENCY) == "success"
    assert airflow.ends(second, run_of(airflow, second)) == ("success", "completed")
    assert acts(tmp_path / "held") == ["apply_1", "undo_1", "apply_1"]


def test_a_drill_walks_the_whole_way(airflow: RealAirflow, tmp_path: Path) -> None:
    """What the policy names is declared, acts, is closed and approved; nobody is asked, and each part has its time."""
    path = str(tmp_path / "drilled")
    step = {"kind": "command", "run": ["touch", path], "undo": ["rm", path]}
    drill = {"commander": "bob", "target": "staging/orders", "step": step, "unwatched_because": "nothing is changed"}
    (airflow.policy / "emergencies.yaml").write_text(json.dumps({"drill": drill}))
    run = airflow.alice.trigger("emergency_drill", {})
    assert airflow.request_ends(run, "emergency_drill") == "success"
    good, _ = last_drills(airflow.ledger)
    assert good is not None
    assert [part for part, _ in in_order(good.took)][-1] == "closed"
    airflow.settled(good.change, "🧪 DRILL, nothing is broken: ✅ RESTORED")
    said = [body["text"] for body in airflow.posted() if good.change in body.get("text", "")]
    assert [text[:40] for text in said if not text.startswith("🧪 DRILL")] == []
