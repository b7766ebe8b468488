"""The part of the command line for those who keep the ledger."""

import argparse
import json
import os
import sys

from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.systems.connection import Connection

LEDGER_VARIABLE = "AIRFLOW_CONN_CHANGEWINDOW_LEDGER"


def upgrade(asked: argparse.Namespace) -> int:
    """Bring the ledger's tables to the newest version."""
    ledger(asked).upgrade()
    print("the ledger is up to date", file=sys.stderr)
    return 0


def history(asked: argparse.Namespace) -> int:
    """Print the events of a change."""
    for event in events.history(ledger(asked), asked.change):
        print(f"{event.sequence:4}  {event.at:%Y-%m-%d %H:%M:%S}  {event.kind:12}  {event.actor}  {event.data}")
    return 0


def verify(asked: argparse.Namespace) -> int:
    """Check the chain of a change's events and print its head."""
    head = events.verify(ledger(asked), asked.change)
    print(f"{asked.change}: every event follows the one before it; head {head}")
    return 0


def ledger(asked: argparse.Namespace) -> Ledger:
    """Return the ledger that is asked for."""
    return Ledger(_url(asked))


def _url(asked: argparse.Namespace) -> str:
    """Return the ledger's address: from --ledger, or from the connection in the environment."""
    if asked.ledger:
        return str(asked.ledger)
    given = os.environ.get(LEDGER_VARIABLE)
    if not given:
        asked.misuse(f"no ledger is named. Give --ledger URL, or set {LEDGER_VARIABLE} as for Airflow.")
    try:
        fields = json.loads(str(given))
        names = {"host": "", "port": None, "login": "", "password": "", "schema": ""}
        chosen = {name: fields.get(name, default) for name, default in names.items()}
        return Connection("changewindow_ledger", fields["conn_type"], **chosen).database_url
    except (ValueError, KeyError, AttributeError):
        asked.misuse(f"{LEDGER_VARIABLE} is not a connection as JSON with conn_type. Correct it.")
        raise
