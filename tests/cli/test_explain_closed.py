"""What `explain` has to say of a change that is over."""

from datetime import timedelta

import pytest

from changewindow.cli.main import main
from changewindow.ledger import changes, leases, stops
from changewindow.ledger.database import Ledger
from support.calendars import POLICY
from support.changes import NOW, approved, intent
from support.tickets import banner


def test_of_a_change_that_is_closed_nothing_else_has_to_be_put_right(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """To wait for the line would be in vain; a rollback that nothing stands against has no lines at all."""
    change = approved(ledger, banner())
    leases.start(ledger, change.change, intent(change.digest), targets=("production/orders",), now=NOW)
    changes.close(ledger, change.change, run="run-1", outcome="completed", reason="good", now=NOW)
    stops.stop(ledger, person="dora", reason="fire", now=NOW, until=NOW + timedelta(hours=1))
    asked = ["explain", change.change, "--ledger", str(ledger.url), "--policy", str(POLICY), "--at", NOW.isoformat()]
    assert main(asked) == 1
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["closed:"]
    assert main([*asked, "--all"]) == 1
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["closed:", "record_holds:"]
    assert main([*asked, "--mode", "rollback"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
