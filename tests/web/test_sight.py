"""Whoever may see one change learns nothing of the others, on any page that there is."""

import re

import pytest

from changewindow.errors import NotAllowed
from changewindow.ledger import changes, leases
from changewindow.ledger.database import Ledger
from support import busy, every_page
from support.changes import NOW, approved, intent
from support.pages import VIEWERS, Pages
from support.tampering import tamper
from support.tickets import banner

OF_ONE = "who may see one change"
SEEN = "CHG-1001"
KEPT = ("events", "touched", "revisions", "approvals", "leases", "turns", "watches", "outbox", "changes")
"""The tables with a row of each change; it is no change where the number is below those of changes."""
VARIES = re.compile(r'nonce="[^"]*"')


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Return the pages of a busy week."""
    ledger = busy.week_in(tmp_path_factory.mktemp("week"))
    return Pages(lambda: ledger)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Return the pages of the same week in which nobody has asked for any other change."""
    ledger = busy.week_in(tmp_path_factory.mktemp("alone"))
    tamper(ledger, *(f"DELETE FROM {table} WHERE number > 1001" for table in KEPT))  # noqa: S608  all of it is ours
    return Pages(lambda: ledger)


@pytest.mark.parametrize("path", every_page.addresses())
def test_a_page_is_the_same_as_if_there_were_no_other_change(week: Pages, alone: Pages, path: str) -> None:
    """Nothing of the others is shown, counted or named."""
    texts = []
    for pages in (week, alone):
        pages.viewer = VIEWERS[OF_ONE]
        answer = pages.client.get(f"/{path}")
        assert answer.status_code in {200, 403}, answer.text
        texts.append(VARIES.sub("", answer.text))
    assert texts[0].splitlines() == texts[1].splitlines()


@pytest.mark.parametrize("path", [path for path in every_page.routes() if "{change}" in path])
def test_a_change_that_is_not_shown_is_as_one_that_there_is_not(week: Pages, path: str) -> None:
    """Nobody can tell which; the answers differ in the name alone."""
    week.viewer = VIEWERS[OF_ONE]
    answers = []
    for change in ("CHG-1004", "CHG-4711"):
        answer = week.client.get(f"/{every_page.filled(path, change=change)}")
        answers.append((answer.status_code, answer.text.replace(change, SEEN)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize("path", every_page.addresses())
def test_whoever_sees_no_change_reads_of_none(week: Pages, path: str) -> None:
    """Neither a name nor a summary stands anywhere."""
    week.viewer = VIEWERS["who may see nothing"]
    text = week.client.get(f"/{path}").text
    named = {change for change in busy.STATES.values() if change in text and change not in path}
    assert named == set()
    assert "Release number" not in text


@pytest.fixture
def refused(ledger: Ledger) -> Ledger:
    """Return a ledger in which a change was refused because of another one, which still holds its target."""
    first, second = approved(ledger, banner()), approved(ledger, banner(owner="carol"))
    targets = ("production/orders",)
    leases.start(ledger, second.change, intent(second.digest, "run-2"), targets=targets, now=NOW)
    with pytest.raises(NotAllowed) as closed:
        leases.start(ledger, first.change, intent(first.digest), targets=targets, now=NOW)
    changes.close(ledger, first.change, run="run-1", outcome="refused", reason=str(closed.value), now=NOW)
    return ledger


@pytest.mark.parametrize("path", every_page.addresses())
def test_what_was_in_the_way_of_a_change_is_not_named(pages: Pages, refused: Ledger, path: str) -> None:
    """Neither in the reason of its end, nor in what the gate says of it now, nor in the line of an event."""
    pages.viewer = VIEWERS[OF_ONE]
    text = pages.client.get(f"/{path}").text
    assert "CHG-1002" not in text
    assert "carol" not in text


def test_what_was_in_the_way_of_a_change_is_told_to_who_may_see_it(pages: Pages, refused: Ledger) -> None:
    """In three places of its page."""
    assert pages.get("/changes/CHG-1001").count("production/orders is held by CHG-1002") == 3


def test_that_something_was_in_the_way_of_a_change_is_told(pages: Pages, refused: Ledger) -> None:
    """What else is said of it stays."""
    text = pages.get("/changes/CHG-1001", viewer=OF_ONE)
    assert (
        "CHG-1001 may not act. Nothing was touched.<br>  - Something about a change that is not shown to you." in text
    )
    assert text.count("Something about a change that is not shown to you.") == 3


@pytest.mark.parametrize("asked", ["held by CHG-1002", "by CHG-100", "is held"])
def test_a_search_says_nothing_of_what_a_reason_names(pages: Pages, refused: Ledger, asked: str) -> None:
    """Whoever tries names learns of none, for a reason that may name another change is not searched for them."""
    assert "CHG-1001" not in pages.get("/history", viewer=OF_ONE, q=asked)
    assert "CHG-1001" in pages.get("/history", q=asked)


def test_the_numbers_that_somebody_may_see_are_made_once() -> None:
    """They are asked for several times on a page, and there may be thousands."""
    viewer = VIEWERS[OF_ONE]
    assert viewer.numbers == {1001}
    assert viewer.numbers is viewer.numbers
    assert VIEWERS["user"].numbers is None
