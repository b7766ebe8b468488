"""An emergency that is carried out from a terminal, on files of a test: two steps, each with its undo."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_start import Here, Wanted, begin
from changewindow.ledger.database import Ledger
from changewindow.ledger.seal import Seal
from changewindow.systems.connection import Connection
from changewindow.ticket.window import local_time_text
from support.declarations import declaration
from support.tickets import banner


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def lines(path: Path) -> list[str]:
    """Return what the steps have done."""
    return path.read_text().split() if path.exists() else []


def data(done: Path, **changed: Any) -> dict[str, Any]:
    """Return a ticket of two steps that write into a file what they do."""

    def step(number: int) -> dict[str, Any]:
        said = {name: ["sh", "-c", f"echo {name}-{number} >> {done}"] for name in ("run", "undo")}
        return {"name": f"Step {number}", "kind": "command", "undo_retries": 0, **said}

    opens = now().replace(tzinfo=None, microsecond=0)
    start, end = local_time_text(opens), local_time_text(opens + timedelta(hours=3))
    fields = {
        "type": "emergency",
        "window": {"zone": "UTC", "start": start, "end": end},
        "watch": {"for": "1s", "every": "200ms"},
        "rollback": {"estimate": "1m", "within": "1s", "verify": banner()["rollback"]["verify"]},
        "steps": [step(1), step(2)],
    }
    return banner(**{**fields, **changed})


DECLARED = declaration(now(), by_terminal="the ledger does not answer")


def here(folder: Path, ledger: Ledger | None, said: list[str] | None = None) -> Here:
    """Return where it is written down."""
    return Here(folder, ledger.seal if ledger else Seal(), ledger, now, said.append if said is not None else print)


def begun(folder: Path, ledger: Ledger | None, ticket: dict[str, Any]) -> Book:
    """Return the book of an emergency that alice has declared."""
    return begin(Wanted(ticket, DECLARED, "alice"), here(folder, ledger))


def hands(url: str = "http://127.0.0.1:9") -> Hands:
    """Return hands that know one connection."""
    return Hands(lambda name: Connection(name, "http", host=url), now, print, between_tries=0.01)
