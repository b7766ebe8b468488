"""The page of kinds."""

from collections.abc import Iterator
from html import unescape

import pytest
from playwright.sync_api import Browser

from changewindow import kinds
from changewindow.web.pages.kinds import ROOMS
from changewindow.web.prose import Block, blocks, pieces
from support import browser as browsers
from support.browser import chromium, served, tab
from support.pages import Pages


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser."""
    with chromium() as started:
        yield started


def test_every_kind_is_shown_with_its_fields_and_example(pages: Pages) -> None:
    """Each has a place of its own, to link to."""
    text = pages.get("/kinds")
    for room in kinds.CONTRACTS:
        for kind in kinds.names(room):
            assert f'id="{room}-{kind}"' in text
    assert "<code>rollback_timeout</code>" in text or "<code>timeout</code>" in text


def test_every_room_says_what_it_is_for(pages: Pages) -> None:
    """In a sentence."""
    assert ROOMS.keys() == kinds.CONTRACTS.keys()
    text = unescape(pages.get("/kinds"))
    assert all(sentence in text for sentence in ROOMS.values())


def test_no_backtick_is_left_in_what_people_read(pages: Pages) -> None:
    """What stands between two of them is shown as code."""
    for room in kinds.CONTRACTS:
        for kind in kinds.names(room):
            facts = kinds.facts(room, kinds.CONTRACTS[room], kind)
            shown = [item for block in blocks(facts["documentation"]) if block.kind != "code" for item in block.items]
            left = [text for item in shown for text, _ in item if "`" in text]
            assert left == [], f"{room} {kind}"


def test_a_text_is_told_apart_into_paragraphs_lists_and_code() -> None:
    """Lines are joined, and code keeps its own."""
    assert list(blocks("One\ntwo `a b`.\n\nThose:\n- x\n- `y`\n  z\n\n    echo 1\n      2\n")) == [
        Block("paragraph", ((("One two ", False), ("a b", True), (".", False)),)),
        Block("paragraph", ((("Those:", False),),)),
        Block("list", ((("x", False),), (("y", True), (" z", False)))),
        Block("code", ((("echo 1\n  2", True),),)),
    ]
    assert pieces("a ` b") == (("a ` b", False),)


@browsers.needed
def test_kinds_are_found_while_one_types(pages: Pages, browser: Browser) -> None:
    """Every word has to stand in its name, its room, its summary or the names of its fields; the number is told."""
    with served(pages.app) as site, tab(browser, site) as (page, trouble):
        page.goto("kinds", wait_until="networkidle")
        page.get_by_label("Find a kind").fill("steps SQL")
        assert page.locator("details.kind:visible").evaluate_all("all => all.map((each) => each.id)") == ["steps-sql"]
        assert page.get_by_role("status").inner_text() == f"1 of {sum(len(kinds.names(room)) for room in ROOMS)} kinds"
        assert page.locator("section.room:visible").count() == 1
        assert trouble.found == []


@browsers.needed
def test_an_address_opens_its_kind(pages: Pages, browser: Browser) -> None:
    """Also one that the search has hidden."""
    with served(pages.app) as site, tab(browser, site) as (page, trouble):
        page.goto("kinds#steps-sql", wait_until="networkidle")
        assert page.locator("details.kind[open]").evaluate_all("all => all.map((each) => each.id)") == ["steps-sql"]
        page.get_by_label("Find a kind").fill("prometheus")
        page.evaluate("location.hash = '#steps-command'")
        page.wait_for_selector("#steps-command[open]")
        assert page.get_by_label("Find a kind").input_value() == ""
        assert trouble.found == []
