"""Drafts a standard change from what ran, or from what was done by hand: a file for people to review.

A draft approves nothing. Only what lies in the catalogue of standard changes does, and nothing here writes there.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changewindow.changes.proof_to_fill_in import PROOF
from changewindow.documents.text import spoken, visible
from changewindow.documents.yaml_writing import written
from changewindow.errors import OperatorError
from changewindow.ledger import changes, events, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import Started
from changewindow.policy.check import Facts
from changewindow.policy.manual_change import RECORDED, ManualChange
from changewindow.policy.templates import judged_template
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.secrecy import HIDDEN
from changewindow.systems.sessions.reading import without_documents
from changewindow.ticket.model import Ticket

OF_ONE_CHANGE = {"window", "owner", "reviewer", "on_call"}
"""What a ticket says of one change alone; whoever asks for a standard change says it anew."""
FIRST = ("name", "kind", "connection")
"""What people read first of a step or a condition."""
EMERGENCY = "Emergency: "
"""With what the summary of a single step begins that was declared an emergency; see `emergency_form`."""
SUMMARY = "<one sentence, what is being changed and why>"
"""A blank of a new ticket: the reader of tickets finds those that are not filled in."""
HEALTHY = {
    "name": "Health check returns 200",
    "source": {"kind": "http", "connection": "<airflow_connection>", "path": "/health", "read": "status"},
    "pass": {"equals": 200},
}
NAME = "NAME"
"""Stands for the name of the standard change where nobody has given one."""
HEAD = """\
# A draft of a standard change, from what {change} did ({how}). It approves nothing where it lies.
# Read every line. Fill in each <blank>, and list the values that may be chosen. Write {{{{ params.value }}}} where
# one of them stands:
#   parameters: {{value: {{type: integer, default: 2, allowed: [2, 3], help: What it is.}}}}
# Then have it reviewed, put it among the templates as {name}.yaml, and run: changewindow policy lint
"""
SECRETS_HIDDEN = f"# What looked like a secret is hidden as {HIDDEN}; name an Airflow Connection in its place.\n"
MISTAKES = "# What has to be right before it can count:\n"
BY_HAND = """\
summary: {summary}
services: {services}
environment: {environment}
type: standard
risk: medium

steps:
  # Given by hand, {span}:
{commands}
  # One step for each that acts; `kind: ssh_command` with `connection: <airflow_connection>` if it was on a host.
  - name: <what the step does>
    kind: command
    run: [<program>, <argument>]
    undo: [<program that undoes it>]
    timeout: 5m

rollback:
{proof}"""


@dataclass(frozen=True)
class Draft:
    """A draft of a standard change."""

    change: str
    text: str
    mistakes: tuple[str, ...]
    """What is still wrong with it, as lines."""


def draft(ledger: Ledger, change: str, facts: Facts, *, name: str = "") -> Draft:
    """Return the draft of a standard change that does what a change has done, with the values of its last run.

    Raises:
        LedgerUnknown: there is no such change.
        OperatorError: it has never run.
        AlteredText: the ledger does not hold what ran.
    """
    row = changes.get(ledger, change)
    if row.status == RECORDED:
        body, how = _by_hand(records.manual_change(ledger, change)), "it was done by hand"
    else:
        body, how = written(_template(*_what_ran(ledger, row))), f"it is {spoken(row.status)}"
    head = HEAD.format(change=change, how=how, name=name or NAME) + SECRETS_HIDDEN * (HIDDEN in body)
    _, findings = judged_template(f"{head}\n{body}", facts)
    mistakes = tuple(visible(finding.text(f"{name or NAME}.yaml")) for finding in findings)
    listed = "".join(f"# - {mistake}\n" for mistake in mistakes)
    return Draft(change, f"{head}\n{body}{f'{chr(10)}{MISTAKES}{listed}' if listed else ''}", mistakes)


def keep(made: Draft, folder: Path, name: str, *, live: Path) -> Path:
    """Write a draft below a folder, and return its file; each change has a folder of its own there.

    Raises:
        OperatorError: the folder is that of the standard changes that count, or cannot be written.
    """
    path = folder / made.change / f"{name}.yaml"
    if path.parent.resolve() == live.resolve():
        raise OperatorError(f"Drafts are not written to {live}, where they would count. Name another folder for them.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.text, encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"The draft cannot be written to {path} ({error.strerror}). `changewindow draft {made.change}` prints it."
        ) from error
    return path


def _what_ran(ledger: Ledger, row: Change) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the text with which a change has run last, and the values that were chosen.

    Raises:
        OperatorError: it has never run.
    """
    started = [each for each in events.past(ledger, row.id, Started) if each.mode == "run"]
    if not started:
        raise OperatorError(f"{row.id} has never run (it is {spoken(row.status)}), so there is nothing to draft from.")
    return changes.text_of(ledger, row.id, started[-1].digest), started[-1].values


def _template(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.alias or name for name, field in Ticket.model_fields.items()]
    kept = {name: _readable(data[name]) for name in names if name in data and name not in OF_ONE_CHANGE}
    kept["type"] = "standard"
    for name, value in values.items():
        if isinstance(kept.get("parameters"), dict) and name in kept["parameters"]:
            kept["parameters"][name]["default"] = value
    return {**kept, **_to_fill_in(kept)}


def _to_fill_in(kept: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that an emergency may go without, and a standard change may not, with what is left blank."""
    rollback, watch, blanks = kept.get("rollback"), kept.get("watch"), dict[str, Any]()
    if str(kept.get("summary")).startswith(EMERGENCY):
        blanks["summary"] = SUMMARY
    if isinstance(rollback, dict) and not (rollback.get("verify") and "by_hand" not in rollback):
        because = f"It had no undo, because: {rollback['by_hand']}. " if rollback.get("by_hand") else ""
        noted = {"notes": f"{because}{rollback.get('notes', '')}".strip()} if because or rollback.get("notes") else {}
        rest = {name: value for name, value in rollback.items() if name not in {"by_hand", "notes"}}
        blanks["rollback"] = {**rest, "verify": rollback.get("verify") or [HEALTHY], **noted}
    if not kept.get("validation") and not (isinstance(watch, dict) and watch.get("conditions")):
        blanks["validation"] = [HEALTHY]
    return blanks


def _readable(data: Any) -> Any:
    """Return data without what looks like a secret, and with what people read first in the first place."""
    if isinstance(data, Mapping):
        names = sorted(data, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        return {name: _hidden_under(name, _readable(data[name])) for name in names}
    if isinstance(data, list):
        return _arguments(data) if all(isinstance(part, str) for part in data) else [_readable(part) for part in data]
    return "\n".join(map(without_secrets, without_documents(data).split("\n"))) if isinstance(data, str) else data


def _hidden_under(name: str, value: Any) -> Any:
    """Return the value of a field, hidden where its name makes it a secret; names of connections are none."""
    if not isinstance(value, str) or "{{" in value:
        return value
    line = f"{name}={shlex.quote(value)}"
    is_hidden = name.isupper() and without_secrets(line) != line  # as variables of the environment are named
    return HIDDEN if is_hidden else value


def _arguments(parts: list[str]) -> list[str]:
    """Return the arguments of a program, of which one may say that the next is a secret."""
    line = shlex.join(parts)
    hidden = without_secrets(line)
    return parts if hidden == line else _split(hidden) or [HIDDEN]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []


def _by_hand(manual: ManualChange) -> str:
    return BY_HAND.format(
        summary=SUMMARY,
        services=f"[{', '.join(manual.services)}]",
        environment=manual.environment,
        span=manual.span,
        commands="\n".join(_comments(manual)),
        proof=PROOF,
    )


def _comments(manual: ManualChange) -> Iterator[str]:
    for command in manual.commands:
        at = f"{command.at:%H:%M:%S} " if command.at else ""
        yield f"  #   {at}{visible(' '.join(command.line.split()))}"
