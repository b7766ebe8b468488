"""Every page asks who looks, whichever pages there are; and every answer says how far to trust it."""

import re

import pytest
from starlette.routing import Route

from changewindow.web import rendering
from support import every_page
from support.pages import VIEWERS, Pages

OPEN = {"/feed/token.ics"}
"""The routes that ask for no log-in, each with its own proof."""
VALUES = {**every_page.VALUES, "path": "page.css", "token": "token"}
"""What stands for the parts of addresses that vary."""


def routes(pages: Pages) -> list[tuple[str, str]]:
    """Return each route that exists, as a method with an address."""
    found = []
    for route in pages.routes:
        assert isinstance(route, Route), f"{route} is no route that could be walked"
        path = re.sub(r"{(\w+)(:\w+)?}", lambda part: VALUES[part[1]], route.path)
        found += [(method, path) for method in sorted(route.methods or ()) if path not in OPEN]
    return found


def test_each_route_is_refused_to_nobody(pages: Pages) -> None:
    """Without a log-in there is nothing to see, and a word on what to do."""
    pages.viewer = None
    answers = [pages.client.request(method, path, follow_redirects=False) for method, path in routes(pages)]
    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert all("not logged in" in answer.text for answer in answers if answer.request.method != "HEAD")
    assert '<a href="/" data-airflow-page>Log in to Airflow</a>' in answers[0].text


@pytest.mark.parametrize("viewer", VIEWERS)
def test_each_route_answers_whoever_is_logged_in(pages: Pages, viewer: str) -> None:
    """It shows a page, leads to one, or says why not; nothing breaks, and Airflow is asked once who looks."""
    for method, path in routes(pages):
        pages.viewer, pages.asked = VIEWERS[viewer], 0
        answer = pages.client.request(method, path, follow_redirects=False)
        assert answer.status_code < 500, (method, path, answer.text)
        assert pages.asked == 1, path


def test_each_answer_forbids_what_is_inline_and_foreign_frames(pages: Pages) -> None:
    """Errors and files do, too; no style and no script stands in a page."""
    pages.viewer = VIEWERS["user"]
    for method, path in [*routes(pages), ("GET", "/none")]:
        answer = pages.client.request(method, path, follow_redirects=False)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert not re.search(r"<style|style=|<script(?! src=)| on\w+=|javascript:", answer.text), path


def test_pages_are_not_kept_and_files_are(pages: Pages) -> None:
    """A page is made anew each time; a file has an address for each of its states."""
    assert pages.client.get("/kinds").headers["Cache-Control"] == "no-store"
    address = f"/static/page.css?v={rendering.version('page.css')}"
    assert address in pages.get("/kinds")
    assert "immutable" in pages.client.get(address).headers["Cache-Control"]


def test_files_outside_are_not_served(pages: Pages) -> None:
    """Nobody climbs out of the folder of files."""
    assert pages.status("/static/..%2Fapp.py") == 404
    assert pages.status("/static/%2Fetc%2Fpasswd") == 404


def test_behind_a_proxy_every_address_begins_with_its_path(pages: Pages) -> None:
    """Pages work below a base path."""
    below = Pages(pages.ledger, base="/ops")
    text = below.get("/kinds")
    addresses = re.findall(r'(?:href|src)="(/[^"]*)"', text)
    assert addresses
    assert all(address.startswith("/ops/") for address in addresses)


def test_the_zone_is_remembered(pages: Pages) -> None:
    """Whoever has chosen a zone sees all pages in it."""
    assert 'value="Asia/Tokyo"' in pages.get("/kinds", zone="Asia/Tokyo")
    assert 'value="Asia/Tokyo"' in pages.get("/kinds")


def test_an_unknown_zone_is_refused(pages: Pages) -> None:
    """What is meant is suggested."""
    answer = pages.client.get("/kinds", params={"zone": "Europe/Berlinn"})
    assert answer.status_code == 400
    assert "There is no time zone &#39;Europe/Berlinn&#39;. Try &#39;Europe/Berlin&#39;." in answer.text


def test_what_is_not_there_is_said(pages: Pages) -> None:
    """An address nobody knows has no menu; it leads to a page that has."""
    answer = pages.client.get("/none")
    assert answer.status_code == 404
    assert "/none: Not Found." in answer.text
    assert '<a href="/">Go to Now' in answer.text


def test_a_page_that_only_reads_says_so(pages: Pages) -> None:
    """An answer to another method names those that there are."""
    answer = pages.client.post("/kinds")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
