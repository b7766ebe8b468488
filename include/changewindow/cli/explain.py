"""The command that says whether a change may act at a time, with every reason."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from changewindow.changes import owed
from changewindow.cli.ledger_address import ledger
from changewindow.cli.moments import moment
from changewindow.cli.output import print_json
from changewindow.cli.policy import policy_now
from changewindow.cli.terminal import fitted
from changewindow.ledger import leases
from changewindow.policy.decision import Decision, Satisfied

REASON = 9
"""The column in which a reason begins."""


def run(arguments: argparse.Namespace) -> int:
    """Print what the gate would decide about a change; return 0 when it may act, else 1.

    JSON has the shape `output.EXPLAINED`, see `as_json`.
    """
    at = _moment(arguments)
    known = ledger(arguments)
    decision = leases.explain(known, arguments.change, policy_now(arguments), mode=arguments.mode, now=at)
    owes = owed.of_change(known, arguments.change, at)
    if arguments.json:
        print_json({"change": arguments.change, "at": at, "mode": arguments.mode, **as_json(decision), "owes": owes})
    else:
        print(f"{arguments.change} {'may' if decision.may_act else 'may not'} act at {at:%Y-%m-%d %H:%M} UTC")
        for line in fitted(lines(decision, is_all=arguments.all), indent=REASON):
            print(line)
        if owes:
            print(*fitted([f"  {owed.owes_line(owes)}"], indent=REASON), sep="\n")
    return 0 if decision.may_act else 1


def lines(decision: Decision, *, is_all: bool) -> Iterator[str]:
    """Yield what stands against it and what is only asked at the gate, with `is_all` also what is satisfied."""
    for finding in decision.findings:
        yield f"  no     {finding.code}: {finding.sentence}. {finding.remedy}"
    for answer in decision.satisfied:
        if not answer.is_asked:
            yield f"  later  {answer.code}: {answer.sentence}"
        elif is_all:
            yield f"  yes    {answer.code}: {answer.sentence}"


def as_json(decision: Decision) -> dict[str, Any]:
    """Return every reason for programs.

    `may_act` is the answer, and `outcome` how a run would end that is refused for it: `refused`, `missed`, or null.
    `findings` hold `code`, `sentence` and `remedy` of what stands against it; `satisfied` and `later` hold `code` and
    `sentence` of each rule that is satisfied, or is only asked at the gate.
    """
    return {
        "may_act": decision.may_act,
        "outcome": None if decision.may_act else decision.outcome,
        "findings": [finding.as_json() for finding in decision.findings],
        "satisfied": [_as_json(answer) for answer in decision.satisfied if answer.is_asked],
        "later": [_as_json(answer) for answer in decision.satisfied if not answer.is_asked],
    }


def _as_json(answer: Satisfied) -> dict[str, str]:
    return {"code": answer.code, "sentence": answer.sentence}


def _moment(arguments: argparse.Namespace) -> datetime:
    """Return the time that is asked about, in UTC."""
    return datetime.now(UTC) if arguments.at is None else moment(arguments, "at", like="2031-03-18T14:00+01:00")
