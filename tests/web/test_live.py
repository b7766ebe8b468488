"""A page that renews itself disturbs nobody: what is typed, opened, focused or read stays, and what is old is said."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from changewindow.ledger import changes, leases, stops
from changewindow.ledger.database import Ledger
from support import browser as browsers
from support.browser import chromium, served, tab, violations
from support.changes import NOW, approved, intent
from support.pages import Pages
from support.tickets import banner

pytestmark = [browsers.needed, pytest.mark.integration]
ABORT = "#trigger-abort_change-CHG-1001"
REASON = f"{ABORT} textarea"


@dataclass
class Live:
    """The page of what is going on, open in a tab, with one change that acts."""

    page: Page
    ledger: Ledger
    site: Pages
    change: str

    def renew(self) -> None:
        """Let the page ask again, and wait until it has: twice, for what is under way may not know of it yet."""
        self.page.evaluate("""() => {
            window.renewals = 0;
            const asking = setInterval(() => window.dispatchEvent(new Event("online")), 50);
            document.addEventListener("pagechange", function seen() {
                if (++window.renewals < 2) return;
                clearInterval(asking);
                document.removeEventListener("pagechange", seen);
            });
        }""")
        self.page.wait_for_function("() => window.renewals >= 2")

    def close(self) -> None:
        """Let the change end."""
        changes.close(self.ledger, self.change, run="run-1", outcome="completed", reason="good", now=NOW)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with chromium() as running:
        yield running


@pytest.fixture
def live(browser: Browser, ledger: Ledger) -> Iterator[Live]:
    """Open the page."""
    submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    site = Pages(lambda: ledger)
    with served(site.app) as address, tab(browser, address) as (page, _):
        page.goto("now", wait_until="networkidle")
        yield Live(page, ledger, site, submitted.change)


def test_what_begins_appears(live: Live) -> None:
    """And the sentence that screen readers hear says so; nobody has to load the page again."""
    changes.submit(live.ledger, banner(summary="A second one."), requester="alice", now=NOW)
    live.renew()
    assert live.page.locator("#answer-CHG-1002-approval").count() == 1
    assert "1 answer is wanted" in live.page.locator("#summary").inner_text()


def test_what_ends_goes(live: Live) -> None:
    """Where nobody works in it, nothing of it is left."""
    live.close()
    live.renew()
    assert live.page.locator("#acting-CHG-1001").count() == 0
    assert live.page.locator("#section-acts").count() == 0


def test_what_stays_the_same_is_not_touched(live: Live) -> None:
    """A screen reader hears nothing, and no part loses its place."""
    watch = """() => {
      window.touched = [];
      new MutationObserver((all) => window.touched.push(...all.map((each) => each.target.nodeName)))
        .observe(document.getElementById("main"),
                 {subtree: true, childList: true, characterData: true, attributes: true});
    }"""
    live.page.evaluate(watch)
    live.renew()
    assert live.page.evaluate("window.touched") == []


def test_what_is_typed_stays_with_its_focus(live: Live) -> None:
    """While everything around it is renewed."""
    live.page.click(f"{ABORT} summary")
    live.page.fill(REASON, "orders answer with")
    live.page.evaluate(f"document.querySelector('{REASON}').setSelectionRange(3, 7)")
    stops.stop(live.ledger, person="dora", reason="provider", now=NOW, until=NOW + timedelta(hours=1))
    live.renew()
    assert "THE LINE IS STOPPED" in live.page.locator("#stop-1").inner_text()
    assert live.page.input_value(REASON) == "orders answer with"
    assert live.page.evaluate("document.activeElement.id") == "abort_change-CHG-1001-reason"
    assert live.page.evaluate("document.activeElement.selectionStart") == 3


def test_a_form_that_is_open_stays_open(live: Live) -> None:
    """Also before anything is typed, and without the focus."""
    live.page.click(f"{ABORT} summary")
    live.page.evaluate("document.activeElement.blur()")
    live.renew()
    assert live.page.evaluate(f"document.querySelector('{ABORT}').open")


def test_what_has_ended_stays_while_somebody_writes_about_it(live: Live) -> None:
    """It says that it is over, and goes when its form is closed."""
    live.page.click(f"{ABORT} summary")
    live.page.fill(REASON, "orders answer with 500")
    live.close()
    live.renew()
    live.renew()
    assert live.page.input_value(REASON) == "orders answer with 500"
    assert live.page.get_by_text("This is over.").count() == 1
    live.page.click(f"{ABORT} summary")
    live.renew()
    assert live.page.locator("#acting-CHG-1001").count() == 0
    assert live.page.locator("#section-acts").count() == 0


def test_what_became_of_a_form_stays_to_be_read(live: Live) -> None:
    """The run's own words, until the form is closed; what was sent names the change."""
    sent: list[dict[str, Any]] = []

    def triggered(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "null"))
        route.fulfill(json={"dag_run_id": "manual__1", "state": "queued"})

    live.page.route("**/api/v2/dags/abort_change/dagRuns", triggered)
    done = {"state": "success", "note": "alice: CHG-1001 stops now"}
    live.page.route("**/api/v2/dags/abort_change/dagRuns/manual__1", lambda route: route.fulfill(json=done))
    live.page.click(f"{ABORT} summary")
    live.page.fill(REASON, "orders answer with 500")
    live.page.click(f"{ABORT} button")
    live.page.wait_for_function(
        f"() => document.querySelector('{ABORT} [role=status]').textContent.includes('stops now')"
    )
    live.close()
    live.renew()
    assert "alice: CHG-1001 stops now" in live.page.locator(f"{ABORT} [role=status]").inner_text()
    assert [each.pop("dag_run_id")[:8] for each in sent] == ["manual__"]
    assert sent == [{"logical_date": None, "conf": {"change": "CHG-1001", "reason": "orders answer with 500"}}]


@pytest.mark.parametrize(("status", "why"), [(401, "you are logged out"), (502, "the server answers 502")])
def test_what_is_old_is_loud(live: Live, status: int, why: str) -> None:
    """A page that cannot be renewed says from when it is, and why; once it can, it is calm again."""
    live.page.route("**/now", lambda route: route.fulfill(status=status, body="no"))
    live.page.evaluate("window.dispatchEvent(new Event('online'))")
    stale = live.page.locator("#stale")
    stale.wait_for(state="visible")
    assert "OLD: this page is as of 14:10:00" in stale.inner_text()
    assert why in stale.inner_text()
    live.page.unroute("**/now")
    live.renew()
    stale.wait_for(state="hidden")


def test_on_a_wall_it_can_be_read_from_afar(live: Live) -> None:
    """It is larger, asks again as elsewhere, offers no form, and axe-core has nothing against it."""
    usual = live.page.evaluate("parseFloat(getComputedStyle(document.getElementById('summary')).fontSize)")
    live.page.goto("now?wall", wait_until="networkidle")
    assert live.page.evaluate("parseFloat(getComputedStyle(document.getElementById('summary')).fontSize)") > usual
    assert not live.page.locator(ABORT).is_visible()
    assert violations(live.page) == []
    live.close()
    live.renew()
    assert live.page.locator("#acting-CHG-1001").count() == 0
