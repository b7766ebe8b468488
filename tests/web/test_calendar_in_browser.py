"""The calendar in a real browser: what is drawn is renewed with the page, and what is old is said in one place."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from support import browser as browsers
from support.browser import chromium, served, tab
from support.changes import NOW
from support.pages import Pages
from support.tickets import banner

pytestmark = [browsers.needed, pytest.mark.integration]
RENEW = "window.dispatchEvent(new Event('online'))"


@dataclass(frozen=True)
class Drawn:
    """The week of one change, drawn in a tab."""

    page: Page
    ledger: Ledger

    def titles(self) -> list[str]:
        """Return the changes that are drawn."""
        return sorted(set(self.page.locator("#calendar a[href*='/changes/']").all_inner_texts()))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with chromium() as running:
        yield running


@pytest.fixture
def week(browser: Browser, ledger: Ledger) -> Iterator[Drawn]:
    """Open the week."""
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    site = Pages(lambda: ledger)
    with served(site.app) as address, tab(browser, address) as (page, _):
        page.goto("calendar?view=week", wait_until="networkidle")
        page.locator("#calendar a[href*='CHG-1001']").first.wait_for()
        yield Drawn(page, ledger)


def test_a_change_that_is_new_is_drawn_and_listed(week: Drawn) -> None:
    """The drawing and the tables are of the same moment."""
    changes.submit(week.ledger, banner(summary="A second one."), requester="alice", now=NOW)
    week.page.evaluate(RENEW)
    week.page.locator("#calendar a[href*='CHG-1002']").first.wait_for()
    assert week.page.locator(".times th a", has_text="CHG-1002").count() == 1
    assert len(week.titles()) == 2
    assert week.page.locator(".legend").is_visible()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("**/calendar?view=week", "the server answers 502"),
        ("**/calendar/events*", "the server answers 502 for what the calendar draws"),
    ],
)
def test_what_is_old_is_said_until_it_is_new(week: Drawn, path: str, why: str) -> None:
    """As on every page that renews itself; what was drawn stays."""
    week.page.route(path, lambda route: route.fulfill(status=502, body="no"))
    week.page.evaluate(RENEW)
    stale = week.page.locator("#stale")
    stale.wait_for(state="visible")
    assert "OLD: this page is as of 14:10:00" in stale.inner_text()
    assert why in stale.inner_text()
    assert len(week.titles()) == 1
    week.page.unroute(path)
    week.page.evaluate(RENEW)
    stale.wait_for(state="hidden")


def test_what_cannot_be_drawn_at_all_is_said(week: Drawn) -> None:
    """The tables are there; an empty frame is not."""
    week.page.route("**/calendar/events*", lambda route: route.fulfill(status=502, body="no"))
    week.page.reload(wait_until="networkidle")
    week.page.locator("#stale").wait_for(state="visible")
    assert not week.page.locator("#calendar").is_visible()
    assert not week.page.locator(".legend").is_visible()
