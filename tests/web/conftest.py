"""Pages of an empty ledger, which tests fill, and those of a busy week."""

from pathlib import Path

import pytest

from changewindow.ledger.database import Ledger
from support import busy
from support.pages import Pages


@pytest.fixture
def pages(ledger: Ledger) -> Pages:
    """Return the pages of the test's ledger."""
    return Pages(lambda: ledger)


@pytest.fixture
def busy_ledger(tmp_path: Path) -> Ledger:
    """Return a ledger with a change in each of its states; `support.busy.STATES` names them."""
    return busy.week_in(tmp_path)


@pytest.fixture
def busy_pages(busy_ledger: Ledger) -> Pages:
    """Return the pages of a busy week."""
    return Pages(lambda: busy_ledger)
