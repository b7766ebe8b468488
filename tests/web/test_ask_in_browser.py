"""The editor of tickets in a real browser: what it completes, where findings lead, and what becomes of a request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request
from playwright.sync_api import Browser, Page

from changewindow.cli.standalone import ROOT
from changewindow.web.judging import workers
from support import browser as browsers
from support import busy
from support.browser import chromium, served, tab
from support.pages import Pages

pytestmark = [browsers.needed, pytest.mark.integration]
GOOD = (ROOT / "include/tickets/release.yaml").read_text(encoding="utf-8").replace("03-18 1", "04-01 1")
BAD = GOOD.replace("risk: medium", "risk: mediun")
BELOW = "/change-windows"


@dataclass
class Airflow:
    """The two routes of Airflow's API that a request needs, as they answer."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    run: dict[str, Any] = field(default_factory=lambda: {"state": "running", "note": "CHG-4711 is asked for"})

    def app(self, pages: Pages) -> FastAPI:
        """Return the API, with the pages below it."""
        app = FastAPI()

        @app.post("/api/v2/dags/request_change/dagRuns")
        async def trigger(request: Request) -> dict[str, str]:
            self.asked.append(json.loads(await request.body()))
            return {"dag_run_id": "run-1"}

        @app.get("/api/v2/dags/request_change/dagRuns/run-1")
        def state() -> dict[str, Any]:
            return self.run

        app.mount(BELOW, pages.app)
        return app


@dataclass
class Site:
    """The pages beside Airflow's API, in a browser."""

    browser: Browser
    address: str
    airflow: Airflow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the pages of a busy week."""
    ledger, airflow = busy.week_in(tmp_path_factory.mktemp("week")), Airflow()
    with chromium() as browser, served(airflow.app(Pages(lambda: ledger))) as address:
        yield Site(browser, address, airflow)
    workers().end()


def written(page: Page, text: str) -> None:
    """Write a text over what stands in the editor."""
    page.locator(".cm-content").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("ri", {"risk"}),
        ("risk: ", {"low", "medium", "high"}),
        ("services: [", {"catalogue", "orders"}),
        ("environment: pr", {"production"}),
        ("steps:\n  - kind: git_change\n    connection: ", {"orders", "orders_config"}),
        ("validation:\n  - name: x\n    source: {kind: http, read: ", {"json", "latency", "status"}),
        ("window:\n  zone: Europe/Berl", {"Europe/Berlin"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fields_and_values_are_completed(site: Site, text: str, completed: set[str]) -> None:
    """From the schema, and with the names of the policy."""
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask", wait_until="networkidle")
        written(page, text)
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Space")
        page.locator(".cm-tooltip-autocomplete").wait_for()
        labels = page.locator(".cm-tooltip-autocomplete .cm-completionLabel").all_inner_texts()
        assert completed <= set(labels)
        assert len(labels) <= len(completed) + 1
        assert trouble.found == []


def test_a_finding_leads_to_its_line_and_tab_leaves_the_editor(site: Site) -> None:
    """Its count is said politely; the line is marked."""
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask", wait_until="networkidle")
        written(page, BAD)
        page.locator("#summary", has_text="1 finding").wait_for()
        page.get_by_role("link", name="Line 9").click()
        page.keyboard.press("End")
        page.keyboard.type(" # here")
        assert "risk: mediun # here\n" in page.locator("#ticket").input_value()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Check"
        assert page.locator(".cm-lintRange-error").count() == 1
        assert trouble.found == []


def test_an_opening_is_used_with_one_click(site: Site) -> None:
    """The window of the ticket becomes the proposed one."""
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask", wait_until="networkidle")
        written(page, GOOD)
        page.locator("#openings button").first.click()
        text = page.locator("#ticket").input_value()
        assert "window:\n  start: 2031-03-" in text
        assert "start: 2031-04-01" not in text
        assert trouble.found == []


def test_what_is_written_is_kept_until_it_is_asked_for(site: Site) -> None:
    """A refused request keeps it too; then the change is shown, and the next ticket begins anew."""
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask", wait_until="networkidle")
        written(page, GOOD)
        page.locator("#plan dt").first.wait_for()
        page.reload(wait_until="networkidle")
        assert "you have not asked for it yet" in page.locator("#draft").inner_text()
        assert page.locator("#ticket").input_value() == GOOD
        site.airflow.run = {"state": "failed", "note": "1 finding. Correct the ticket and ask again.\nticket:9: no"}
        page.get_by_role("button", name="Ask for it").click()
        page.locator("#asking [role=status]", has_text="ticket:9: no").wait_for()
        assert site.airflow.asked[-1]["conf"] == {"ticket": GOOD}
        site.airflow.run = {"state": "running", "note": "CHG-4711 is asked for"}
        page.get_by_role("button", name="Ask for it").click()
        link = page.get_by_role("link", name="CHG-4711")
        assert link.get_attribute("href") == f"{BELOW}/changes/CHG-4711"
        page.reload(wait_until="networkidle")
        assert page.locator("#draft").is_hidden()
        assert "<one sentence" in page.locator("#ticket").input_value()
        assert trouble.found == []


def test_what_waits_for_its_approval_is_not_asked_for_twice(site: Site) -> None:
    """The run says nothing until somebody has answered: the page says what happens, and opens the text as asked for."""
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask?service=orders", wait_until="networkidle")
        written(page, GOOD)
        page.locator("#plan dt").first.wait_for()
        site.airflow.run = {"state": "running", "note": None}
        page.get_by_role("button", name="Ask for it").click()
        page.locator("#asked-for", has_text="You may leave this page; Now shows what it is waiting for.").wait_for()
        assert page.locator("#asked-for a").get_attribute("href") == f"{BELOW}/now"
        page.reload(wait_until="networkidle")
        assert "You asked for this ticket" in page.locator("#draft").inner_text()
        assert trouble.found == []


def test_a_ticket_with_findings_is_not_asked_for(site: Site) -> None:
    """It would be refused; the page says so at once."""
    with tab(site.browser, site.address) as (page, _):
        page.goto(f"{BELOW}/ask", wait_until="networkidle")
        written(page, BAD)
        page.locator("#summary", has_text="1 finding").wait_for()
        before = len(site.airflow.asked)
        page.get_by_role("button", name="Ask for it").click()
        page.locator(
            "#asking [role=status]", has_text="It would be refused for 1 finding. Correct them first."
        ).wait_for()
        assert len(site.airflow.asked) == before


def test_without_the_library_it_is_a_plain_text(site: Site) -> None:
    """It is judged all the same, and a finding leads to its line."""
    with tab(site.browser, site.address) as (page, _):
        page.route("**/codemirror.min.js*", lambda route: route.abort())
        page.goto(f"{BELOW}/ask", wait_until="networkidle")
        page.locator("#ticket").fill(BAD)
        page.locator("#summary", has_text="1 finding").wait_for()
        page.get_by_role("link", name="Line 9").click()
        assert page.evaluate("document.getElementById('ticket').selectionStart") == BAD.index("risk: mediun")


def test_a_standard_change_is_asked_for(site: Site) -> None:
    """Its parameters are handed over with their types."""
    query = "values.max_idle=16&start=2031-04-01T14:00&end=2031-04-01T15:00&window_zone=UTC&reviewer=bob"
    site.airflow.run = {"state": "running", "note": "CHG-4711 is asked for"}
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask/standard/max_idle?{query}", wait_until="networkidle")
        page.get_by_role("button", name="Ask for it").click()
        page.get_by_role("link", name="CHG-4711").wait_for()
        assert site.airflow.asked[-1]["conf"] == {
            "standard": "max_idle",
            "values": {"max_idle": 16},
            "start": "2031-04-01T14:00:00+00:00",
            "end": "2031-04-01T15:00:00+00:00",
            "zone": "UTC",
            "reviewer": "bob",
        }
        assert trouble.found == []


def test_only_what_was_checked_is_asked_for(site: Site) -> None:
    """Another value than the checked one has to be checked, and an opening takes over nothing but the window."""
    query = "values.max_idle=16&start=2031-04-01T14:00&end=2031-04-01T15:00&window_zone=UTC&reviewer=bob"
    with tab(site.browser, site.address) as (page, trouble):
        page.goto(f"{BELOW}/ask/standard/max_idle?{query}", wait_until="networkidle")
        ask, value = page.get_by_role("button", name="Ask for it"), page.get_by_label("max_idle")
        value.select_option("20")
        assert not ask.is_visible()
        assert page.get_by_text("What you ask for is not what was checked.").is_visible()
        value.select_option("16")
        assert ask.is_visible()
        value.select_option("8")
        page.get_by_label("Reviewer").fill("carol")
        page.get_by_role("link", name="Use ").first.click()
        page.wait_for_url("**values.max_idle=8**reviewer=carol**")
        page.wait_for_load_state()
        assert (value.input_value(), page.get_by_label("Reviewer").input_value()) == ("8", "carol")
        assert page.get_by_label("Window start").input_value() != "2031-04-01T14:00"
        assert trouble.found == []
