"""Writes the ticket that takes a silent change back, filled in as far as its collector knows."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from changewindow.changes.proof_to_fill_in import PROOF
from changewindow.collectors.base import CollectorBase
from changewindow.documents.text import visible
from changewindow.errors import OperatorError
from changewindow.ledger.findings import Recorded
from changewindow.policy.service_catalogue import RISKS, Catalogue, Risk
from changewindow.systems.collection import Entry

TICKET = """\
# Takes finding {number} back: {object} {what}
# {who}.
# Fill in every <blank>, read the steps, then: changewindow lint FILE
summary: {summary}
details: {details}
services: {services}
environment: {environment}
type: normal
risk: {risk}
owner: <your user name>             # who executes the change and is responsible for it
reviewer: <a second person>         # who stands by

window:
  start: <start of the window>      # local time, like 2026-03-17 14:00
  end: <end of the window>
  zone: UTC

steps:
{steps}

rollback:                           # brings back what was found, if putting it back does harm
{proof}"""
SERVICE, ENVIRONMENT = "<service affected>", "production"
LONGEST = 200
"""Characters of an object's name in the summary."""
SHOWN = 10
"""How many findings a message says something of."""


class NotPutBack(OperatorError):
    """No ticket can be written for a finding."""

    def __init__(self, number: int, why: str) -> None:
        self.why = why
        super().__init__(f"Finding {number} cannot be taken back by a ticket from here: {why}.")


def ticket_of(recorded: Recorded, collectors: Mapping[str, CollectorBase], catalogue: Catalogue) -> str:
    """Return the ticket that takes a finding back, as YAML.

    Raises:
        NotPutBack: no kind of step can, or nobody knows how; the text says why.
    """
    finding = recorded.finding
    steps = _steps(recorded, collectors)
    summary = f"Take back what nobody announced: finding {recorded.number}, {_plain(finding.object)}"
    return TICKET.format(
        number=recorded.number,
        object=_line(finding.object),
        what=_line(finding.what),
        who=_line(f"Done by {finding.by or 'somebody unknown'}: {finding.known_by or 'nothing says who'}"),
        summary=_quoted(summary),
        details=_quoted(f"Seen at {finding.at:%Y-%m-%d %H:%M:%S} UTC by {finding.collector}."),
        services=_quoted(list(finding.services)) if finding.services else f"[{SERVICE}]",
        environment=_quoted(finding.environment or ENVIRONMENT),
        risk=_risk(finding.services, catalogue),
        steps="\n".join(line for step in steps for line in _lines(step)),
        proof=PROOF,
    )


def actions(found: Sequence[Recorded], collectors: Mapping[str, CollectorBase]) -> list[str]:
    """Return what can be done about findings, a line each: the command, or why there is none."""
    able, unable = list[int](), dict[str, list[int]]()
    for recorded in [each for each in found[:SHOWN] if each.finding.kind == "change"]:
        try:
            _steps(recorded, collectors)
            able.append(recorded.number)
        except NotPutBack as error:
            unable.setdefault(error.why, []).append(recorded.number)
    back = [f"take back: `changewindow findings ticket {number}` writes the ticket" for number in able]
    return [*back, *(f"take back {_listed(numbers)} by hand: {why}" for why, numbers in unable.items())]


def _listed(numbers: Sequence[int]) -> str:
    return f"finding{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _steps(recorded: Recorded, collectors: Mapping[str, CollectorBase]) -> Iterable[Mapping[str, Any]]:
    finding, collector = recorded.finding, collectors.get(recorded.finding.collector)
    if finding.kind == "gap":
        raise NotPutBack(recorded.number, "it is a time in which nothing was seen")
    if collector is None:
        raise NotPutBack(recorded.number, f"collectors.yaml has no collector '{finding.collector}' any more")
    names = ("object", "what", "before", "after", "by", "known_by")
    try:
        steps = collector.put_back(Entry(finding.at, **{name: getattr(finding, name) for name in names}))
    except Exception as error:
        raise NotPutBack(
            recorded.number, f"the kind of {finding.collector} has a mistake: {error!r}; report it"
        ) from error
    if isinstance(steps, str):
        raise NotPutBack(recorded.number, steps)
    return steps


def _risk(services: Iterable[str], catalogue: Catalogue) -> Risk:
    """Return the least risk that the catalogue admits for putting something back; it is never low."""
    known = (catalogue.services[name].risk for name in services if name in catalogue.services)
    return max(("medium", *known), key=RISKS.index)


def _lines(step: Mapping[str, Any]) -> Iterator[str]:
    for number, (name, value) in enumerate(step.items()):
        yield f"{'    ' if number else '  - '}{name}: {_quoted(value)}"


def _quoted(value: Any) -> str:
    """Return a value as JSON, which is YAML in which nothing that the world has named means anything."""
    return json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    """Return a text as a comment may hold it: rows of the ledger can be edited, and none ends the comment."""
    return " ".join(visible(text).split())


def _plain(name: str) -> str:
    return name.replace("<", "(").replace(">", ")")[:LONGEST]
