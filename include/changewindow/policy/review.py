"""Reviews a ticket: reads it, and asks every policy check; never raises for what an author wrote."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from changewindow import kinds
from changewindow.documents.findings import Finding
from changewindow.documents.yaml import BadYaml, Document, parse, read_file
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import Loaded, read

Check = Callable[[Ticket, Facts], Iterable[Finding]]


def load_file(path: Path, facts: Facts) -> Loaded:
    """Read a ticket from a YAML file; see `load_text`."""
    try:
        return load_text(read_file(path), facts)
    except BadYaml as bad:
        return Loaded(None, None, (bad.finding,))


def load_text(text: str, facts: Facts) -> Loaded:
    """Read a ticket from YAML: every finding at once, ordered by line."""
    try:
        return load_document(parse(text), facts)
    except BadYaml as bad:
        return Loaded(None, None, (bad.finding,))


def load_document(document: Document, facts: Facts) -> Loaded:
    """Read a ticket from the data of a YAML text; see `load_text`."""
    return read(document, lambda document, ticket: _judged(document, ticket, facts))


def _judged(document: Document, ticket: Ticket, facts: Facts) -> Iterator[Finding]:
    """Ask every policy check; add to each finding the line of its place."""
    facts = replace(facts, data=document.data)
    is_whole = all(name in ticket.__dict__ for name in Ticket.model_fields)
    for name, module in kinds.modules("checks").items():
        if name in facts.without:
            continue
        check = kinds.contract(module, "check")
        for finding in check(ticket, facts) if is_whole else _as_far_as_it_can(check, ticket, facts):
            yield replace(finding, line=document.line(finding.place))


def _as_far_as_it_can(check: Check, ticket: Ticket, facts: Facts) -> list[Finding]:
    """Return what a check finds wrong with a ticket of which fields are missing; nothing if it needs one of those."""
    try:
        return list(check(ticket, facts))
    except (AttributeError, LookupError, TypeError, ValueError):
        return []
