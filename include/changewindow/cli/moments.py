"""The moments that people name on the command line."""

import argparse
from datetime import UTC, datetime

from changewindow.documents.moments import moment_of, utc_of_person


def since(arguments: argparse.Namespace) -> datetime | None:
    """Return the moment of --since: a time, in UTC without its zone, or how long ago."""
    if arguments.since is None:
        return None
    try:
        return moment_of(arguments.since, datetime.now(UTC))
    except ValueError as error:
        arguments.misuse(f"--since: {error}")
        raise


def moment(arguments: argparse.Namespace, name: str, *, like: str) -> datetime:
    """Return the moment of an option, in UTC; a time without its zone is in UTC."""
    given = getattr(arguments, name)
    try:
        return utc_of_person(given)
    except ValueError:
        arguments.misuse(f"--{name}: '{given}' is not a time like {like}")
        raise
