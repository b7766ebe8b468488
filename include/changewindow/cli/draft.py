"""The command that prints the draft of a standard change, from what a change or a record has done."""

import argparse
import sys
from datetime import UTC, datetime

from changewindow.changes.drafting import draft
from changewindow.changes.review_form import TEMPLATE
from changewindow.cli.ledger_address import ledger
from changewindow.cli.output import count
from changewindow.cli.policy import policy_now
from changewindow.documents.text import shown
from changewindow.errors import BadPolicy
from changewindow.policy.check import Facts


def run(arguments: argparse.Namespace) -> int:
    """Print it; say on standard error how much is left to put right."""
    if arguments.name and not TEMPLATE.fullmatch(arguments.name):
        arguments.misuse(f"--name: {shown(arguments.name)} is no name; write it like restart_orders")
    known, policy = ledger(arguments), policy_now(arguments)
    facts = Facts(now=datetime.now(UTC), policy=None if isinstance(policy, BadPolicy) else policy)
    made = draft(known, arguments.change, facts, name=arguments.name)
    print(made.text, end="")
    left = count(len(made.mistakes), "finding") if made.mistakes else "no findings"
    print(f"draft of a standard change, {left}; it approves nothing", file=sys.stderr)
    if isinstance(policy, BadPolicy):
        print(f"Judged without the policy. {policy}", file=sys.stderr)
    return 0
