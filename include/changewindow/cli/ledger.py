"""The part of the command line about the ledger itself: its tables, and whether its record is as it was written."""

import argparse
import re
import sys
from dataclasses import asdict

from changewindow import settings
from changewindow.changes.direct_ingestion import folder_of
from changewindow.changes.earlier_publication import replace_earlier
from changewindow.cli.ingesting import take_in_now
from changewindow.cli.ledger_address import ledger
from changewindow.cli.output import count, print_json
from changewindow.cli.policy import policy_now
from changewindow.ledger import events, verification
from changewindow.ledger.journal import journals

HASH = re.compile("[0-9a-f]{64}")


def upgrade(arguments: argparse.Namespace) -> int:
    """Bring the ledger's tables, and what earlier versions published, to the newest version."""
    known = ledger(arguments, to_upgrade=True)
    known.upgrade()
    for change in replace_earlier(known, settings.read().published, keep=True):
        print(
            f"{change} is published as data now, beside its earlier file, which housekeeping removes", file=sys.stderr
        )
    print("the ledger is up to date", file=sys.stderr)
    return 0


def ingest(arguments: argparse.Namespace) -> int:
    """Take in what was done from terminals of this host while the ledger was down; return 0 when nothing is left."""
    for sentence in take_in_now(ledger(arguments), policy_now(arguments)):
        print(sentence)
    left = journals(folder_of(settings.read().spool)) if folder_of(settings.read().spool).is_dir() else []
    print(f"{count(len(left), 'journal')} left on this host", file=sys.stderr)
    return 1 if left else 0


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked for."""
    return ingest(arguments) if arguments.action == "ingest" else upgrade(arguments)


def verify(arguments: argparse.Namespace) -> int:
    """Check the record of a change, or of all of them. JSON has the shape `output.CHAIN`, or `output.VERIFIED`.

    Raises:
        BrokenChain: an event is missing or was altered.
    """
    if bool(arguments.change) == arguments.all:
        arguments.misuse("name a change, or give --all.")
    return _verify_all(arguments) if arguments.all else _verify_one(arguments)


def _verify_one(arguments: argparse.Namespace) -> int:
    if arguments.head and not HASH.fullmatch(arguments.head):
        arguments.misuse(f"--head: '{arguments.head}' is no whole hash; copy all 64 digits from the message")
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
