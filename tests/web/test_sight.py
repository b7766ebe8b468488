"""Whoever may see one change learns nothing of the others, on any page that there is."""

import re

import pytest

from support import busy, every_page
from support.pages import VIEWERS, Pages
from support.tampering import tamper

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
