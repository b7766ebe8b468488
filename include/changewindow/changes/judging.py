"""Judges a ticket that somebody is still writing: every finding, and its plan and next openings as far as it goes."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from changewindow import kinds
from changewindow.changes.proposing import Proposed, proposed
from changewindow.documents.findings import LONGEST, Finding
from changewindow.documents.text import dotted, visible
from changewindow.documents.yaml import BadYaml, Document, parse
from changewindow.errors import BadPolicy
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import Other
from changewindow.policy.kept import kept_policy
from changewindow.policy.review import load_document
from changewindow.ticket import plan
from changewindow.ticket.model import Ticket
from changewindow.ticket.window import Window


@dataclass(frozen=True)
class Asking:
    """Who asks, when, and by which files it is judged; small, for it is handed to another process."""

    now: datetime
    folder: Path
    templates: Path
    requester: str = ""
    others: tuple[Other, ...] = ()
    """The changes that wait or act in the window of the ticket, as far as whoever asks may know of them."""
    change: str = ""
    """The change that gets this text; empty for a new one."""


@dataclass(frozen=True)
class Judged:
    """What became of a text, as data that JSON knows."""

    findings: list[dict[str, Any]]
    """Each with `line` and `column` from 1, `severity` (error or warning), `who` found it, `place`, `sentence`, and
    `remedy`."""
    plan: dict[str, Any] | None = None
    """`head` as lines and `nodes` with `id` and `text`; None for a ticket with errors."""
    proposed: Proposed = field(default_factory=Proposed)
    remarks: list[str] = field(default_factory=list)
    """What was not looked at, and why."""


def get_ready() -> None:
    """Import what tickets are judged with, which takes longer than to judge one."""
    for room in ("checks", "steps", "sources", "silences"):
        kinds.modules(room)


def window_of(text: str) -> tuple[datetime, datetime] | None:
    """Return start and end of a ticket's window in UTC, or None where it has none that can be read."""
    try:
        window = Window.model_validate(parse(text).at(("window",)))
    except (BadYaml, ValidationError):
        return None
    return window.opens, window.closes


def judged(text: str, asking: Asking) -> Judged:
    """Return every finding about the text of a ticket, with its plan and the next openings for it."""
    policy, remarks = None, []
    try:
        policy = kept_policy(asking.folder, asking.templates)
    except BadPolicy as bad:
        remarks = [f"Judged without the policy. {bad}"]
    facts = Facts(asking.now, policy, asking.others, asking.change, requester=asking.requester)
    try:
        document = parse(text)
    except BadYaml as bad:
        return Judged([_finding(bad.finding, 1)], remarks=remarks)
    loaded = load_document(document, facts)
    findings = [_finding(finding, _column(document, finding)) for finding in loaded.findings]
    coming = proposed(policy.schedule, loaded.data, loaded.ticket, asking.now) if policy else Proposed()
    return Judged(findings, _plan(loaded.ticket), coming, remarks)


def _column(document: Document, finding: Finding) -> int:
    """Return where in its line a finding is, if it is about what begins there."""
    return document.column(finding.place) if document.line(finding.place) == finding.line else 1


def _finding(finding: Finding, column: int) -> dict[str, Any]:
    place = finding.place[:-1] if finding.names_field else finding.place
    return {
        "line": max(finding.line, 1),
        "column": column,
        "severity": "warning" if finding.is_warning else "error",
        "who": finding.code,
        "place": dotted(place),
        "sentence": visible(finding.sentence[:LONGEST]),
        "remedy": visible(finding.remedy[:LONGEST]),
    }


def _plan(ticket: Ticket | None) -> dict[str, Any] | None:
    if ticket is None:
        return None
    nodes = [{"id": node.id, "text": visible(node.text)} for node in plan.plan(ticket)]
    return {"head": [visible(line) for line in plan.head(plan.UNNUMBERED, ticket)], "nodes": nodes}
