"""Asks for a change over Airflow's REST API, as somebody with an account there."""

import argparse
import re
import sys
from pathlib import Path

from changewindow.cli.airflow_api import ENDED, Client, RestError, wait_for
from changewindow.cli.log_in import logged_in
from changewindow.documents.yaml import BadYaml, read_file

REQUEST = "request_change"


def run(arguments: argparse.Namespace) -> int:
    """Submit a ticket; print its findings, or the change and where to follow it."""
    try:
        text = read_file(arguments.file)
    except BadYaml as bad:
        print(bad.finding.text(str(arguments.file)))
        return 1
    client = logged_in(arguments)
    conf = {"ticket": text} | ({"change": arguments.change} if arguments.change else {})
    request = client.trigger(REQUEST, conf)
    checked = wait_for(lambda: _checked(client, request), "the ticket to be checked", seconds=arguments.wait)
    if checked == "failed":
        print(_of_file(_findings(client, request), arguments.file))
        print(f"log: {client.page(REQUEST, request)}", file=sys.stderr)
        return 1
    result = client.xcom(REQUEST, request, "check")
    print(f"{result['change']} is submitted and waits for its approval under Required Actions.")
    if result["warnings"]:
        print(_of_file(result["warnings"], arguments.file))
    print(client.page(REQUEST, request))
    return 0


def _checked(client: Client, request: str) -> str | None:
    """Return how the check ended, once it has."""
    state = client.tasks(REQUEST, request).get("check", {}).get("state")
    if state in ENDED:
        return str(state)
    return "failed" if client.run(REQUEST, request)["state"] == "failed" else None


def _findings(client: Client, request: str) -> str:
    """Return the findings of the check."""
    try:
        note = client.xcom(REQUEST, request, "check", "note")
    except RestError as error:
        return str(error)
    return note or "The check failed; its log says why."


def _of_file(findings: str, file: Path) -> str:
    """Return findings with the name of the file that was submitted; Airflow knows it as `ticket`."""
    return re.sub("^ticket:", f"{file}:", findings, flags=re.MULTILINE)
