"""Names the expected noise that has hidden nothing for long: it may hide tomorrow what nobody expects any more."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from changewindow.documents.findings import Finding
from changewindow.documents.yaml import parse, read_file
from changewindow.ledger.database import Ledger
from changewindow.ledger.looks import Look, looks
from changewindow.policy.collectors import FILE, Loaded

LONG = timedelta(days=90)


def idle(ledger: Ledger, folder: Path, loaded: Loaded, now: datetime) -> Iterator[Finding]:
    """Yield a warning for each entry of a policy's expected noise that no pass of the last 90 days has needed.

    What was not watched for so long is not named, nor what has passed its end, which is said anyway.

    Raises:
        LedgerDown: nobody knows what was hidden.
    """
    document = parse(read_file(folder / FILE))
    known = {name: look for name, look in looks(ledger).items() if name in loaded.collectors}
    for name, noise in loaded.expected.items():
        asked = [look for collector, look in known.items() if noise.collector in {None, collector}]
        last = None if noise.is_over(now) else _last_needed(name, asked)
        if last is not None:
            place = ("expected", name)
            sentence = f"it has hidden nothing since {last:%Y-%m-%d}, and was not needed for {LONG.days} days"
            remedy = f"Ask {noise.owner} whether it still happens, and remove it if not."
            yield Finding("expected", sentence, remedy, place, document.line(place), is_warning=True)


def _last_needed(name: str, asked: list[Look | str]) -> datetime | None:
    """Return when an entry was last needed, or else first watched, if that is long before the last look of all."""
    known = [look for look in asked if isinstance(look, Look) and name in look.state.get("noise", {})]
    if not known or len(known) < len(asked):
        return None
    seen = [(look.until, look.state["noise"][name]) for look in known]
    last = max(datetime.fromisoformat(times["last"] or times["since"]) for _, times in seen)
    return last if min(until for until, _ in seen) - last >= LONG else None
