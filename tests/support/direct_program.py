"""Carries an emergency out as a terminal does, until somebody kills it: its second step takes long."""

import sys
from pathlib import Path

from changewindow.changes.direct_start import Wanted, hold
from changewindow.changes.direct_waiting import Waiting
from changewindow.changes.emergency_direct import carry_out
from changewindow.ledger.database import Ledger
from support import direct


def main() -> None:
    """Do it in a folder, with a ledger and a service."""
    folder, ledger, url = Path(sys.argv[1]), Ledger(sys.argv[2]), sys.argv[3]
    data = direct.data(folder / "done")
    data["steps"][1]["run"] = ["sleep", "60"]
    book = direct.begun(folder / "journals", ledger, data)
    hold(
        book,
        Wanted(data, direct.DECLARED, "alice"),
        direct.here(folder / "journals", ledger),
        lambda _: None,
        waiting=Waiting(),
    )
    carry_out(book, direct.hands(url))


if __name__ == "__main__":
    main()
