"""Measures whether a change takes longer while Slack takes every message and never answers.

Run by `make bench`. Changes with Slack up and with Slack down take turns on one Airflow, so that whatever else the
machine does meets both alike.
"""

import os
from datetime import datetime
from pathlib import Path
from statistics import median

from changewindow.cli.airflow_api import wait_for
from servers import embedded_airflow
from support.real_airflow import Probe, RealAirflow, ticket

COUNT = int(os.environ.get("BENCH_MESSAGES", "10"))
MOST = 1.02
"""How many times as long it may take."""


def test_a_change_does_not_wait_for_slack(probe: Probe, tmp_path: Path) -> None:
    """The medians and their ratio are printed."""
    with embedded_airflow.running(tmp_path, probe) as airflow:
        wait_for(lambda: airflow.knows("messages"), "the DAG")
        seconds(airflow, tmp_path / "first")  # it finds nothing warm
        up, down = [], []
        for number in range(COUNT):
            for took, is_down in ((up, False), (down, True))[:: 1 if number % 2 else -1]:
                probe.slack_is_down = is_down
                took.append(seconds(airflow, tmp_path / f"slack-{'down' if is_down else 'up'}-{number}"))
        probe.slack_is_down = False
    ratio = median(down) / median(up)
    print(f"\na change of two steps, median of {COUNT}: Slack up {median(up):.2f} s ({shown(up)})")
    print(f"Slack down {median(down):.2f} s ({shown(down)}); ratio {ratio:.3f}")
    assert probe.sent
    assert ratio <= MOST


def seconds(airflow: RealAirflow, folder: Path) -> float:
    """Return how long the run of a change takes, from its first task to its end."""
    change = airflow.publish(ticket(folder, steps=2, watch="5s"))
    run = airflow.run_of(change)
    assert airflow.ends(change, run) == ("success", "completed")
    ended = airflow.alice.run(change, run)
    begun, end = (datetime.fromisoformat(ended[name]) for name in ("start_date", "end_date"))
    return (end - begun).total_seconds()


def shown(values: list[float]) -> str:
    """Return the least and the greatest."""
    return f"{min(values):.2f}-{max(values):.2f}"
