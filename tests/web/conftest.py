"""Pages of an empty ledger; tests fill it."""

import pytest

from changewindow.ledger.database import Ledger
from support.pages import Pages


@pytest.fixture
def pages(ledger: Ledger) -> Pages:
    """Return the pages of the test's ledger."""
    return Pages(lambda: ledger)
