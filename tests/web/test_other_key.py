"""What pages say of a ledger whose seals are by a key that is not known here: that, and nothing about anybody."""

import re

import pytest

from changewindow.ledger.database import Ledger
from support.pages import Pages

OFFERED = r"(?<!whether any )(?<!whether its record )"
"""That it can be checked may be said anywhere."""
ACCUSED = re.compile(rf"somebody has|written into|{OFFERED}was altered|were altered", re.IGNORECASE)
SAID = "which is not known here"


@pytest.fixture
def strange_pages(busy_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Return the pages of a process with another key than that by which the ledger was sealed."""
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "the-key-of-another-installation")
    other = Ledger(str(busy_ledger.url))
    return Pages(lambda: other)


@pytest.mark.parametrize("path", ["/changes/CHG-1001", "/changes/CHG-1004", "/now", "/findings", "/what-changed"])
def test_an_unknown_key_is_named_and_where_to_put_it(strange_pages: Pages, path: str) -> None:
    """Whoever has it puts it there; nothing was altered because it is missing."""
    text = strange_pages.get(path)
    assert SAID in text
    assert "the variable CHANGEWINDOW_SEAL_KEY" in text
    assert not ACCUSED.search(text)


@pytest.mark.parametrize("path", ["/history", "/history.csv", "/calendar", "/reports", "/reports/emergencies"])
def test_no_other_page_accuses_anybody(strange_pages: Pages, path: str) -> None:
    """They show what the rows say, or say why they cannot."""
    answer = strange_pages.client.get(path)
    assert answer.status_code in {200, 404, 503}, path
    assert not ACCUSED.search(answer.text)
