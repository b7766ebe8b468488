"""Measures whether a change takes longer while Slack takes every message and never answers, and how soon a click shows.

Run by `make bench`. Changes with Slack up and with Slack down take turns on one Airflow, so that whatever else the
machine does meets both alike. A click goes the whole way: Slack's socket, `changewindow slack`, the ledger, the DAG
`messages`, and the message itself.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from changewindow.cli.airflow_api import wait_for
from servers import embedded_airflow
from servers.slack import Slack, slack
from servers.slack_rooms import Posted
from support.real_airflow import Probe, RealAirflow, ticket, window

COUNT = int(os.environ.get("BENCH_MESSAGES", "10"))
MOST = 1.02
"""How many times as long it may take."""
ACKNOWLEDGED, SHOWN = 1.0, 5.0
"""Seconds within which a click is acknowledged, and within which its message says who decided."""
ROOM = "#deploys"


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


def test_a_click_shows_in_its_message(probe: Probe, tmp_path: Path) -> None:
    """When it was acknowledged, and when the message says who has approved."""
    with slack() as service:
        service.room(ROOM)
        account = {"base_url": f"{service.url}/api/", "app_token": service.app_token}
        connection = json.dumps({"conn_type": "slack", "password": service.token, "extra": account})
        settings = {"AIRFLOW_CONN_SLACK_API_DEFAULT": connection}
        with embedded_airflow.running(tmp_path, probe, **settings) as airflow, clicks_taken(airflow, service):
            people = {"people": {"bob": {"slack": "UBOB"}, "alice": {"slack": "UALICE"}}}
            (airflow.policy / "messages.yaml").write_text(json.dumps(people))
            took = [decided(airflow, service, tmp_path / f"asked-{number}") for number in range(COUNT)]
    acknowledged, shows = zip(*took, strict=True)
    print(f"\na click, {COUNT} times: acknowledged in {median(acknowledged):.3f} s, at most {max(acknowledged):.3f} s")
    print(f"its message says who decided after {median(shows):.2f} s, at most {max(shows):.2f} s")
    assert max(acknowledged) < ACKNOWLEDGED
    assert max(shows) < SHOWN


@contextmanager
def clicks_taken(airflow: RealAirflow, service: Slack) -> Iterator[None]:
    """Run `changewindow slack`."""
    command = [sys.executable, "-m", "changewindow", "slack", "--ledger", airflow.place.ledger]
    process = subprocess.Popen([*command, "--policy", str(airflow.policy)], env=airflow.environment)
    try:
        wait_for(lambda: bool(service.sockets.connections), "the service")
        yield
    finally:
        process.terminate()
        process.wait(30)


def decided(airflow: RealAirflow, service: Slack, folder: Path) -> tuple[float, float]:
    """Return after how long a click is acknowledged, and after how long its message shows it."""
    opens = datetime.now(UTC) + timedelta(hours=1)
    change = airflow.submit(ticket(folder, window=window(opens, opens + timedelta(hours=1))), approved=False)

    def message() -> Posted | None:
        return next((each for each in service.room(ROOM).top if change in each.text), None)

    shown = wait_for(lambda: (found := message()) and "changewindow.approve" in found.buttons and found, "its message")
    begun = time.monotonic()
    acknowledged = service.click("UBOB", shown, "changewindow.approve").waited()
    wait_for(lambda: "SCHEDULED" in shown.text, "its decision", every=0.02)
    return acknowledged, time.monotonic() - begun


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
