"""The page of reports: each number leads to exactly its changes."""

import pytest

from changewindow.ledger.database import Ledger
from support.changes import NOW
from support.deliveries import DAY, by_hand, deployed
from support.pages import Pages


def test_an_empty_ledger_has_no_numbers(pages: Pages) -> None:
    """No data is neither zero nor everything."""
    text = pages.get("/reports")
    assert "nothing was deployed" not in text
    assert "the ledger had not begun" in text
    assert "100.0%" not in text
    assert "0.0%" not in text


def test_a_number_leads_to_exactly_its_changes(pages: Pages, ledger: Ledger) -> None:
    """Those that failed, and those that could have."""
    good, bad, told = deployed(ledger), deployed(ledger, outcome="rolled_back"), by_hand(ledger)
    assert "<strong>50.0%</strong>" in pages.get("/reports")
    failed = pages.get("/reports/changes", of="change_fail_rate", side="part")
    assert bad in failed
    assert good not in failed
    ran = pages.get("/reports/changes", of="change_fail_rate", side="whole")
    assert good in ran
    assert bad in ran
    assert told not in ran


@pytest.mark.parametrize("path", ["/reports", "/reports/csv", "/reports/changes", "/reports/emergencies"])
def test_what_somebody_may_not_see_is_not_counted(pages: Pages, ledger: Ledger, path: str) -> None:
    """Who may see one change gets the numbers of that one, and is told so."""
    seen, hidden = deployed(ledger, owner="alice"), deployed(ledger, NOW - 2 * DAY, owner="mallory", services=["shop"])
    text = pages.get(path, viewer="who may see one change")
    assert seen == "CHG-1001"
    assert hidden not in text
    assert "mallory" not in text
    assert "shop" not in text.replace("#shop", "")
