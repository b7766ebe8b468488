"""The moments that people name on the command line."""

import argparse
from datetime import UTC, datetime

from changewindow.documents.moments import moment_of


def since(arguments: argparse.Namespace) -> datetime | None:
    """Return the moment of --since: a time, in UTC without its zone, or how long ago."""
    if arguments.since is None:
        return None
    try:
        return moment_of(arguments.since, datetime.now(UTC))
    except ValueError as error:
        arguments.misuse(f"--since: {error}")
        raise
