"""The part of the command line for authors of tickets."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from changewindow.cli.output import count, finding_json, print_json
from changewindow.cli.policy import facts_of, print_findings, sum_up
from changewindow.errors import BadPolicy
from changewindow.policy.check import Facts
from changewindow.policy.review import load_file
from changewindow.ticket import every_field, plan, schema
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import NEW


def lint(arguments: argparse.Namespace) -> int:
    """Check tickets and print every finding; a warning alone does not fail. JSON has the shape `output.FINDINGS`."""
    bad: BadPolicy | None = None
    try:
        facts = facts_of(arguments)
    except BadPolicy as unreadable:
        bad, facts = unreadable, Facts(now=datetime.now(UTC))
    findings = [(path, finding) for path in arguments.files for finding in load_file(path, facts).findings]
    if arguments.json:
        print_json({"findings": [finding_json(path, finding) for path, finding in findings]})
    else:
        print_findings(findings)
    code = sum_up([finding for _, finding in findings], count(len(arguments.files), "ticket"))
    if bad:
        print(f"Judged without the policy. {bad}", file=sys.stderr)
    return 1 if bad else code


def show_plan(arguments: argparse.Namespace) -> int:
    """Print what a change would do, and every field of its ticket.

    JSON has the shape `output.PLAN`; `plan` is null if the ticket has errors.
    """
    loaded = load_file(arguments.file, facts_of(arguments))
    if arguments.json:
        findings = [finding_json(arguments.file, finding) for finding in loaded.findings]
        print_json({"findings": findings, "plan": plan_json(loaded.data, loaded.ticket) if loaded.ticket else None})
        return 0 if loaded.ticket else 1
    for finding in loaded.findings:
        print(finding.text(str(arguments.file)), file=sys.stderr)
    if loaded.ticket is None:
        return 1
    print(plan.text(plan.UNNUMBERED, loaded.ticket))
    print(every_field.text(loaded.data, is_whole=True), end="")
    return 0


def plan_json(data: dict[str, Any], ticket: Ticket) -> dict[str, Any]:
    """Return the plan of a ticket in the shape of `output.PLAN`; a node's `number` is that of its step or check."""
    nodes = [
        {
            "id": node.id,
            "role": node.role,
            "after": list(node.after),
            "description": node.text,
            "rule": node.rule,
            "number": node.number or None,
            "timeout": node.timeout,
            "retries": node.retries,
        }
        for node in plan.plan(ticket)
    ]
    window = {"start": ticket.window.opens, "end": ticket.window.closes, "zone": ticket.window.zone}
    head = {name: getattr(ticket, name) for name in ("summary", "type", "risk", "targets", "owner", "reviewer")}
    fields = every_field.fields(data, is_whole=True)
    return {**head, "window": window, "needs": ticket.needs, "nodes": nodes, "fields": fields}


def show_schema(_arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of tickets, for editors."""
    print(json.dumps(schema.ticket_schema(), indent=2))
    return 0


def new(_arguments: argparse.Namespace) -> int:
    """Print a commented ticket to start from."""
    print(NEW.read_text(encoding="utf-8"), end="")
    return 0
