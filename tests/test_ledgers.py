"""The ledgers of tests answer as those of the product do."""

from pathlib import Path

import pytest

from changewindow.errors import LedgerDown
from changewindow.ledger.database import Ledger
from support import ledgers


@pytest.mark.parametrize("driver", ["", "+psycopg", "+psycopg2"])
def test_a_server_that_is_not_there_is_told_whatever_the_driver(driver: str, tmp_path: Path) -> None:
    """Also where ledgers with psycopg2 were copied before, whose engine others of its driver take after."""
    ledgers.on_postgres()
    with pytest.raises(LedgerDown), Ledger(f"postgresql{driver}://u:secret@127.0.0.1:9/{tmp_path.name}").reading():
        pass
