"""What the commands about the calendar take; apart from what they do, so that no other command waits for that."""

import argparse
from pathlib import Path

from changewindow.cli import output

POLICY = (
    "folder of the policy (default: $CHANGEWINDOW_POLICY, that of the demo, or the one that comes with this program)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the commands about the calendar take."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    check = actions.add_parser("lint", help="Check calendar.yaml with its iCalendar files and print every finding.")
    coming = actions.add_parser("next", help="Print when a service may be changed next, and why not before.")
    coming.add_argument("service", metavar="SERVICE")
    coming.add_argument("-n", dest="count", type=int, default=10, metavar="COUNT", help="how many openings (10)")
    coming.add_argument("--environment", default="production", metavar="NAME", help="where (production)")
    coming.add_argument("--type", default="normal", choices=["normal", "standard", "emergency"])
    coming.add_argument("--needs", default="0s", metavar="LENGTH", help="time the change needs, like 1h30m")
    output.add_json(coming, output.OPENINGS)
    for action in (check, coming):
        action.add_argument("--policy", type=Path, metavar="FOLDER", help=POLICY)
        action.set_defaults(misuse=action.error)
