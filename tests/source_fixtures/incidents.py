"""An answer for `incidents`: two are open on the service, beside one that is resolved and one of another service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.incidents import EXAMPLE
from servers.product_apis import pagerduty, serving
from source_fixtures import Answers

OPEN = [("triggered", "PORDERS"), ("acknowledged", "PORDERS"), ("resolved", "PORDERS"), ("triggered", "POTHER")]


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Serve them as PagerDuty does."""
    services = [{"id": "PORDERS", "name": "orders"}, {"id": "POTHER", "name": "orders archive"}]
    incidents = [
        {"id": f"Q{number}", "title": f"incident {number}", "status": status, "service": {"id": of}}
        for number, (status, of) in enumerate(OPEN)
    ]
    with serving(pagerduty({"services": services, "incidents": incidents})) as made:
        yield Answers(EXAMPLE, {"equals": 2}, (made.connection("pagerduty_default"),))
