"""The command that tells what happened: the events of a change, or the changes of a service, a person or an outcome."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from changewindow.changes import owed
from changewindow.changes.event_lines import Line, lines
from changewindow.changes.event_text import sentence
from changewindow.cli.ledger_address import ledger
from changewindow.cli.moments import since
from changewindow.cli.output import count, print_json
from changewindow.cli.terminal import fitted
from changewindow.documents.text import hint
from changewindow.ledger import changes, events, records, search
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change, EventRow
from changewindow.ledger.search import Found, Wanted
from changewindow.policy.manual_change import NOT_APPROVED, RECORDED, ManualChange

PAGE = 50
"""How many changes, or events, are printed unless more are asked for."""
ABOUT_ALL = ("service", "outcome", "person")
"""Options about all changes."""


def run(arguments: argparse.Namespace) -> int:
    """Print the events of a change, or the changes that are looked for; see `output.HISTORY` and `output.CHANGES`."""
    if arguments.limit is not None and arguments.limit < 1:
        arguments.misuse(f"--limit {arguments.limit} shows nothing; write 1 or more")
    if arguments.change is None:
        return _changes(arguments)
    if given := [f"--{name}" for name in ABOUT_ALL if getattr(arguments, name)]:
        arguments.misuse(f"{' and '.join(given)} look through all changes: leave out {arguments.change}.")
    return _events(arguments)


def _events(arguments: argparse.Namespace) -> int:
    known, change = ledger(arguments), arguments.change
    entry = changes.get(known, change)
    begin, before = since(arguments), _number(arguments, arguments.before)
    recorded = [
        event
        for event in events.history(known, change)
        if (begin is None or event.at >= begin) and (before is None or event.sequence < before)
    ]
    shown = recorded[-limit:] if (limit := _limit(arguments)) else recorded
    owes = owed.of_change(known, change, datetime.now(UTC))
    if arguments.json:
        told = manual.data if (manual := _told(known, entry)) else None
        print_json({"change": change, "events": [_event_json(event) for event in shown], "record": told, "owes": owes})
        return 0
    print(f"{change} {entry.summary} ({entry.status}); times are UTC")
    if owes:
        print(*fitted([owed.owes_line(owes)], indent=6), sep="\n")
    happened = list(lines(shown))
    print(*fitted(_event_lines(happened), indent=_column(happened)), sep="\n")
    if manual := _told(known, entry):
        print("What was done:", *_command_lines(manual), sep="\n")
    if len(shown) < len(recorded):
        earlier = len(recorded) - len(shown)
        print(f"{count(earlier, 'earlier event')}: --before {shown[0].sequence}, or --all", file=sys.stderr)
    return 0


def _told(known: Ledger, entry: Change) -> ManualChange | None:
    """Return what a record tells; None of any other change."""
    return records.manual_change(known, entry.id) if entry.status == RECORDED else None


def _command_lines(manual: ManualChange) -> Iterator[str]:
    for number, command in enumerate(manual.commands, 1):
        at = f"{command.at:%H:%M:%S}" if command.at else ""
        yield f"{number:4}  {at:8}  {command.line}"
    yield from (f"      {remark}" for remark in manual.remarks)


def _event_lines(told: Sequence[Line]) -> Iterator[str]:
    """Yield a line for each event: its number, when, who, and what; one for readings with nothing between them."""
    width = _widest(told)
    for line in told:
        first, last = line.first, line.last
        until = f" (until {last.at:%H:%M:%S}, event {last.sequence})" if line.is_of_several else ""
        yield f"{first.sequence:4}  {first.at:%Y-%m-%d %H:%M:%S}  {line.who:{width}}  {line.text}{until}"


def _widest(told: Sequence[Line]) -> int:
    return max((len(line.who) for line in told), default=0)


def _column(told: Sequence[Line]) -> int:
    """Return the column in which sentences begin."""
    return len("   1  2031-03-18 14:10:00    ") + _widest(told)


def _changes(arguments: argparse.Namespace) -> int:
    known, limit = ledger(arguments), _limit(arguments)
    wanted = Wanted(
        since=since(arguments),
        service=arguments.service,
        outcome=arguments.outcome,
        person=arguments.person,
        before=_number(arguments, arguments.before),
    )
    found = search.find(known, wanted, limit=limit + 1 if limit else None)
    shown = found[:limit] if limit else found
    owes = owed.of_changes(known, [each.change.id for each in shown], datetime.now(UTC))
    if arguments.json:
        print_json({"changes": [{**each.facts, "owes": owes.get(each.change.id, [])} for each in shown]})
        return 0
    for each in shown:
        print(*fitted(_change_lines(each, owes.get(each.change.id, ())), indent=10), sep="\n")
    if not found:
        print(f"no change matches.{_nearest_service(known, arguments.service)}", file=sys.stderr)
    elif len(shown) < len(found):
        print(f"there are earlier ones: --before {shown[-1].change.id}, or --all", file=sys.stderr)
    return 0


def _change_lines(found: Found, owes: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a change: what it is, why it is as it is, and what it owes."""
    change = found.change
    when = f"{change.opens:%Y-%m-%d %H:%M} UTC"
    yield f"{change.id}  {change.status:15}  {when}  {', '.join(found.targets)}  {change.summary}"
    approved = f", approved by {', '.join(found.approvers)}" if found.approvers else ""
    people = f"requested by {change.requester}, owner {change.owner}, reviewer {change.reviewer}{approved}"
    if change.status == RECORDED:
        people = f"recorded by {change.requester}, {NOT_APPROVED}; done by {change.owner}"
    closed = f"; ended {change.closed_at:%Y-%m-%d %H:%M} UTC" if change.closed_at else ""
    yield f"          {people}{closed}"
    if change.reason:
        yield f"          {' '.join(change.reason.split())}"
    if owes:
        yield f"          {owed.owes_line(owes)}"


def _nearest_service(known: Ledger, service: str | None) -> str:
    """Return which service is probably meant, if no change touches the one that was asked about."""
    services = search.services(known)
    if not service or not services or service.rpartition("/")[2] in services:
        return ""
    return f" No change of this ledger touches '{service}'. {hint(service, services)}"


def _limit(arguments: argparse.Namespace) -> int | None:
    """Return how many are printed: a page for people, everything for programs, unless something else is asked for."""
    if arguments.all:
        return None
    return arguments.limit or (None if arguments.json else PAGE)


def _number(arguments: argparse.Namespace, given: str | None) -> int | None:
    """Return the number of --before: that of a change, or of an event where a change is named."""
    if given is None:
        return None
    try:
        return int(given.removeprefix("CHG-"))
    except ValueError:
        example = "the number of an event, like 51" if arguments.change else "a change, like CHG-1042"
        arguments.misuse(f"--before: '{given}' is not {example}")
        raise


def _event_json(event: EventRow) -> dict[str, Any]:
    head = {name: getattr(event, name) for name in ("sequence", "at", "kind", "actor", "hash")}
    return {**head, "text": sentence(events.payload(event)), "data": events.data(event)}
