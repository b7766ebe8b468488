"""Plays the demo's tickets against a live Airflow over REST, and fails unless each ends as it must.

Started by compose.sh, which sets AIRFLOW_URL and AIRFLOW_PASSWORDS ({"name": "password", ...}).
Alice asks, bob approves.
"""

import json
import os
import sys
import time

from changewindow.cli.airflow_api import Client, RestError
from changewindow.errors import PlatformError
from demo.scenario import ACTS, approve, play, submit

BROKEN = "summary: A ticket that lacks nearly everything\n"
START = time.monotonic()


def report(ticket: str, change: str, what: str) -> None:
    """Print what happens now."""
    print(f"{time.monotonic() - START:6.1f}  {ticket:8} {change:9} {what}", flush=True)


def log_in(name: str) -> Client:
    """Return the named user's view of Airflow."""
    return Client(os.environ["AIRFLOW_URL"], name, json.loads(os.environ["AIRFLOW_PASSWORDS"])[name]).log_in()


def is_refused(requester: Client, approver: Client) -> bool:
    """Return whether a broken ticket fails where its author looks, and says why."""
    run = submit(requester, BROKEN)
    try:
        approve(approver, run)
    except RestError as error:
        answer = str(error)
    else:
        answer = "it was approved"
    is_said = "'rollback' is missing" in answer and "'watch' is missing" in answer
    report("broken", "", "refused with its findings" if is_said else f"not refused as it must be: {answer}")
    return is_said and requester.run("request_change", run)["state"] == "failed"


def main() -> int:
    """Play everything; return 0 when each ended as it must."""
    alice, bob = log_in("alice"), log_in("bob")
    ended_well = [is_refused(alice, bob)]
    for act in ACTS:
        played = play(act, alice, bob, report)
        report(act.ticket, played.change, f"{played.outcome}, run {played.state}: {played.reason} {played.page}")
        ended_well.append(played.is_as_expected)
    return 0 if all(ended_well) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PlatformError as error:
        sys.exit(str(error))
