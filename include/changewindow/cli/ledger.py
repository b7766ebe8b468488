"""The part of the command line about the ledger: its tables, and the events of a change."""

import argparse
import json
import os
import sys
from typing import Any

from changewindow import settings
from changewindow.changes.earlier_publication import replace_earlier
from changewindow.cli.output import print_json
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import EventRow
from changewindow.systems.connection import Connection

LEDGER_VARIABLE = "AIRFLOW_CONN_CHANGEWINDOW_LEDGER"


def upgrade(arguments: argparse.Namespace) -> int:
    """Bring the ledger's tables, and what earlier versions published, to the newest version."""
    known = ledger(arguments)
    known.upgrade()
    for change in replace_earlier(known, settings.read().published, keep=True):
        print(
            f"{change} is published as data now, beside its earlier file, which housekeeping removes", file=sys.stderr
        )
    print("the ledger is up to date", file=sys.stderr)
    return 0


def history(arguments: argparse.Namespace) -> int:
    """Print the events of a change. JSON has the shape `output.HISTORY`."""
    recorded = events.history(ledger(arguments), arguments.change)
    if arguments.json:
        print_json({"change": arguments.change, "events": [_event_json(event) for event in recorded]})
        return 0
    for event in recorded:
        print(f"{event.sequence:4}  {event.at:%Y-%m-%d %H:%M:%S}  {event.kind:12}  {event.actor}  {event.data}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Check the chain of a change's events and print its head. JSON has the shape `output.CHAIN`.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    known = ledger(arguments)
    head = events.verify(known, arguments.change)
    if arguments.json:
        number = len(events.history(known, arguments.change))
        print_json({"change": arguments.change, "events": number, "head": head})
        return 0
    print(f"{arguments.change}: every event follows the one before it; head {head}")
    return 0


def _event_json(event: EventRow) -> dict[str, Any]:
    head = {name: getattr(event, name) for name in ("sequence", "at", "kind", "actor", "hash")}
    return {**head, "data": events.data(event)}


def ledger(arguments: argparse.Namespace) -> Ledger:
    """Return the ledger that --ledger names, or Airflow's connection in the environment."""
    return Ledger(_url(arguments))


def _url(arguments: argparse.Namespace) -> str:
    """Return the ledger's address: from --ledger, or from the connection in the environment."""
    if arguments.ledger:
        return str(arguments.ledger)
    given = os.environ.get(LEDGER_VARIABLE)
    if not given:
        arguments.misuse(f"no ledger is named. Give --ledger URL, or set {LEDGER_VARIABLE} as for Airflow.")
    try:
        fields = json.loads(str(given))
        names = {"host": "", "port": None, "login": "", "password": "", "schema": ""}
        chosen = {name: fields.get(name, default) for name, default in names.items()}
        return Connection("changewindow_ledger", fields["conn_type"], **chosen).database_url
    except (ValueError, KeyError, AttributeError):
        arguments.misuse(f"{LEDGER_VARIABLE} is not a connection as JSON with conn_type. Correct it.")
        raise
