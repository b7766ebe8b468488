"""Tells over Airflow's REST API what was done by hand; secrets are hidden before anything leaves this machine."""

import argparse
import sys
from datetime import datetime, time
from pathlib import Path

from changewindow.changes.form import EVENING, LIKE, MORNING, moment_or_day
from changewindow.cli.airflow_api import ENDED, RestError, is_outage, wait_for
from changewindow.cli.kept_record import keep
from changewindow.cli.log_in import logged_in
from changewindow.cli.option_names import by_options
from changewindow.documents.text import shown
from changewindow.errors import AuthorError, BadRequest
from changewindow.systems.sessions.command import Session
from changewindow.systems.sessions.reading import read
from changewindow.systems.sessions.shell import as_history, decoded

RECORD = "record_change"
DAY_AT = {"start": MORNING, "end": EVENING}
"""From when and until when a day is meant that is given without a time, as in the form."""
OPTIONS = {
    **{name: f"--{name}" for name in ("why", "start", "end", "incident")},
    "targets": "--target",
    "commands": "--command",
    "findings": "--finding",
    "done_by": "--by",
}
"""The options of the form's fields."""
LEDGER_DOWN = "The ledger does not answer"
"""How the note of a run begins that could not write it down."""
MOST = 64 << 20
"""Bytes of a file that are read."""


def run(arguments: argparse.Namespace) -> int:
    """Record it; print the record, what was hidden, and which findings it has closed.

    Raises:
        BadRequest: it cannot be recorded so; names every mistake, by the options of the command.
    """
    try:
        return _run(arguments)
    except BadRequest as error:
        raise BadRequest(by_options(str(error), OPTIONS)) from error


def _run(arguments: argparse.Namespace) -> int:
    times = {name: _moment(arguments, name, at) for name, at in DAY_AT.items() if getattr(arguments, name)}
    session = _session(arguments)
    kept = [
        command
        for command in session.commands
        if command.at is None or times.get("start", command.at) <= command.at <= times.get("end", command.at)
    ]
    if session.commands and not kept:
        arguments.misuse(f"none of the {len(session.commands)} commands is of the time from --start to --end")
    conf = {
        "targets": ",".join(arguments.target),
        "commands": as_history(Session(tuple(kept), session.remarks)),
        "why": arguments.why,
        "findings": ",".join(map(str, arguments.finding or [])),
        **{name: at.isoformat() for name, at in times.items()},
        **{name: getattr(arguments, name) for name in ("done_by", "incident") if getattr(arguments, name)},
    }
    if not arguments.here and not (arguments.url and arguments.user):
        arguments.misuse("name Airflow with --url and --user, or add --here to keep it until the ledger takes it in")
    return keep(arguments, conf) if arguments.here else _tell(arguments, conf)


def _moment(arguments: argparse.Namespace, name: str, day_at: time) -> datetime:
    given = getattr(arguments, name)
    try:
        return moment_or_day(given, day_at)
    except ValueError:
        arguments.misuse(f"--{name}: {shown(given)} is not {LIKE}")
        raise


def _tell(arguments: argparse.Namespace, conf: dict[str, str]) -> int:
    """Have Airflow record it; while Airflow or the ledger is down, keep it here."""
    try:
        client = logged_in(arguments)
    except RestError as error:
        if not is_outage(error):
            raise
        print(f"{error}\nAirflow does not answer, so it is kept here.", file=sys.stderr)
        return keep(arguments, conf)
    told = client.trigger(RECORD, conf)
    state = wait_for(
        lambda: state if (state := str(client.run(RECORD, told)["state"])) in ENDED else None,
        "the record",
        seconds=arguments.wait,
    )
    note = client.xcom(RECORD, told, "record", "note")
    print(by_options(str(note or ""), OPTIONS) or f"Nothing is known of it; see {client.page(RECORD, told)}")
    if state != "success" and str(note or "").startswith(LEDGER_DOWN):
        return keep(arguments, conf)
    return 0 if state == "success" else 1


def _session(arguments: argparse.Namespace) -> Session:
    """Return what was done: the commands of the line, and those of a file or of standard input.

    Raises:
        AuthorError: the file cannot be read.
    """
    typed = read("\n".join(arguments.command)) if arguments.command else Session(())
    if arguments.file is None:
        if not typed.commands:
            arguments.misuse("say what was done: --command LINE, or --file FILE (- for standard input)")
        return typed
    pasted = read(decoded(_bytes(arguments.file)))
    return Session((*typed.commands, *pasted.commands), pasted.remarks)


def _bytes(file: Path) -> bytes:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            raw = stream.read(MOST + 1)
    except OSError as error:
        raise AuthorError(f"{file}: {error.strerror}. Check the name and its permissions.") from error
    if len(raw) > MOST:
        raise AuthorError(f"{file} is larger than {MOST >> 20} MiB. Cut out the part of that time.")
    return raw
