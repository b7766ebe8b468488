"""The moments that people name on the command line."""

import argparse
from datetime import UTC, datetime

from changewindow.documents.types import parse_duration


def since(arguments: argparse.Namespace) -> datetime | None:
    """Return the moment of --since: a time, in UTC without its zone, or how long ago."""
    given = arguments.since
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except ValueError:
        pass
    try:
        return datetime.now(UTC) - parse_duration(given)
    except ValueError:
        arguments.misuse(f"--since: '{given}' is neither a time like 2031-03-18T14:00 nor a length of time like 7d")
        raise
