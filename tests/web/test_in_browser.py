"""Every page that there is, in a real browser: usable by everybody, light, and deaf to what stands in tickets."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from playwright.sync_api import Browser

from changewindow.ledger.database import Ledger
from support import browser as browsers
from support import busy, every_page
from support.browser import chromium, not_reached, served, tab, violations
from support.pages import Pages

pytestmark = [browsers.needed, pytest.mark.integration]
LIGHT_ENOUGH = 500_000
"""Bytes of a page with all that it loads, unpacked."""
SIZES = {"a narrow phone, beside the menu of Airflow": (256, 1), "a desktop at 200 %": (1280, 2)}
REACHES_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ACTIVE = 'document.querySelectorAll(\'[href^="javascript" i], [src^="javascript" i], [onerror], [onclick]\').length'


@dataclass(frozen=True)
class Served:
    """The pages of a week, and of the same week where every text is an attack, in a browser."""

    browser: Browser
    week: str
    attacked: str
    pages: Pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve both."""
    weeks = [busy.week_in(tmp_path_factory.mktemp("week"), is_hostile=is_hostile) for is_hostile in (False, True)]
    first, second = (Pages(partial(passed, ledger)) for ledger in weeks)
    with chromium() as browser, served(first.app) as week, served(second.app) as attacked:
        yield Served(browser, week, attacked, first)


def passed(ledger: Ledger) -> Ledger:
    """Return a ledger."""
    return ledger


def is_page(site: Served, path: str) -> bool:
    """Return whether an address leads to a page, and not to a file."""
    answer = site.pages.client.get(f"/{path}")
    assert answer.status_code == 200, answer.text
    return str(answer.headers["Content-Type"]).startswith("text/html")


EVERY_STATE = every_page.addresses(busy.STATES.values())
"""All pages, that of a change in each of its states."""
PHONE, ZOOMED = SIZES
USED = [*((path, PHONE) for path in EVERY_STATE), *((path, ZOOMED) for path in every_page.addresses())]
"""A state changes what a page shows, and not how it gives way to its size."""


@pytest.mark.parametrize(("path", "size"), USED)
def test_everybody_can_use_it(site: Served, path: str, size: str) -> None:
    """Nothing stands against it in light and dark, and nothing is cut off or makes the page scroll sideways."""
    if not is_page(site, path):
        return
    width, zoom = SIZES[size]
    with tab(site.browser, site.week, width=width, zoom=zoom) as (page, trouble):
        page.goto(path, wait_until="networkidle")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
            assert violations(page) == [], theme
        assert page.evaluate(REACHES_OUT) <= 0
        assert trouble.found == []


@pytest.mark.parametrize("path", every_page.addresses())
def test_it_is_light_and_every_part_is_reached_by_keyboard(site: Served, path: str) -> None:
    """In a browser that has loaded nothing yet."""
    if not is_page(site, path):
        return
    with tab(site.browser, site.week) as (page, trouble):
        page.goto(path, wait_until="networkidle")
        weight = trouble.weight()
        assert sum(weight.values()) < LIGHT_ENOUGH, weight
        assert not_reached(page) == []
        assert trouble.found == []


@pytest.mark.parametrize("path", EVERY_STATE)
def test_what_stands_in_tickets_does_nothing(site: Served, path: str) -> None:
    """A text of a ticket, a reason or a finding is shown, and is never a part of the page; nothing asks others."""
    if not is_page(site, path):
        return
    with tab(site.browser, site.attacked) as (page, trouble):
        page.goto(path, wait_until="networkidle")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate("window.hacked") is None
        assert page.evaluate(ACTIVE) == 0
        source = page.content()
        assert [sign for sign in busy.UNSEEN if sign in source and not sign.isprintable()] == []
        assert trouble.found == []


@pytest.mark.parametrize("path", ["now", "calendar", "findings"])
def test_text_is_as_large_as_the_browser_says(site: Served, path: str) -> None:
    """Twice the size on a small phone makes the page longer, and never wider than the phone."""
    with tab(site.browser, site.week, width=320) as (page, _trouble):
        page.goto(path, wait_until="networkidle")
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("getComputedStyle(document.body).fontSize") == "32px"
        assert page.evaluate(REACHES_OUT) <= 0


def test_on_a_wall_text_grows_with_the_screen(site: Served) -> None:
    """It is read from afar; a screen of four times as many dots is not a larger page."""
    with tab(site.browser, site.week, width=3840) as (page, _trouble):
        page.goto("now?wall", wait_until="networkidle")
        assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") > 50


def test_paper_is_light_and_says_of_which_day_it_is(site: Served) -> None:
    """Whatever the theme, drawings too; what only a screen can do is not printed."""
    with tab(site.browser, site.week) as (page, _trouble):
        page.emulate_media(color_scheme="dark")
        page.goto(f"changes/{busy.STATES['rolled_back']}", wait_until="networkidle")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.emulate_media(color_scheme="dark", media="print")
        page.wait_for_function("document.documentElement.dataset.theme === 'light'")
        assert "Made on 2031-03-18 at 14:10:00 (UTC)" in page.locator("footer").inner_text()
        assert not page.locator("nav:visible, form:visible").count()


def test_a_short_change_keeps_its_name_in_a_week_by_target(site: Served) -> None:
    """Its box is longer than it takes; a bar in it is as long as it takes."""
    with tab(site.browser, site.week) as (page, trouble):
        page.goto("calendar?view=targets", wait_until="networkidle")
        links = page.locator(".ec-event a")
        links.first.wait_for()
        for at in range(links.count()):
            name = links.nth(at).evaluate(
                "(link) => { const text = document.createRange(); text.setStart(link.firstChild, 0);"
                " text.setEnd(link.firstChild, 8);"
                " return link.parentElement.getBoundingClientRect().right - text.getBoundingClientRect().right; }"
            )
            assert name >= 0, links.nth(at).inner_text()
        bars = page.locator(".ec-event .bar").evaluate_all("(bars) => bars.map((bar) => bar.style.inlineSize)")
        assert {"33.3333%"} <= set(bars), "an hour of three"
        assert trouble.found == []
