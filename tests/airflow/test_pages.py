"""The pages in the frame that Airflow puts around them, in a real browser, as each role."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import changes, events
from changewindow.ledger.event_kinds import EventKind
from changewindow.web import menu
from support import browser as browsers
from support import every_page
from support.browser import Trouble, chromium
from support.pictures import small
from support.real_airflow import RealAirflow, ticket, window
from support.web import WEB

pytestmark = [browsers.needed, pytest.mark.xdist_group("pages")]
ROLES = ("vera", "alice", "admin")
"""A viewer, a user and an admin."""
FRAME = "/plugin/change-windows/change-windows"
"""Where Airflow shows the pages; what follows is the path of one."""
PATIENCE = 60_000
"""Milliseconds: this machine may be busy."""
OF_A_CHANGE = [path for path in every_page.routes() if path == "changes/{change}"]
PATHS = [item.path for item in menu.items()] + OF_A_CHANGE
PAIRS = [tuple(menu.items()[:2])] if len(menu.items()) > 1 else []
SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
"""The folder for pictures of the pages; without it none are made."""
READINGS = 3
SMALL = 120_000
"""Bytes of a picture."""


@dataclass
class Screen:
    """A browser in which people are logged in to an Airflow."""

    browser: Browser
    airflow: RealAirflow
    folder: Path
    states: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def change(self) -> str:
        """Return an approved change whose window opens in an hour."""
        return self.waiting("shown")

    @cached_property
    def watched(self) -> str:
        """Return a change that acts, and has been watched for some readings."""
        change = self.airflow.publish(ticket(self.folder / "watched", steps=2, watch="10m"))
        wait_for(lambda: len(events.history(self.airflow.ledger, change, EventKind.READ)) > READINGS, "readings")
        return change

    @cached_property
    def acting(self) -> str:
        """Return a change that acts, or has acted."""
        change = self.airflow.publish(ticket(self.folder / "acting", watch="10m"))
        wait_for(lambda: changes.get(self.airflow.ledger, change).status == "running", "its start")
        return change

    def waiting(self, service: str) -> str:
        """Return another such change, of a service of its own."""
        opens = datetime.now(UTC) + timedelta(hours=1)
        data = ticket(self.folder / service, window=window(opens, opens + timedelta(hours=1)))
        return self.airflow.publish(data)

    @contextmanager
    def tab(self, user: str, **wanted: Any) -> Iterator[tuple[Page, Trouble]]:
        """Open a tab of somebody who is logged in; each logs in once."""
        if user not in self.states:
            self.states[user] = self._logged_in(user)
        context = self._context(storage_state=self.states[user], **wanted)
        trouble = Trouble(self.airflow.place.url)
        trouble.watch(context)
        try:
            yield context.new_page(), trouble
        finally:
            context.close()

    def _logged_in(self, user: str) -> Any:
        context = self._context()
        page = context.new_page()
        page.goto("/auth/login")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", self.airflow.place.password(user))
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/auth/login" not in url)
        state = context.storage_state()
        context.close()
        return state

    def _context(self, **wanted: Any) -> BrowserContext:
        context = self.browser.new_context(
            **{"base_url": self.airflow.place.url, "viewport": {"width": 1280, "height": 900}, **wanted}
        )
        context.set_default_timeout(PATIENCE)
        return context


@pytest.fixture(scope="module")
def screen(shared_airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """Open the browser."""
    with chromium() as browser:
        yield Screen(browser, shared_airflow, tmp_path_factory.mktemp("journals"))


def opened(page: Page, path: str) -> FrameLocator:
    """Open a page by its address, as a link in a message does; return the frame once it is there."""
    page.goto(f"{FRAME}/{path}")
    frame = page.frame_locator("iframe")
    expect(frame.locator("main h1")).to_be_visible(timeout=PATIENCE)
    return frame


@pytest.mark.parametrize("path", PATHS)
def test_a_link_leads_to_each_page_whatever_the_role(screen: Screen, path: str) -> None:
    """It shows its heading and who looks, and nothing breaks, is refused, or comes from elsewhere."""
    for user in ROLES:
        with screen.tab(user) as (page, trouble):
            frame = opened(page, every_page.filled(path, change=screen.change))
            expect(frame.locator("footer")).to_contain_text(f"for {user}", ignore_case=True)
            page.frames[1].wait_for_load_state("load")  # Airflow's own page never rests where others use it
            assert trouble.found == [], user


@pytest.mark.parametrize("path", PATHS)
def test_a_page_follows_airflow_from_light_to_dark(screen: Screen, path: str) -> None:
    """While it is open, and without being loaded again."""
    with screen.tab("vera", color_scheme="light") as (page, _trouble):
        frame = opened(page, every_page.filled(path, change=screen.change))
        expect(frame.locator("html")).to_have_attribute("data-theme", "light")
        colour = "getComputedStyle(document.body).backgroundColor"
        light = page.frames[1].evaluate(colour)
        page.evaluate("localStorage.setItem('theme', 'dark')")
        expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.frames[1].evaluate(colour) != light


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_address_follows_and_the_way_back_leads_back(screen: Screen, first: menu.Item, second: menu.Item) -> None:
    """What is opened within the frame can be sent to others as it stands in the address, and left with Back."""
    with screen.tab("alice") as (page, trouble):
        frame = opened(page, first.path)
        heading = frame.locator("main h1").inner_text()
        frame.get_by_role("navigation").get_by_role("link", name=second.title, exact=True).click()
        page.wait_for_url(f"**{FRAME}/{second.path}")
        expect(frame.locator("main h1")).not_to_have_text(heading)
        page.go_back()
        expect(frame.locator("main h1")).to_have_text(heading, timeout=PATIENCE)
        assert trouble.found == []


@pytest.mark.parametrize("path", OF_A_CHANGE)
def test_a_link_to_a_page_of_airflow_leaves_the_frame(screen: Screen, path: str) -> None:
    """Airflow shows the run of a change as if the link were its own."""
    with screen.tab("alice") as (page, trouble):
        frame = opened(page, every_page.filled(path, change=screen.acting))
        link = frame.locator("a[data-airflow-page]").first
        wanted = link.get_attribute("href")
        link.click()
        page.wait_for_url(f"**{wanted}*")
        assert trouble.found == []


@pytest.mark.parametrize("path", OF_A_CHANGE)
def test_a_form_acts_as_whoever_is_logged_in(screen: Screen, path: str) -> None:
    """What it triggers is a run of a DAG, and the page says what became of it; the ledger names the person."""
    change = screen.waiting("cancelled_by_form")
    with screen.tab("bob") as (page, trouble):
        frame = opened(page, every_page.filled(path, change=change))
        form = frame.locator("form[data-trigger=cancel_change]")
        frame.locator("details.trigger", has=form).locator("summary").click()
        form.locator("[name=reason]").fill("Not needed any more")
        form.locator("button").click()
        expect(form.get_by_role("status")).to_contain_text("success", timeout=PATIENCE)
        assert trouble.found == []
    ended = changes.get(screen.airflow.ledger, change)
    assert (ended.status, ended.reason) == ("cancelled", "cancelled by bob: Not needed any more")


def act(frame: FrameLocator, form: str, **given: str) -> Locator:
    """Fill in a form by touch, and send it; return where it says what becomes of it."""
    opened_form = frame.locator(f"#trigger-{form}")
    opened_form.locator("summary").tap()
    for name, text in given.items():
        opened_form.locator(f"[name={name}]").fill(text)
    opened_form.locator("button").tap()
    return opened_form.get_by_role("status")


def test_a_phone_is_enough_to_abort_a_change(screen: Screen) -> None:
    """What is refused says why and what is done is done, on the page on which it was asked for."""
    change, phone = screen.acting, {"width": 390, "height": 844}
    with screen.tab("bob", viewport=phone, has_touch=True, is_mobile=True) as (page, trouble):
        frame = opened(page, f"changes/{change}")
        said = act(frame, "extend_window", end="2026-01-01T00:00Z", reason="it is slow")
        expect(said).to_contain_text("Name a later end than that", timeout=PATIENCE)
        said = act(frame, "abort_change", reason="customers complain")
        expect(said).to_contain_text(f"{change} stops now", timeout=PATIENCE)
        assert trouble.found == []
    [aborted] = events.history(screen.airflow.ledger, change, EventKind.ABORTED)
    assert (aborted.actor, events.data(aborted)["reason"]) == ("bob", "customers complain")


@pytest.mark.parametrize("path", OF_A_CHANGE)
def test_whoever_only_looks_has_no_form_to_act(screen: Screen, path: str) -> None:
    """A viewer may trigger nothing, and is not shown what could not be done."""
    with screen.tab("vera") as (page, _trouble):
        frame = opened(page, every_page.filled(path, change=screen.change))
        assert frame.locator("form[data-trigger]").count() == 0


@pytest.mark.parametrize("path", [item.path for item in menu.items() if item.path == "history"])
def test_a_file_arrives(screen: Screen, path: str) -> None:
    """The frame lets downloads through, by a click in the page."""
    with screen.tab("vera") as (page, trouble):
        frame = opened(page, path)
        with page.expect_download() as download:
            frame.get_by_role("link", name="CSV").first.click()
        assert Path(download.value.path()).read_text(encoding="utf-8").count(",") > 1
        assert trouble.found == []


@pytest.mark.skipif(not SCREENSHOTS, reason="SCREENSHOTS names no folder")
@pytest.mark.parametrize("path", PATHS)
def test_pictures_are_made(screen: Screen, path: str) -> None:
    """One of each page, as it stands in Airflow while a change is watched."""
    name = path.partition("/")[0]
    with screen.tab("alice", color_scheme="light") as (page, _trouble):
        opened(page, every_page.filled(path, change=screen.watched))
        page.frames[1].wait_for_load_state("load")
        taken = small(page.context, page.screenshot())
    assert len(taken) < SMALL
    (Path(SCREENSHOTS) / f"{name}.png").write_bytes(taken)


def test_every_route_asks_who_looks(shared_airflow: RealAirflow) -> None:
    """Nobody and a forger see nothing, files included; each role sees every page."""
    url = f"{shared_airflow.place.url}/change-windows"
    paths = [*every_page.addresses(["CHG-4711"]), "static/page.css"]
    strangers = [{}, {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."}]
    refused = {WEB.get(f"{url}/{path}", headers=stranger).status_code for path in paths for stranger in strangers}
    assert refused == {401}
    for user in ROLES:
        token = {"Authorization": str(shared_airflow.clients[user]._session.auth.token)}
        answers = {path: WEB.get(f"{url}/{path}", headers=token, timeout=60).status_code for path in paths}
        assert answers == {path: 404 if "CHG-4711" in path else 200 for path in paths}
