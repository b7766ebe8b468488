"""Asks for a change over Airflow's REST API, as somebody with an account there."""

import argparse
import getpass
import os
import re
import sys

from changewindow.cli.airflow_api import ENDED, Client, RestError, wait_for
from changewindow.documents.yaml import BadYaml, read_file

VARIABLE = "CHANGEWINDOW_PASSWORD"
REQUEST = "request_change"


def run(asked: argparse.Namespace) -> int:
    """Submit a ticket; print its findings, or the change and where to follow it."""
    try:
        text = read_file(asked.file)
    except BadYaml as bad:
        print(bad.finding.text(str(asked.file)))
        return 1
    password = os.environ.get(VARIABLE) or getpass.getpass(f"password of {asked.user} at {asked.url}: ")
    client = Client(asked.url.rstrip("/"), asked.user, password).log_in()
    conf = {"ticket": text} | ({"change": asked.change} if asked.change else {})
    request = client.trigger(REQUEST, conf)
    checked = wait_for(lambda: _checked(client, request), "the ticket to be checked", seconds=asked.wait)
    if checked == "failed":
        print(_findings(client, request, str(asked.file)))
        print(f"log: {client.page(REQUEST, request)}", file=sys.stderr)
        return 1
    said = client.xcom(REQUEST, request, "check")
    print(f"{said['change']} is submitted; its approval is asked for under Required Actions")
    if said["warnings"]:
        print(re.sub("^ticket:", f"{asked.file}:", said["warnings"], flags=re.MULTILINE))
    print(client.page(REQUEST, request))
    return 0


def _checked(client: Client, request: str) -> str | None:
    """Return how the check ended, once it has."""
    state = client.tasks(REQUEST, request).get("check", {}).get("state")
    if state in ENDED:
        return str(state)
    return "failed" if client.run(REQUEST, request)["state"] == "failed" else None


def _findings(client: Client, request: str, file: str) -> str:
    """Return what the check had against the ticket, with the name of the file that was submitted."""
    try:
        said = client.xcom(REQUEST, request, "check", "note")
    except RestError as error:
        return str(error)
    return re.sub("^ticket:", f"{file}:", said or "the check failed; its log says why", flags=re.MULTILINE)
