"""The command that says what changed: one time line of all collectors, and what nobody could see."""

import argparse
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from changewindow import settings
from changewindow.changes.look_around import look_around
from changewindow.changes.time_line import Style, text_of
from changewindow.changes.what_changed import Answer, Gap, Line, Question
from changewindow.cli.embedded import policy_folder
from changewindow.cli.environment_connections import from_environment
from changewindow.cli.ledger_address import is_named, ledger
from changewindow.cli.moments import since
from changewindow.cli.output import print_json
from changewindow.cli.policy import catalogue_of
from changewindow.cli.terminal import fitted
from changewindow.documents.text import hint
from changewindow.errors import PlatformError
from changewindow.ledger.database import Ledger
from changewindow.policy.collectors import collectors_of
from changewindow.policy.service_catalogue import Catalogue
from changewindow.systems.collection import Span

PAGE = 100
NO_LEDGER = "no ledger is named. Give --ledger, or set AIRFLOW_CONN_CHANGEWINDOW_LEDGER as for Airflow"


def run(arguments: argparse.Namespace) -> int:
    """Print what changed; return 0, or 1 when a collector did not answer. JSON has the shape `output.CHANGED`."""
    until = datetime.now(UTC)
    begin, zone = since(arguments), _zone(arguments)
    if begin is None or begin >= until:
        arguments.misuse(f"--since {arguments.since} is not in the past")
        raise AssertionError
    catalogue = catalogue_of(arguments)
    _require_known(arguments, catalogue)
    question = Question(Span(begin, until), catalogue, arguments.service or "", arguments.symptom or "")
    answer = look_around(
        question,
        collectors_of(policy_folder(arguments), catalogue, question.service),
        from_environment,
        folder=settings.read().collected,
        ledger=partial(_ledger, arguments),
    )
    if arguments.json:
        print_json(as_json(answer))
    else:
        style = Style(zone, None if arguments.all else PAGE, by_likelihood=bool(arguments.symptom))
        print(*fitted(text_of(answer, style)), sep="\n")
    return 1 if answer.failed else 0


def as_json(answer: Answer) -> dict[str, Any]:
    """Return the answer for programs."""
    return {
        "since": answer.span.since,
        "until": answer.span.until,
        "answered": list(answer.saw),
        "not_seen": [_gap_json(gap) for gap in answer.gaps],
        "remarks": list(answer.remarks),
        "entries": [_line_json(line) for line in answer.lines],
    }


def _require_known(arguments: argparse.Namespace, catalogue: Catalogue) -> None:
    for option in ("service", "symptom"):
        given = getattr(arguments, option)
        if given and given not in catalogue.services:
            known = hint(given, catalogue.services)
            arguments.misuse(f"--{option}: services.yaml has no service '{given}'. {known}")


def _zone(arguments: argparse.Namespace) -> tzinfo:
    try:
        return ZoneInfo(arguments.zone) if arguments.zone else UTC
    except (OSError, ValueError, LookupError):
        arguments.misuse(f"--zone: there is no time zone '{arguments.zone}'. Write it like Europe/Berlin.")
        raise


def _ledger(arguments: argparse.Namespace) -> Ledger:
    """Return the ledger.

    Raises:
        PlatformError: there is none; then nothing is explained, and everything else is shown.
    """
    if not is_named(arguments):
        raise PlatformError(NO_LEDGER)
    return ledger(arguments)


def _gap_json(gap: Gap) -> dict[str, Any]:
    return {"collector": gap.collector, "since": gap.span.since, "until": gap.span.until, "why": gap.why}


def _line_json(line: Line) -> dict[str, Any]:
    names = ("at", "object", "what", "before", "after", "by", "known_by")
    explained = line.explanation
    return {
        "collector": line.collector,
        **{name: getattr(line.entry, name) for name in names},
        "services": list(line.scope.services),
        "change": explained.change or None if explained else None,
        "why": explained.why if explained else None,
        "record": explained.record or None if explained else None,
        "recorded_by": explained.recorded_by or None if explained else None,
    }
