"""What the commands take that act over Airflow's REST API in somebody's name."""

import argparse
from collections.abc import Callable
from pathlib import Path

from changewindow.cli import output

AUTHORITIES = "authorities to trust, for https (default: REQUESTS_CA_BUNDLE, else the usual ones)"
IN_THE_CLEAR = "send the password in the clear, over a trusted network"


def add_airflow_arguments(
    command: Callable[[str, str, str], argparse.ArgumentParser], ledger: str, policy: str
) -> None:
    """Add `submit`, `record` and `messages`."""
    submit = command("submit", "submit.run", "Ask for a change over Airflow's REST API.")
    submit.add_argument("file", type=Path, metavar="FILE")
    submit.add_argument("--change", metavar="CHG", help="give this change the new text")
    record = command("record", "record.run", "Tell what was done by hand; it is recorded, and not approved.")
    _add_record_options(record)
    record.add_argument("--here", action="store_true", help="keep it on this host, until the ledger takes it in")
    record.add_argument("--ledger", metavar="URL", help=ledger)
    record.add_argument("--policy", type=Path, metavar="FOLDER", help=policy)
    tried = command("messages", "messages.run", "Send a test message to every channel of a room.")
    tried.add_argument("action", choices=["test"])
    tried.add_argument("room", metavar="ROOM", help="as tickets name it, like '#deploys'")
    tried.add_argument("--policy", type=Path, metavar="FOLDER", help=policy)
    output.add_json(tried, output.MESSAGED)
    for parser, what in ((submit, "the check"), (record, "the record")):
        is_needed = parser is submit
        parser.add_argument("--url", required=is_needed, help="address of Airflow, like https://airflow.example.com")
        parser.add_argument(
            "--user", required=is_needed, help="user name there; the password comes from CHANGEWINDOW_PASSWORD"
        )
        parser.add_argument("--ca-file", type=Path, metavar="FILE", help=AUTHORITIES)
        parser.add_argument("--allow-http", action="store_true", help=IN_THE_CLEAR)
        parser.add_argument("--wait", type=float, default=120, metavar="SECONDS", help=f"how long to wait for {what}")


def _add_record_options(record: argparse.ArgumentParser) -> None:
    record.add_argument(
        "--target", action="append", required=True, metavar="ENV/SERVICE", help="what was touched: production/orders"
    )
    record.add_argument("--why", required=True, metavar="TEXT", help="why it was done, in a sentence")
    record.add_argument("--command", action="append", metavar="LINE", help="a command that was run; repeatable")
    record.add_argument(
        "--file", type=Path, help="history of bash, zsh or fish, a recording of asciinema or script, or - for stdin"
    )
    record.add_argument("--start", metavar="TIME", help="from when, in UTC without a zone (default: the first command)")
    record.add_argument("--end", metavar="TIME", help="until when (default: the last command)")
    record.add_argument("--by", dest="done_by", metavar="NAME", help="who did it, if it was not you")
    record.add_argument("--incident", metavar="ID", help="the incident it was for, if any")
    record.add_argument(
        "--finding", action="append", type=int, metavar="N", help="a finding that it explains (default: every one)"
    )
