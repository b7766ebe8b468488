"""Reads tickets: text in, ticket or findings out; never raises for what an author wrote."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from changewindow.documents import parameters, validation
from changewindow.documents.findings import Finding, Place, are_errors
from changewindow.documents.text import dotted, shown
from changewindow.documents.types import AS_NEW
from changewindow.documents.validation import Given
from changewindow.documents.yaml import Document
from changewindow.ticket.limits import excess
from changewindow.ticket.model import Ticket

NEW = Path(__file__).with_name("new.yaml")
MOST = 100
"""More findings than this help nobody, and take long to produce."""
NO_MAPPING = Finding("yaml", "a ticket is a mapping of names to values", "`changewindow new` shows one.", line=1)

SMALLEST: dict[str, Any] = {
    "summary": "-",
    "services": ["none"],
    "environment": "none",
    "type": "normal",
    "risk": "low",
    "owner": "a",
    "reviewer": "b",
    "window": {"zone": "UTC", "start": "2000-01-01 00:00", "end": "2000-01-02 00:00"},
    "steps": [{"name": "-", "kind": "command", "run": ["true"], "undo": "nothing"}],
    "rollback": {
        "estimate": "1m",
        "verify": [{"name": "-", "source": {"kind": "command", "run": ["true"]}, "pass": {"equals": 1}}],
    },
    "watch": {"for": "1m"},
}
"""Stands in for fields that cannot be read, so that the others can; nobody judges it."""

Judge = Callable[[Document, Ticket], Iterable[Finding]]
"""Returns what the policy has against a ticket."""


@dataclass(frozen=True)
class Loaded:
    """What became of a text: findings, and a ticket if all of them are warnings."""

    data: Any
    ticket: Ticket | None
    findings: tuple[Finding, ...]


def read(document: Document, judge: Judge) -> Loaded:
    """Read a ticket from the data of a YAML text: every finding at once, ordered by line."""
    findings = list(document.findings)
    ticket = None
    if isinstance(document.data, dict):
        ticket, judged = _read(document, judge)
        findings += judged
    elif not findings:
        findings.append(NO_MAPPING)
    findings.sort(key=lambda finding: finding.line)
    return Loaded(document.data, None if are_errors(findings) else ticket, tuple(_as_many_as_help(findings)))


def _as_many_as_help(findings: list[Finding]) -> list[Finding]:
    more = findings[MOST:]
    if not more:
        return findings
    sentence, remedy = "there are more findings", "Correct those above first."
    return [
        *findings[:MOST],
        Finding("lint", sentence, remedy, line=more[0].line, is_warning=not are_errors(more)),
    ]


def build_ticket(data: Mapping[str, Any], chosen: Mapping[str, Any] | None = None) -> Ticket:
    """Return the ticket of an approved revision, with the parameters chosen for a run or else their defaults.

    Raises:
        ValueError: the data is not a ticket, or a chosen value is not among the approved ones.
    """
    ticket = _validated(data, {}, is_new=False)
    values = {name: _approved(ticket, name, value) for name, value in (chosen or {}).items()}
    return _validated(data, values, is_new=False) if values else ticket


def _approved(ticket: Ticket, name: str, value: Any) -> Any:
    """Return the approved value that equals a chosen one."""
    if name not in ticket.parameters:
        raise ValueError(f"'{name}' is not a parameter of this change")
    choices = ticket.parameters[name].choices
    for choice in choices:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    raise ValueError(f"{name} = {shown(value)} was not approved; approved are {', '.join(map(shown, choices))}")


def _validated(data: Mapping[str, Any], chosen: Mapping[str, Any], *, is_new: bool) -> Ticket:
    """Return the ticket; strictly, so that text, numbers and true are never taken for each other.

    A parameter is text where its field is text, whatever its type: what is compared as a number may be an argument too.
    """
    filled = parameters.fill(data, chosen)
    try:
        return _strictly(filled, is_new=is_new)
    except ValidationError as error:
        texts = set(validation.text_places(filled, error)) & parameters.whole_uses(data)
        if not texts:
            raise
    return _strictly(parameters.fill(data, chosen, texts), is_new=is_new)


def _strictly(data: Mapping[str, Any], *, is_new: bool) -> Ticket:
    # In order, as the ledger keeps it: a plan shows labels as they come, and its digest is to be the stored one.
    return Ticket.model_validate_json(json.dumps(data, sort_keys=True), strict=True, context=AS_NEW if is_new else None)


def _read(document: Document, judge: Judge) -> tuple[Ticket | None, list[Finding]]:
    """Return the ticket of a document, if it is one, and what is wrong with it."""
    too_much = [replace(finding, line=document.line(finding.place)) for finding in excess(document.data)]
    if too_much:
        return None, too_much
    findings = [
        replace(finding, line=document.line(finding.place))
        for look in (_blanks, parameters.misuses)
        for finding in islice(look(document.data), MOST)
    ]
    ticket, more = _tried(document, {}, judge)
    findings += _first_hand(document, findings, more)
    if ticket is None or are_errors(findings):
        return ticket, findings
    return ticket, findings + list(islice(_bad_choices(document, ticket, judge, findings), MOST))


def _tried(document: Document, chosen: Mapping[str, Any], judge: Judge) -> tuple[Ticket | None, list[Finding]]:
    """Return the ticket with values chosen for its parameters, if it is one, and what is wrong with it."""
    data = parameters.fill(document.data, chosen)
    try:
        ticket = _validated(document.data, chosen, is_new=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)[: 10 * MOST]
        partly = _partly(data, {str(each["loc"][0]) for each in errors if each["loc"]})
        judged = list(judge(document, partly)) if partly else []
        return None, [*validation.of_errors(document, Given(data, Ticket), errors), *judged]
    return ticket, list(judge(document, ticket))


def _partly(data: Mapping[str, Any], bad: set[str]) -> Ticket | None:
    """Return a ticket of those fields that are good, for whatever can be judged by them; others it does not have."""
    try:
        whole = _strictly({**SMALLEST, **{name: value for name, value in data.items() if name not in bad}}, is_new=True)
    except ValidationError:
        return None
    good = {name: getattr(whole, name) for name in Ticket.model_fields if name not in bad}
    partly = Ticket.model_construct(set(good), **good)
    for name in bad:
        partly.__dict__.pop(name, None)
    return partly


def _bad_choices(document: Document, ticket: Ticket, judge: Judge, known: list[Finding]) -> Iterator[Finding]:
    """Try every approved value of every parameter: none may add an error or a warning to the ticket."""
    for name, parameter in ticket.parameters.items():
        for index, value in enumerate(parameter.allowed):
            _, findings = _tried(document, {name: value}, judge)
            further = (finding for finding in findings if finding not in known)
            worst = min(further, key=lambda finding: finding.is_warning, default=None)
            if worst:
                place = ("parameters", name, "allowed", index)
                sentence = f"with {shown(value)}, {dotted(worst.place)}: {worst.sentence}"
                yield replace(worst, line=document.line(place), place=place, sentence=sentence, names_field=False)


def _first_hand(document: Document, known: list[Finding], more: list[Finding]) -> list[Finding]:
    """Leave out what merely follows from a known finding about the same value, or from a bad parameter used there."""
    places = {finding.place for finding in known}
    bad = {finding.place[1] for finding in more if finding.place[:1] == ("parameters",) and len(finding.place) > 1}
    return [
        finding
        for finding in more
        if finding.place not in places
        and not parameters.used(document.at(finding.place)) & bad
        and not any(_touch(finding.place, other.place) for other in document.findings)
    ]


def _touch(place: Place, other: Place) -> bool:
    """Return whether one place lies within the other."""
    shared = min(len(place), len(other))
    return shared > 0 and place[:shared] == other[:shared]


def _blanks(data: Any) -> Iterator[Finding]:
    """Find the blanks of a new ticket that are not filled in."""
    for place, text, _ in parameters.texts(data):
        for blank in _all_blanks():
            if blank in text:
                yield Finding("blanks", f"the blank {blank} is not filled in", "Replace it.", place)


@cache
def _all_blanks() -> frozenset[str]:
    return frozenset(re.findall("<[^<>]+>", NEW.read_text(encoding="utf-8")))
