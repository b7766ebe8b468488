"""The command line: what can be known of a ticket without Airflow, and the ledger for its keepers."""

import argparse
import importlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from changewindow import kinds, settings
from changewindow.cli.calendar_arguments import add_arguments
from changewindow.documents.findings import Finding, are_errors
from changewindow.documents.text import hint
from changewindow.errors import BadPolicy, ChangeError
from changewindow.policy.check import Facts
from changewindow.policy.load import load_policy
from changewindow.policy.model import templates_of
from changewindow.policy.review import load_file
from changewindow.policy.templates import read_template
from changewindow.ticket import plan, schema
from changewindow.ticket.reader import NEW

Do = Callable[[argparse.Namespace], int]
FOLDERS = {"steps": "Step", "sources": "Source", "checks": "check", "notify": "Channel"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 well, 1 with findings, 2 on misuse."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    asked = _parser().parse_args(arguments)
    try:
        code = int(asked.do(asked))
        sys.stdout.flush()
    except ChangeError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has gone, as with `| head`; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def lint(asked: argparse.Namespace) -> int:
    """Check tickets and print every finding; a warning alone is no reason to fail."""
    facts = _facts(asked)
    found = [finding for path in asked.files for finding in _printed(path, load_file(path, facts).findings)]
    return _summed_up(found, _count(len(asked.files), "ticket"))


def show_plan(asked: argparse.Namespace) -> int:
    """Print what a change would do."""
    loaded = load_file(asked.file, _facts(asked))
    for finding in loaded.findings:
        print(finding.text(str(asked.file)), file=sys.stderr)
    if loaded.ticket is None:
        return 1
    print(plan.text("CHG-…", loaded.ticket), end="")
    return 0


def show_schema(asked: argparse.Namespace) -> int:
    """Print the JSON Schema of tickets, for editors."""
    print(json.dumps(schema.ticket_schema(), indent=2))
    return 0


def new(asked: argparse.Namespace) -> int:
    """Print a commented ticket to start from."""
    print(NEW.read_text(encoding="utf-8"), end="")
    return 0


def show_kinds(asked: argparse.Namespace) -> int:
    """Print every kind, or one with its documentation and example."""
    found = [(folder, kind) for folder in FOLDERS for kind in kinds.modules(folder)]
    wanted = [(folder, kind) for folder, kind in found if kind == asked.kind]
    if asked.kind is None:
        for folder, kind in found:
            print(f"{folder:8} {kind:20} {kinds.summary(folder, kind)}")
    elif wanted:
        print("\n".join(kinds.describe(folder, FOLDERS[folder], kind) for folder, kind in wanted), end="")
    else:
        asked.misuse(f"there is no kind '{asked.kind}'. {hint(asked.kind, {kind for _, kind in found})}")
    return 0


def lint_policy(asked: argparse.Namespace) -> int:
    """Check the policy and the templates of standard changes, and print every finding."""
    try:
        facts = _facts(asked)
    except BadPolicy as bad:
        print("\n".join(bad.findings))
        print(f"{_count(len(bad.findings), 'finding')} in the policy; no change starts", file=sys.stderr)
        return 1
    templates = sorted(_templates(asked).glob("*.yaml"))
    found = [finding for path in templates for finding in _printed(path, read_template(path, facts)[1])]
    return _summed_up(found, f"the policy and {_count(len(templates), 'template')}")


def _printed(path: Path, findings: Sequence[Finding]) -> Sequence[Finding]:
    for finding in findings:
        print(finding.text(str(path)))
    return findings


def _summed_up(found: Sequence[Finding], what: str) -> int:
    """Say how many findings and warnings there are, and where; return the exit code."""
    warnings = sum(finding.is_warning for finding in found)
    counts = {"finding": len(found) - warnings, "warning": warnings}
    said = " and ".join(_count(number, name) for name, number in counts.items() if number)
    print(f"{said} in {what}" if found else f"{what}, no findings", file=sys.stderr)
    return 1 if are_errors(found) else 0


def _facts(asked: argparse.Namespace) -> Facts:
    """Return what checks may know here: the time and the policy."""
    folder = asked.policy or settings.read().policy
    if not folder.is_dir():
        asked.misuse(f"there is no policy in {folder}. Give --policy FOLDER, or set CHANGEWINDOW_POLICY.")
    return Facts(now=datetime.now(UTC), policy=load_policy(folder, _templates(asked)))


def _templates(asked: argparse.Namespace) -> Path:
    """Return the folder of templates: beside the policy that is named, or that of the settings."""
    return templates_of(asked.policy) if asked.policy else settings.read().templates


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s'[: number != 1]}"


def _later(module: str, name: str) -> Do:
    """Return a command of a module that is only imported when the command is given."""

    def do(asked: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"changewindow.{module}"), name)(asked))

    return do


def _calendar(asked: argparse.Namespace) -> int:
    """Check the calendar of windows and freezes, or show when a service may be changed next."""
    return int(importlib.import_module("changewindow.cli.calendar").run(asked, datetime.now(UTC)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="changewindow", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: Do, says: str | None = None) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=says or do.__doc__, description=says or do.__doc__)
        added.set_defaults(do=do, misuse=added.error)
        return added

    command("lint", lint).add_argument("files", nargs="+", type=Path, metavar="FILE")
    command("plan", show_plan).add_argument("file", type=Path, metavar="FILE")
    command("policy", lint_policy).add_argument("action", choices=["lint"])
    for name in ("lint", "plan", "policy"):
        says = "folder of the policy (default: $CHANGEWINDOW_POLICY, or the one beside this program)"
        commands.choices[name].add_argument("--policy", type=Path, metavar="FOLDER", help=says)
    command("schema", show_schema)
    command("new", new)
    command("kinds", show_kinds).add_argument("kind", nargs="?")
    _submit_arguments(command("submit", _later("cli.submit", "run"), "Ask for a change over Airflow's REST API."))
    upgrade = command("ledger", _later("cli.ledger", "upgrade"), "Bring the ledger's tables to the newest version.")
    upgrade.add_argument("action", choices=["upgrade"])
    command("history", _later("cli.ledger", "history"), "Print the events of a change.").add_argument(
        "change", metavar="CHG"
    )
    command(
        "verify", _later("cli.ledger", "verify"), "Check the chain of a change's events and print its head."
    ).add_argument("change", metavar="CHG")
    says = "Show how far the watch of a change is, until the change ends."
    follow = command("follow", _later("cli.follow", "run"), says)
    follow.add_argument("change", metavar="CHG")
    follow.add_argument("--once", action="store_true", help="print what is known now, and end")
    add_arguments(command("calendar", _calendar))
    for name in ("ledger", "history", "verify", "follow"):
        commands.choices[name].add_argument("--ledger", metavar="URL", help="SQLAlchemy address of the ledger")
    return parser


def _submit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--url", required=True, help="address of Airflow, like https://airflow.example.com")
    parser.add_argument("--user", required=True, help="user name there; the password comes from CHANGEWINDOW_PASSWORD")
    parser.add_argument("--change", metavar="CHG", help="give this change the new text")
    parser.add_argument("--wait", type=float, default=120, metavar="SECONDS", help="how long to wait for the check")
