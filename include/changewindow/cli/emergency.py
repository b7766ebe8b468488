"""The command for emergencies: the same as the form `emergency_change`, and without Airflow where that is down."""

import argparse
import re
import secrets
import sys
from typing import Any

import requests

from changewindow.cli import emergency_here, emergency_resume
from changewindow.cli.airflow_api import Client, RestError, is_outage, wait_for
from changewindow.cli.emergency_questions import OPTIONS, form_of
from changewindow.cli.ledger_address import is_named
from changewindow.cli.log_in import logged_in
from changewindow.cli.option_names import by_options
from changewindow.errors import BadRequest, PlatformError

EMERGENCY, ACT = "emergency_change", "act"
SHORT = 5.0
"""Seconds that Airflow has for an answer: production is down meanwhile."""
ENDED = {"success", "failed", "upstream_failed"}
CHANGE = re.compile("CHG-[0-9]+")


def run(arguments: argparse.Namespace) -> int:
    """Carry an emergency out; return 0 when it was completed, or when Airflow carries it out now.

    Raises:
        BadRequest: it cannot be declared so; names every mistake, by the options of the command.
    """
    try:
        return _run(arguments)
    except BadRequest as error:
        raise BadRequest(by_options(str(error), OPTIONS)) from error


def _run(arguments: argparse.Namespace) -> int:
    if arguments.resume:
        return emergency_resume.resume(arguments)
    if not arguments.here and not (arguments.url and arguments.user):
        arguments.misuse("name Airflow with --url and --user, or add --here to carry it out on this host, without it")
    form = form_of(arguments)
    if arguments.here:
        return emergency_here.act(arguments, form, ["that was asked for with --here"])
    try:
        client = logged_in(arguments, timeout=SHORT)
    except RestError as error:
        return _without_airflow(arguments, form, error)
    run_id = f"terminal_{secrets.token_hex(8)}"
    try:
        client.trigger(EMERGENCY, form, dag_run_id=run_id)
    except RestError as error:
        if not is_outage(error) or not _is_there(client, run_id):
            return _without_airflow(arguments, form, error)
    return _followed(arguments, client, run_id)


def _without_airflow(arguments: argparse.Namespace, form: dict[str, Any], error: RestError) -> int:
    """Carry it out here, because Airflow does not answer; a refusal of Airflow is one."""
    if not is_outage(error):
        raise error
    print(f"{error}\nAirflow does not answer, so it is carried out here.", file=sys.stderr)
    return emergency_here.act(arguments, form, ["Airflow, or whoever logs users in there, does not answer"])


def _is_there(client: Client, run_id: str) -> bool:
    """Return whether Airflow has begun a run all the same, or whether nobody can say: then it would be done twice.

    Raises:
        PlatformError: nobody can say.
    """
    try:
        client.run(EMERGENCY, run_id)
    except RestError as error:
        if error.status == requests.codes.not_found:
            return False
        raise PlatformError(
            f"Airflow did not answer, and whether it carries it out is not known: {client.page(EMERGENCY, run_id)}. "
            "Look there; if it does not, run this again with --here."
        ) from error
    return True


def _followed(arguments: argparse.Namespace, client: Client, run_id: str) -> int:
    """Say what has become of it, and follow the change where its ledger is known."""
    print(client.page(EMERGENCY, run_id))
    state = wait_for(
        lambda: (known := str(client.tasks(EMERGENCY, run_id).get(ACT, {}).get("state"))) in ENDED and known,
        "the first step",
        seconds=arguments.wait,
    )
    note = str(client.xcom(EMERGENCY, run_id, ACT, "note") or "")
    print(by_options(note, OPTIONS) or f"Nothing is known of it; see {client.page(EMERGENCY, run_id)}")
    change = CHANGE.search(note)
    if change and is_named(arguments) and sys.stdout.isatty():
        from changewindow.cli import follow  # noqa: PLC0415  what draws on a terminal is slow to import

        given = {**vars(arguments), "change": change[0], "json": False, "once": False}
        return follow.run(argparse.Namespace(**given))
    return 0 if state == "success" else 1
