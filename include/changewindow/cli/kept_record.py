"""Keeps what was done by hand on this host, until the ledger takes it in."""

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import Any

from changewindow.changes.direct_ingestion import RECORDED
from changewindow.changes.record_form import manual_change_of
from changewindow.cli.emergency_here import account, folder
from changewindow.cli.ingesting import take_in_now
from changewindow.cli.ledger_address import found
from changewindow.cli.policy import catalogue_of, policy_now
from changewindow.errors import LedgerDown, OperatorError
from changewindow.ledger.journal import Journal
from changewindow.ledger.seal import Seal

MOST = 20
"""Remarks of a record."""


def keep(arguments: argparse.Namespace, conf: dict[str, Any]) -> int:
    """Write what was done into a journal of this host, and take it in where the ledger answers; return 0.

    Raises:
        BadRequest: it cannot be recorded so; names every mistake.
        OperatorError: it cannot be written down.
    """
    person, at = account(), datetime.now(UTC)
    manual = manual_change_of(conf, catalogue_of(arguments), person=person, now=at)
    who = f"told from a terminal: {person} is the account on {os.uname().nodename}, and nobody has authenticated them"
    marked = manual.model_copy(update={"remarks": (*manual.remarks[: MOST - 1], who)})
    ledger = found(arguments)
    try:
        journal = Journal.create(folder(), ledger.named.seal if ledger.named else Seal())
        journal.write(RECORDED, at, {"manual": marked.data, "person": person})
    except (OSError, LedgerDown) as error:
        raise OperatorError(
            f"It cannot be kept in {folder()} ({error}). Run this as the account of Change Windows."
        ) from error
    journal.close()
    if ledger.answering:
        print(*take_in_now(ledger.answering, policy_now(arguments)), sep="\n")
        return 0
    print(f"the ledger does not answer: {ledger.why}", file=sys.stderr)
    print(f"It is kept in {journal.path} until the ledger answers; then `changewindow ledger ingest`.")
    return 0
