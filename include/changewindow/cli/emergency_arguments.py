"""What the command about emergencies takes: the fields of the form `emergency_change`, and from where it acts."""

import argparse
from collections.abc import Callable
from pathlib import Path

from changewindow.cli.airflow_arguments import AUTHORITIES, IN_THE_CLEAR


def add_emergency_arguments(
    command: Callable[[str, str, str], argparse.ArgumentParser], ledger: str, policy: str
) -> None:
    """Add `emergency`."""
    parser = command(
        "emergency",
        "emergency.run",
        "Declare an emergency, and carry it out at once, by Airflow or from this host. Asks for what is missing.",
    )
    _add_form(parser)
    _add_means(parser)
    parser.add_argument("--ledger", metavar="URL", help=ledger)
    parser.add_argument("--policy", type=Path, metavar="FOLDER", help=policy)


def _add_form(parser: argparse.ArgumentParser) -> None:
    form = parser.add_argument_group("what is done, and on whose word")
    form.add_argument("--broken", metavar="TEXT", help="what is broken, in a sentence")
    form.add_argument("--commander", metavar="NAME", help="who commands the incident, and has said yes")
    form.add_argument("--incident", metavar="ID", help="its id or address; without it, none is open")
    form.add_argument(
        "--declare-incident", action="store_true", help="open one, as `incidents` in emergencies.yaml says"
    )
    form.add_argument("--ticket", type=Path, metavar="FILE", help="do what a ticket says; its window does not matter")
    form.add_argument("--standard", metavar="NAME", help="do a standard change of the catalogue")
    form.add_argument(
        "--value", action="append", metavar="NAME=VALUE", help="value of one of its parameters; repeatable"
    )
    form.add_argument(
        "--step", type=Path, metavar="FILE", help="do one step: YAML, with its undo; - for standard input"
    )
    form.add_argument("--target", metavar="ENV/SERVICE", help="what the step changes, like production/orders")
    form.add_argument("--works-when", metavar="YAML", help="condition that shows that it worked: `source` and `pass`")
    form.add_argument("--no-undo-because", metavar="TEXT", help="why the step cannot be undone")
    form.add_argument("--unwatched-because", metavar="TEXT", help="why nothing can show that it worked")
    form.add_argument("--agreed-at", metavar="TIME", help="when the commander said yes (default: now)")
    form.add_argument("--agreed-how", metavar="TEXT", help="how the commander said yes, like: by phone")
    form.add_argument("--executor", metavar="NAME", help="who does it, if it is not you")
    form.add_argument(
        "--second-person", metavar="NAME", help="who else agrees, where a review is overdue; named, not proven"
    )
    form.add_argument("--workaround-until", metavar="TIME", help="when a temporary workaround has to be gone again")
    held = "if another change holds the target: wait, or have it rolled back (default: by the policy)"
    form.add_argument("--held", choices=["wait", "take_over"], help=held)


def _add_means(parser: argparse.ArgumentParser) -> None:
    means = parser.add_argument_group("how")
    means.add_argument("--url", help="address of Airflow, which carries it out; if it does not answer, this host does")
    means.add_argument("--user", help="user name there; the password comes from CHANGEWINDOW_PASSWORD")
    means.add_argument("--ca-file", type=Path, metavar="FILE", help=AUTHORITIES)
    means.add_argument("--allow-http", action="store_true", help=IN_THE_CLEAR)
    means.add_argument("--here", action="store_true", help="carry it out on this host, without Airflow")
    means.add_argument("--resume", action="store_true", help="roll back what was cut off on this host")
    means.add_argument("--yes", action="store_true", help="ask nothing; for scripts")
    means.add_argument(
        "--wait",
        type=float,
        default=120,
        metavar="SECONDS",
        help="how long to wait for Airflow, or for held targets (120)",
    )
