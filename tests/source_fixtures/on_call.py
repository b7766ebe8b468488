"""An answer for `on_call`: Carol has the shift, Dave that of another schedule."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.on_call import EXAMPLE
from servers.product_apis import pagerduty, serving
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Serve the schedules as PagerDuty does."""
    schedules = {"PPRIMAR": "orders primary", "PSECOND": "orders primary, backup"}
    shifts = [
        {"id": "PCAROL1", "name": "Carol Danvers", "email": "carol@example.com", "schedule": "PPRIMAR"},
        {"id": "PDAVE22", "name": "Dave Bowman", "email": "dave@example.com", "schedule": "PSECOND"},
    ]
    known = [{"id": number, "name": name} for number, name in schedules.items()]
    with serving(pagerduty({"schedules": known, "shifts": shifts})) as made:
        yield Answers(EXAMPLE, {"equals": "Carol Danvers"}, (made.connection("pagerduty_default"),))
