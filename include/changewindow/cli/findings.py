"""The command about findings in the world: lists them, accepts one until a day, or writes the ticket against it."""

import argparse
import os
import pwd
import sys
from datetime import UTC, datetime
from typing import Any

from changewindow.changes.put_back import ticket_of
from changewindow.changes.silent_pass import text_of
from changewindow.cli.embedded import policy_folder
from changewindow.cli.ledger_address import ledger
from changewindow.cli.moments import moment
from changewindow.cli.output import print_json
from changewindow.cli.policy import catalogue_of, policy_of
from changewindow.cli.terminal import fitted
from changewindow.errors import OperatorError
from changewindow.ledger import findings
from changewindow.ledger.findings import FindingOver, Recorded, Settled
from changewindow.ledger.findings_search import Wanted
from changewindow.policy.collectors import load_collectors
from changewindow.policy.finding_rights import objection_to_closing
from changewindow.policy.model import Policy
from changewindow.policy.rights import why_not_until
from changewindow.systems.sessions.reading import cleaned

PAGE = 50
LEAST, MOST = 3, 500
"""Characters of a reason, as the form of `accept_finding` has them."""
TERMINAL = "terminal account, not authenticated"
"""How it is known who gave a command; whoever starts the DAG `accept_finding` has logged in."""


def run(arguments: argparse.Namespace) -> int:
    """List findings, accept one, or write the ticket that takes it back; JSON has the shape `output.FOUND`."""
    if arguments.action is not None:
        return _ticket(arguments) if arguments.action == "ticket" else _accept(arguments)
    limit = None if arguments.all or arguments.json else PAGE
    wanted = Wanted(service=arguments.service or "", state=arguments.state)
    found = findings.find(ledger(arguments), wanted, limit=limit + 1 if limit else None)
    shown = found[:limit] if limit else found
    if arguments.json:
        print_json({"findings": [_json(recorded) for recorded in shown]})
        return 0
    for recorded in shown:
        print(*fitted([*text_of([recorded]), _state(recorded)]), sep="\n")
    if not found:
        print("no finding matches", file=sys.stderr)
    elif len(shown) < len(found):
        print("there are earlier ones: --all", file=sys.stderr)
    return 0


def _ticket(arguments: argparse.Namespace) -> int:
    """Print the ticket that takes a finding back.

    Raises:
        UnknownFinding: there is none with this number.
        OperatorError: no ticket can, or it is not open.
    """
    if arguments.number is None:
        arguments.misuse("ticket needs a NUMBER")
    [found] = findings.numbered(ledger(arguments), [arguments.number])
    if found.state != "open":
        raise FindingOver(f"Finding {found.number} is {found.state}, by {found.person}: {found.reason}. Nothing to do.")
    catalogue, folder = catalogue_of(arguments), policy_folder(arguments)
    loaded = load_collectors(folder)
    if wrong := loaded.mistakes(folder):
        raise OperatorError("\n".join(["The collectors cannot be read, so no ticket was written.", *wrong]))
    print(ticket_of(found, loaded.collectors, catalogue), end="")
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    """Accept a finding, as the account that runs this command.

    Raises:
        UnknownFinding: there is none with this number.
        OperatorError: it is not open, or this account may not.
    """
    if arguments.number is None or not arguments.reason or not arguments.until:
        arguments.misuse("accept needs a NUMBER, --reason and --until")
    now, until = datetime.now(UTC), moment(arguments, "until", like="2031-03-18T14:00")
    reason = cleaned(arguments.reason)[:MOST]
    policy = policy_of(arguments)
    if why := why_not_until(policy.rights, until, now):
        arguments.misuse(f"--until {why}")
    if len(reason) < LEAST:
        arguments.misuse("--reason says nothing; say in a sentence why it stays as it is")
    here, account = ledger(arguments), pwd.getpwuid(os.geteuid()).pw_name  # and not what USER claims
    [found] = findings.numbered(here, [arguments.number])
    _require(policy, found, account)
    person = f"{account} ({TERMINAL})"
    settled = Settled(found.number, "accepted", reason, until)
    [accepted] = findings.settle(here, [settled], person=person, now=now)
    if arguments.json:
        print_json({"findings": [_json(accepted)]})
    else:
        print(f"finding {found.number} is accepted by {person} until {until:%Y-%m-%d %H:%M} UTC; then it is open again")
    return 0


def _require(policy: Policy, found: Recorded, person: str) -> None:
    """Let the owners of the service, and operators, accept it, as rights.yaml says."""
    if finding := objection_to_closing(policy, person, found.finding.services):
        raise OperatorError(f"Finding {found.number}: {finding.reason}")


def _state(recorded: Recorded) -> str:
    if recorded.state == "open":
        return "    open" + (f": {recorded.reason}" if recorded.reason else "")
    until = f" until {recorded.expires_at:%Y-%m-%d %H:%M} UTC" if recorded.expires_at else ""
    return f"    {recorded.state}{until} by {recorded.person}: {recorded.reason}"


def _json(recorded: Recorded) -> dict[str, Any]:
    values = dict(recorded.values)
    number, _ = values.pop("id"), values.pop("identity")
    return {"finding": number, **values, "services": list(recorded.finding.services)}
