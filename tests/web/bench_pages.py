"""How long pages take, and what they weigh, with 10,000 changes and 500,000 events in the ledger."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median, quantiles

import pytest

from changewindow.changes.viewer import Viewer
from support import every_page, two_years
from support.pages import VIEWERS, Pages

LIMIT, LIGHT_ENOUGH, TIMES = 150.0, 500_000, 20
"""Milliseconds, and bytes of a page with all that it loads, unpacked."""
ORDINARY = "CHG-4321"
"""A change with as many events as most have."""
LONGER = {f"/changes/{two_years.LONG}": 600.0, "/history.csv": 4000.0}
"""Milliseconds for what grows without end: a change with a hundred times as many events, all of which are checked, and
the download of every change."""
HALF = Viewer(
    "tara", sees_every_dag=False, dags=frozenset(f"CHG-{number}" for number in range(1001, 11001, 2)), may_act=True
)
LOADED = re.compile(r'<(?:script|link)[^>]*?(?:src|href)="([^"]+)"')
EMPTY = "/none"
"""A page of ours on which nothing is asked of the ledger: what all of them cost."""


@dataclass(frozen=True)
class Taken:
    """What a page took."""

    path: str
    viewer: str
    usual: float
    p95: float
    own: float
    """The usual time of the processor: other programs do not count."""
    weight: int

    @property
    def allowed(self) -> float:
        """Return what 95 of 100 may take."""
        return LONGER.get(self.path, LIMIT)


@pytest.fixture(scope="module")
def pages() -> Pages:
    """Return the pages of two years."""
    ledger = two_years.ledger()
    return Pages(lambda: ledger)


def asked() -> Iterator[str]:
    """Give each page, some for an ordinary change and for the one with most events, and questions to the history."""
    yield from every_page.addresses([ORDINARY, two_years.LONG])
    if "history" in every_page.routes():
        for question in ("service=orders", "state=rolled_back", "person=bob", "q=number", "type=emergency"):
            yield f"history?{question}"


def taken(pages: Pages, path: str, viewer: str) -> Taken:
    """Return what a page takes whoever looks at it."""
    milliseconds, own = [], []
    for _ in range(TIMES + 2):
        began, used = time.perf_counter(), time.process_time()
        answer = pages.client.get(path)
        milliseconds.append((time.perf_counter() - began) * 1000)
        own.append((time.process_time() - used) * 1000)
        assert answer.status_code in {200, 403, 404}, answer.text
    warm = milliseconds[2:]
    loaded = {address.partition("?")[0] for address in LOADED.findall(answer.text) if address.startswith("/")}
    weight = len(answer.content) + sum(len(pages.client.get(address).content) for address in loaded)
    return Taken(path, viewer, median(warm), quantiles(warm, n=20)[-1], median(own), weight)


def show(row: Taken, peer: Taken) -> None:
    """Print a line of the table, as soon as it is known."""
    times = f"{row.usual:8.1f} {row.p95:8.1f} {row.own:9.1f} {row.p95 / peer.p95:17.1f}"
    print(f"{row.path:40} {row.viewer:14} {times} {row.weight / 1000:6.0f}", flush=True)


def test_pages_are_fast_and_light(pages: Pages) -> None:
    """For whoever sees every change, every second one, and one: each within its limits; a table is printed."""
    viewers = {"every change": VIEWERS["user"], "every second": HALF, "one": VIEWERS["who may see one change"]}
    rows = []
    pages.viewer = VIEWERS["user"]
    print(f"\n{'page':40} {'who sees':14} {'median':>8} {'p95':>8} {'processor':>9} {'of an empty page':>17} {'kB':>6}")
    show(peer := taken(pages, EMPTY, ""), peer)
    for path in asked():
        for name, viewer in viewers.items():
            pages.viewer = viewer
            rows.append(taken(pages, f"/{path}", name))
            show(rows[-1], peer)
    slow = [
        f"{row.path} ({row.viewer}): {row.p95:.0f} ms, {row.allowed:.0f} allowed"
        for row in rows
        if row.p95 > row.allowed
    ]
    heavy = [
        f"{row.path}: {row.weight} bytes, {LIGHT_ENOUGH} allowed"
        for row in rows
        if row.weight > LIGHT_ENOUGH and not row.path.endswith(".csv")
    ]
    assert slow + heavy == []
