"""What commands print: counts and findings for people, and with `--json` one JSON object for programs."""

import argparse
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # completing a command waits for no library
    from changewindow.documents.findings import Finding

FINDINGS = '"findings": [{"file", "line", "place", "code", "sentence", "remedy", "is_warning"}]'
"""The shape of findings in every command that has some; `place` lists the names and numbers that lead to a value."""
PLAN = (
    f'{{{FINDINGS}, "plan": null or {{"summary", "type", "risk", "targets", "owner", "reviewer", '
    '"window": {"start", "end", "zone"}, "needs", '
    '"nodes": [{"id", "role", "after", "description", "rule", "number", "timeout", "retries"}], "fields"}}'
)
KINDS = (
    '{"kinds": [{"room", "kind", "summary", "documentation", '
    '"fields": [{"name", "required", "description", "choices", "default"}], "example"}]}'
)
OPENINGS = (
    '{"service", "environment", "type", "needs", "from", "until", '
    '"openings": [{"start", "end", "zone", "closed_before", "despite"}], "closed"}'
)
HISTORY = (
    '{"change", "events": [{"sequence", "at", "kind", "actor", "text", "data", "hash"}], '
    '"record": null or {"environment", "services", "began", "ended", "commands": [{"line", "at"}], "done_by", "why", '
    '"incident", "findings", "remarks"}, "owes"}'
)
CHANGES = (
    '{"changes": [{"change", "summary", "type", "risk", "status", "reason", "requester", "owner", "reviewer", '
    '"targets", "approvers", "opens", "closes", "submitted_at", "closed_at", "owes"}]}'
)
CHAIN = '{"change", "events", "head"}'
VERIFIED = '{"changes", "events", "heads", "altered"}'
EXPLAINED = (
    '{"change", "at", "mode", "may_act", "outcome", "findings": [{"code", "sentence", "remedy"}], '
    '"satisfied": [{"code", "sentence"}], "later": [{"code", "sentence"}], "owes"}'
)
CHANGED = (
    '{"since", "until", "answered", "not_seen": [{"collector", "since", "until", "why"}], "remarks", '
    '"entries": [{"collector", "at", "object", "what", "before", "after", "by", "known_by", "services", '
    '"change", "why", "record", "recorded_by"}]}'
)
FOUND = (
    '{"findings": [{"finding", "kind", "state", "collector", "object", "at", "until", "what", "before", "after", "by", '
    '"known_by", "why", "environment", "services", "made_at", "person", "reason", "changed_at", "expires_at", '
    '"told_at"}]}'
)
REPORTED = (
    '{"since", "until", "figures": [{"name", "text", "value", "unit", "changes", "definition"}], '
    '"habits": [{"target", "text", "changes"}], "drill": {"last_good": null or {"change", "at", "good", '
    '"took": [{"name", "value"}], "reason"}, "last", "is_stale"}}'
)
DELIVERED = (
    '{"since", "until", "metrics": [{"name", "text", "unit", "value", "changes", "out_of", "why", "before", '
    '"definition"}]}'
)
FOLLOWED = (
    '{"change", "summary", "status", "reason", "outcome", "waits_for", "owes", '
    '"watch": null or {"begun", "over", "at", "samples", '
    '"verdict", "because", "asked_until", "conditions": [{"name", "limits", "unit", "verdict", "values"}]}}'
)

MESSAGED = '{"room", "channels": [{"channel", "place", "is_sent", "reference", "reason", "way_on", "took"}]}'


def add_json(parser: argparse.ArgumentParser, shape: str) -> None:
    """Let a command print JSON; `shape` stands in its help: every key, in double quotes."""
    parser.add_argument("--json", action="store_true", help=f"print JSON instead of text: {shape}")


def print_json(facts: Mapping[str, Any]) -> None:
    """Print facts as one JSON object: times as ISO 8601, lengths of time in seconds."""
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=_plain))


def finding_json(file: Path, finding: "Finding") -> dict[str, Any]:
    """Return a finding in the shape of `FINDINGS`."""
    return {
        "file": str(file),
        "line": finding.line,
        "place": list(finding.place),
        "code": finding.code,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
        "is_warning": finding.is_warning,
    }


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 finding`, `2 findings`."""
    return f"{number} {noun}{'s'[: number != 1]}"


def _plain(value: object) -> str | float:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
