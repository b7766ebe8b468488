"""The part of the command line about the ledger: its tables, and the events of a change."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from changewindow import settings
from changewindow.changes.earlier_publication import replace_earlier
from changewindow.cli.output import count, print_json
from changewindow.ledger import events, verification
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
    """Check the record of a change, or of all of them. JSON has the shape `output.CHAIN`, or `output.VERIFIED`.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    if bool(arguments.change) == arguments.all:
        arguments.misuse("name a change, or give --all.")
    return _verify_all(arguments) if arguments.all else _verify_one(arguments)


def _verify_one(arguments: argparse.Namespace) -> int:
    known, change = ledger(arguments), arguments.change
    head = events.verify(known, change)
    number = len(events.history(known, change))
    if arguments.head and (place := verification.place_in_chain(known, change, arguments.head)) is None:
        print(f"{change}: no event has the hash {arguments.head}. The record was altered or cut off.", file=sys.stderr)
        return 1
    if arguments.json:
        print_json({"change": change, "events": number, "head": head})
        return 0
    print(f"{change}: every event follows the one before it; head {head}")
    if arguments.head:
        print(f"{change}: the hash you have kept is that of event {place} of {number}")
    return 0


def _verify_all(arguments: argparse.Namespace) -> int:
    known = ledger(arguments)
    verified = verification.verify_all(known)
    if arguments.json:
        print_json(asdict(verified))
        return int(bool(verified.altered))
    for line in verified.altered:
        print(line)
    looked_at = f"{count(verified.changes, 'change')}, {count(verified.events, 'event')}"
    outside = f"{count(verified.heads, 'head')} kept in {known.heads.path}"
    if not verified.heads:
        outside = f"no head kept in {known.heads.path}, so that an end that is missing everywhere cannot be noticed"
    print(f"{count(len(verified.altered), 'finding')} in {looked_at}; compared with {outside}", file=sys.stderr)
    return int(bool(verified.altered))


def _event_json(event: EventRow) -> dict[str, Any]:
    head = {name: getattr(event, name) for name in ("sequence", "at", "kind", "actor", "hash")}
    return {**head, "data": events.data(event)}


def ledger(arguments: argparse.Namespace) -> Ledger:
    """Return the ledger that --ledger names, or Airflow's connection in the environment.

    The key and the heads of the embedded default lie beside its ledger, and are found there.
    """
    url = make_url(_url(arguments))
    environment = dict(os.environ)
    folder = Path(url.database or "").resolve().parent
    if url.get_backend_name() == "sqlite" and settings.read({"AIRFLOW_HOME": str(folder)}).seal_key_file.exists():
        environment.setdefault("AIRFLOW_HOME", str(folder))
    return Ledger(url.render_as_string(hide_password=False), lambda: settings.read(environment))


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
