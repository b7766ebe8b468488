"""The command `changewindow`: which commands there are, and what each of them takes."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from changewindow import __version__
from changewindow.cli import output
from changewindow.cli.airflow_arguments import add_airflow_arguments
from changewindow.cli.calendar_arguments import POLICY, add_arguments
from changewindow.cli.emergency_arguments import add_emergency_arguments
from changewindow.cli.terminal import shown
from changewindow.errors import ChangeError
from changewindow.settings import SLACK_CONNECTION

Command = Callable[[str, str, str], argparse.ArgumentParser]
"""Adds a command by its name, the function that carries it out (`module.function`), and its help."""
DESCRIPTION = (
    "Write, check and submit tickets, look into policy and calendar, and follow changes through their windows."
)
SHELLS = ("bash", "zsh", "fish")
LEDGER = "address of the ledger, or its file (default: AIRFLOW_CONN_CHANGEWINDOW_LEDGER, else that of the demo)"
STATES = (
    "submitted",
    "approved",
    "running",
    "completed",
    "rolled_back",
    "rollback_failed",
    "refused",
    "missed",
    "rejected",
    "cancelled",
    "recorded",
)
"""What a change can be: it waits, acts, or has ended so; what was done by hand is `recorded`."""
FINDING_STATES = ("open", "recorded", "reverted", "accepted", "seen")
"""What a finding can be; a gap is `seen` when the collector has made up for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 well, 1 with findings, 2 on misuse."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with shown():
        try:
            return _carry_out(arguments)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except OSError as error:
            return _could_not_print(error)


def _carry_out(arguments: Sequence[str] | None) -> int:
    parsed = _completed(_parser()).parse_args(arguments)
    try:
        code = int(parsed.do(parsed))
    except ChangeError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.flush()
    return code


def _could_not_print(error: OSError) -> int:
    """Say why what was to be printed is not, unless the reader has gone, as with `| head`; return the exit code."""
    with suppress(OSError, ValueError):
        # Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        where = f"{error.filename}: " if error.filename else ""
        with suppress(OSError):
            print(f"{where}{error.strerror or error}", file=sys.stderr)
    return 1


def _completed(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Answer a shell that asks how the line goes on, and end; return the parser if none asks."""
    if "_ARGCOMPLETE" in os.environ:
        importlib.import_module("argcomplete").autocomplete(parser)
    return parser


def completion(arguments: argparse.Namespace) -> int:
    """Print what makes a shell complete this command."""
    print(importlib.import_module("argcomplete").shellcode(["changewindow"], shell=arguments.shell))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="changewindow", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"changewindow {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: str, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=description, description=description)
        added.set_defaults(do=_later(*function.split(".")), misuse=added.error)
        return added

    _add_ticket_commands(command)
    _add_airflow_commands(command)
    _add_ledger_commands(command)
    add_arguments(
        command("calendar", "calendar.run", "Check the calendar, or show when a service may be changed next.")
    )
    how = 'Print what makes a shell complete this command; in ~/.bashrc: eval "$(changewindow completion bash)"'
    shell = command("completion", "main.completion", how)
    shell.add_argument("shell", choices=SHELLS)
    return parser


def _later(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """Return a command whose module is imported when the command is given: no command waits for the others."""

    def do(arguments: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"changewindow.cli.{module}"), function)(arguments))

    return do


def _add_ticket_commands(command: Command) -> None:
    lint = command("lint", "tickets.lint", "Check tickets and print every finding; a warning alone does not fail.")
    lint.add_argument("files", nargs="+", type=Path, metavar="FILE")
    output.add_json(lint, f"{{{output.FINDINGS}}}")
    plan = command("plan", "tickets.show_plan", "Print what a change would do.")
    plan.add_argument("file", type=Path, metavar="FILE")
    output.add_json(plan, output.PLAN)
    policy = command(
        "policy", "policy.lint", "Check the policy and the templates of standard changes, and print every finding."
    )
    policy.add_argument("action", choices=["lint"])
    policy.add_argument("--ledger", metavar="URL", dest="asked_ledger", help=f"what was hidden of late; {LEDGER}")
    for parser in (lint, plan, policy):
        parser.add_argument("--policy", type=Path, metavar="FOLDER", help=POLICY)
    command("schema", "tickets.show_schema", "Print the JSON Schema of tickets, for editors.")
    command("new", "tickets.new", "Print a commented ticket to start from.")
    kinds = command("kinds", "kinds.run", "Print every kind, or one with its documentation and an example.")
    kinds.add_argument("kind", nargs="?")
    output.add_json(kinds, output.KINDS)


def _add_airflow_commands(command: Command) -> None:
    add_airflow_arguments(command, LEDGER, POLICY)
    add_emergency_arguments(command, LEDGER, POLICY)
    slack = command("slack", "slack.run", "Take what people decide by the buttons in Slack, until it is stopped.")
    slack.add_argument("--connection", default=SLACK_CONNECTION, metavar="NAME", help=f"its token ({SLACK_CONNECTION})")
    slack.add_argument("--ledger", metavar="URL", help=LEDGER)
    slack.add_argument("--policy", type=Path, metavar="FOLDER", help=POLICY)
    dags = command("dags", "dags.install", "Write the DAG files of Change Windows into Airflow's DAGs folder.")
    dags.add_argument("action", choices=["install"])
    dags.add_argument("folder", type=Path, metavar="FOLDER")


def _add_ledger_commands(command: Command) -> None:
    how = "Bring the ledger's tables to the newest version, or take in what terminals of this host have kept."
    upgrade = command("ledger", "ledger.run", how)
    upgrade.add_argument("action", choices=["upgrade", "ingest"])
    history = command(
        "history", "history.run", "Tell what happened to a change, or which changes there were; the newest page of it."
    )
    _add_history_options(history)
    verify = command("verify", "ledger.verify", "Check that the record of a change, or of all, is as it was written.")
    verify.add_argument("--all", action="store_true", help="every change, and every row beside its events")
    verify.add_argument("--head", metavar="HASH", help="a hash from a message: check that it is in the change's chain")
    output.add_json(verify, f"{output.CHAIN}; with --all {output.VERIFIED}")
    follow = command("follow", "follow.run", "Show the progress of a change's watch until the change ends.")
    follow.add_argument("--once", action="store_true", help="print what is known now, and end")
    output.add_json(follow, f"{output.FOLLOWED}; implies --once")
    explain = command("explain", "explain.run", "Say whether a change may act at a time, and every reason.")
    explain.add_argument("--at", metavar="TIME", help="with its zone, or in UTC (default: now)")
    explain.add_argument("--mode", default="run", choices=["run", "rollback"], help="what a run would be for (run)")
    explain.add_argument("--all", action="store_true", help="say also which rules are satisfied")
    output.add_json(explain, output.EXPLAINED)
    drafted = command(
        "draft", "draft.run", "Print the draft of a standard change, from what a change or a record has done."
    )
    drafted.add_argument("--name", metavar="NAME", default="", help="what the standard change is to be called")
    changed = command("what-changed", "what_changed.run", "Say what changed of late, and what nobody could see.")
    _add_what_changed_options(changed)
    found = command("findings", "findings.run", "List what nobody announced; accept a finding, or print its ticket.")
    _add_findings_options(found)
    report = command("report", "report.run", "Report on emergencies among all changes, or on the delivery of changes.")
    _add_report_options(report)
    for parser in (follow, explain, drafted):
        parser.add_argument("change", metavar="CHG", type=_change)
    for parser in (upgrade, follow, explain, drafted, changed, found, report):
        parser.add_argument("--policy", type=Path, metavar="FOLDER", help=POLICY)
    for parser in (verify, history):
        parser.add_argument("change", metavar="CHG", nargs="?", type=_change)
    for parser in (upgrade, history, verify, follow, explain, drafted, changed, found, report):
        parser.add_argument("--ledger", metavar="URL", help=LEDGER)


def _change(given: str) -> str:
    """Return the id of a change, which may be typed as its number, or in lower case."""
    return f"CHG-{given}" if given.isdecimal() else given.upper()


def _add_history_options(history: argparse.ArgumentParser) -> None:
    history.add_argument("--since", metavar="TIME", help="what happened since a time (UTC without a zone), or 7d ago")
    history.add_argument("--service", metavar="NAME", help="changes of a service, or of a target: production/orders")
    history.add_argument("--outcome", choices=STATES, metavar="STATE", help=f"changes that are {', '.join(STATES)}")
    history.add_argument("--person", metavar="NAME", help="changes that somebody asked for, owns, reviews or acted on")
    history.add_argument("--limit", type=int, metavar="N", help="how many at most (default: 50; with --json all)")
    history.add_argument("--before", metavar="CHG", help="the page before a change, or before an event's number")
    history.add_argument("--all", action="store_true", help="no pages")
    output.add_json(history, f"{output.HISTORY}; without CHG {output.CHANGES}")


def _add_findings_options(found: argparse.ArgumentParser) -> None:
    found.add_argument("action", nargs="?", choices=["accept", "ticket"], help="without it, findings are listed")
    found.add_argument(
        "number",
        nargs="?",
        type=int,
        metavar="NUMBER",
        help="the finding that is accepted, or taken back by the ticket",
    )
    found.add_argument("--service", metavar="NAME", help="findings of a service, and of what belongs to none")
    found.add_argument("--state", choices=FINDING_STATES, metavar="STATE", help=f"{', '.join(FINDING_STATES)}")
    found.add_argument("--all", action="store_true", help="every finding, not only the newest 50")
    found.add_argument("--reason", metavar="TEXT", help="why it is accepted, for the record")
    found.add_argument("--until", metavar="TIME", help="until when, in UTC without a zone; then it is open again")
    output.add_json(found, output.FOUND)


def _add_report_options(report: argparse.ArgumentParser) -> None:
    report.add_argument("about", choices=["emergencies", "delivery"], help="what is counted")
    report.add_argument("--since", metavar="TIME", default="90d", help="how long ago, or a time in UTC (default: 90d)")
    for name in ("service", "environment", "owner"):
        report.add_argument(f"--{name}", metavar="NAME", help=f"of delivery: changes of this {name} alone")
    output.add_json(report, f"{output.REPORTED}; of delivery {output.DELIVERED}")


def _add_what_changed_options(changed: argparse.ArgumentParser) -> None:
    changed.add_argument("--since", metavar="TIME", default="2h", help="how long ago, or a time in UTC (default: 2h)")
    changed.add_argument("--service", metavar="NAME", help="only what concerns this service")
    changed.add_argument("--symptom", metavar="NAME", help="something is wrong with this service: likely causes first")
    changed.add_argument("--zone", metavar="ZONE", help="show times as in Europe/Berlin (default: UTC)")
    changed.add_argument("--all", action="store_true", help="every entry, not only the first 100")
    output.add_json(changed, output.CHANGED)
