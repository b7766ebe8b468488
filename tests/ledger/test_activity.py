"""What the ledger says was deployed and decided, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, update

from changewindow.ledger import changes, events, payloads
from changewindow.ledger.activity import Activity, activity
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.models import Revision
from changewindow.policy.delivered import Delivered
from changewindow.policy.delivery_metrics import MEASURES, measured
from support import deliveries
from support.changes import NOW
from support.deliveries import DAY, HOUR, MINUTE
from support.ledgers import on_postgres, on_sqlite

AT = NOW - DAY
LONG_AGO, LATER = NOW - 400 * DAY, NOW + 400 * DAY


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Return an empty ledger of each kind."""
    return on_sqlite(tmp_path) if request.param == "sqlite" else on_postgres()


def known(ledger: Ledger) -> Activity:
    """Return all that was done."""
    return activity(ledger, LONG_AGO, LATER)


def only(ledger: Ledger) -> Delivered:
    """Return the one deployment there is."""
    (row,) = known(ledger).delivered
    return row


def refused(ledger: Ledger) -> None:
    """Let the gate refuse a change."""
    deliveries.ended(ledger, deliveries.asked(ledger, AT), AT, "refused")


def missed(ledger: Ledger) -> None:
    """Let the window of a change pass."""
    deliveries.ended(ledger, deliveries.asked(ledger, AT), AT + HOUR, "missed")


def cancelled(ledger: Ledger) -> None:
    """Let a person cancel a change."""
    changes.cancel(ledger, deliveries.asked(ledger, AT), person="alice", reason="no need", now=AT)


def rejected(ledger: Ledger) -> None:
    """Let a person's no end a change."""
    deliveries.said(ledger, deliveries.asked(ledger, AT), AT - HOUR, is_yes=False)


def aborted_before_its_first_step(ledger: Ledger) -> None:
    """Pass the gate, and end before anything was touched."""
    change = deliveries.asked(ledger, AT)
    deliveries.started(ledger, change, AT)
    deliveries.ended(ledger, change, AT + MINUTE, "cancelled")


def acting(ledger: Ledger) -> None:
    """Pass the gate, and act still."""
    deliveries.started(ledger, deliveries.asked(ledger, AT), AT)


def dry_run(ledger: Ledger) -> None:
    """Run dry."""
    change = deliveries.asked(ledger, AT)
    deliveries.started(ledger, change, AT, mode="dry_run", is_dry=True)
    closed = payloads.Closed(outcome="completed", reason="", is_dry=True)
    events.record(ledger, Event(change, "run", AT + MINUTE, closed))


def drill(ledger: Ledger) -> None:
    """Drill an emergency."""
    deliveries.emergency(ledger, AT, is_drill=True)


@pytest.mark.parametrize(
    "what", [refused, missed, cancelled, rejected, aborted_before_its_first_step, acting, dry_run, drill]
)
def test_what_is_no_deployment(ledger: Ledger, what: Callable[[Ledger], None]) -> None:
    """Neither a failure nor a success: it did not happen, or is not over."""
    what(ledger)
    assert known(ledger).delivered == []


def test_a_completed_change(ledger: Ledger) -> None:
    """It is known from the ticket to the end."""
    deliveries.deployed(ledger, AT, services=["shop", "orders"], risk="medium", owner="carol")
    assert only(ledger) == Delivered(
        *("CHG-1001", "normal", "medium", "production", ("orders", "shop"), "carol"),
        began=AT,
        ended=AT + 30 * MINUTE,
        asked=AT - 2 * HOUR,
        closes=AT + HOUR,
        longest=6 * MINUTE,
        rollback_estimate=MINUTE,
    )


def test_two_failed_conditions_are_one_failed_change(ledger: Ledger) -> None:
    """What counts is the change, whatever its watch found, and from the first decision on."""
    change = deliveries.asked(ledger, AT)
    deliveries.started(ledger, change, AT)
    for minute in (5, 6):
        decided = payloads.WatchDecided(route="undo", reason="bad; and bad")
        events.record(ledger, Event(change, "run", AT + minute * MINUTE, decided))
    deliveries.ended(ledger, change, AT + 9 * MINUTE, "rolled_back")
    row = only(ledger)
    assert (row.has_failed, row.failing, row.recovered) == (True, AT + 5 * MINUTE, AT + 9 * MINUTE)
    rate = measured(MEASURES["change_fail_rate"], [row], DAY)
    assert (len(rate.part), len(rate.whole)) == (1, 1)


def test_an_abort_while_it_acts_is_a_failure(ledger: Ledger) -> None:
    """A person took it back, who does so for a reason."""
    change = deliveries.asked(ledger, AT)
    deliveries.started(ledger, change, AT)
    events.record(ledger, Event(change, "bob", AT + MINUTE, payloads.Aborted(reason="bad", was="running")))
    deliveries.ended(ledger, change, AT + 3 * MINUTE, "rolled_back")
    row = only(ledger)
    assert (row.outcome, row.failing, row.recovered) == ("rolled_back", AT + MINUTE, AT + 3 * MINUTE)


def test_a_rollback_days_later_makes_it_a_failure(ledger: Ledger) -> None:
    """It was deployed when it was deployed, and failing only since it is taken back."""
    change = deliveries.deployed(ledger, AT)
    assert only(ledger).outcome == "completed"
    deliveries.rolled_back_later(ledger, change, AT + 5 * HOUR)
    row = only(ledger)
    assert (row.outcome, row.began, row.ended) == ("rolled_back", AT, AT + 30 * MINUTE)
    assert (row.failing, row.recovered) == (AT + 5 * HOUR, AT + 5 * HOUR + 10 * MINUTE)


def test_a_failed_rollback_has_recovered_once_another_one_has_not_failed(ledger: Ledger) -> None:
    """Until then nobody knows when it will; since then it was since the first decision."""
    change = deliveries.deployed(ledger, AT, "rollback_failed")
    assert (only(ledger).outcome, only(ledger).recovered) == ("rollback_failed", None)
    deliveries.rolled_back_later(ledger, change, AT + HOUR)
    row = only(ledger)
    assert (row.failing, row.recovered) == (AT + 20 * MINUTE, AT + 70 * MINUTE)


def test_a_run_that_was_refused_before_does_not_make_it_slower(ledger: Ledger) -> None:
    """It began with the run that deployed it."""
    change = deliveries.asked(ledger, AT)
    deliveries.started(ledger, change, AT)
    deliveries.ended(ledger, change, AT + MINUTE, "refused")
    deliveries.started(ledger, change, AT + 10 * MINUTE)
    deliveries.ended(ledger, change, AT + 20 * MINUTE)
    assert (only(ledger).began, only(ledger).ended) == (AT + 10 * MINUTE, AT + 20 * MINUTE)


def test_an_emergency_is_unplanned(ledger: Ledger) -> None:
    """Whether an incident was open or not: something was broken."""
    deliveries.emergency(ledger, AT)
    assert (only(ledger).type, only(ledger).is_unplanned) == ("emergency", True)


@pytest.mark.parametrize(("incident", "is_unplanned"), [("", False), ("PD-1", True)])
def test_a_record_is_deployed_when_it_was_done(ledger: Ledger, incident: str, *, is_unplanned: bool) -> None:
    """And not when it was told; it is unplanned where it names an incident."""
    deliveries.by_hand(ledger, AT, incident=incident)
    row = only(ledger)
    assert (row.type, row.risk, row.owner, row.began) == ("by hand", "not known", "alice", AT)
    assert row.is_unplanned is is_unplanned


def test_only_those_count_that_one_may_see(ledger: Ledger) -> None:
    """Of others nothing is returned, decisions neither."""
    for at in (AT, AT - DAY):
        deliveries.said(ledger, change := deliveries.asked(ledger, at), at - HOUR)
        deliveries.started(ledger, change, at)
        deliveries.ended(ledger, change, at + MINUTE)
    assert {row.change for row in known(ledger).delivered} == {"CHG-1001", "CHG-1002"}
    seen = activity(ledger, LONG_AGO, LATER, frozenset({1002}))
    assert [row.change for row in seen.delivered] == ["CHG-1002"]
    assert [each.change for each in seen.waited] == ["CHG-1002"]
    assert activity(ledger, LONG_AGO, LATER, frozenset()) == Activity([], [])


def test_what_is_known_follows_what_happens(ledger: Ledger) -> None:
    """What was read once is read again when the change has moved, and for nobody else."""
    change = deliveries.deployed(ledger, AT)
    first = only(ledger)
    deliveries.rolled_back_later(ledger, change, NOW)
    assert only(ledger) == replace(first, has_failed=True, failing=NOW, recovered=NOW + 10 * MINUTE)


def test_it_does_not_count_while_it_is_rolled_back(ledger: Ledger) -> None:
    """How it ends is open again."""
    change = deliveries.deployed(ledger, AT)
    with ledger.transaction() as session:
        session.get_one(changes.Change, events.number(change)).status = "running"
    assert known(ledger).delivered == []


def test_a_text_that_somebody_spoiled_says_nothing(ledger: Ledger) -> None:
    """The deployment counts all the same; what its text said is not known."""
    deliveries.deployed(ledger, AT)
    with ledger.transaction() as session:
        session.execute(update(Revision).values(text="{"))
    row = only(ledger)
    assert (row.type, row.risk, row.longest, row.rollback_estimate) == ("not known", "not known", None, None)


def test_a_change_waits_from_its_text_on(ledger: Ledger) -> None:
    """Until somebody has decided."""
    deliveries.said(ledger, deliveries.asked(ledger, AT, services=["shop"]), AT - 90 * MINUTE)
    (waited,) = known(ledger).waited
    assert (waited.level, waited.seconds, waited.services) == ("peer", 1800, ("shop",))


def test_a_decision_that_was_carried_over_is_not_counted_twice(ledger: Ledger) -> None:
    """Who has approved is not asked again because the window moved."""
    change = deliveries.asked(ledger, AT)
    deliveries.said(ledger, change, AT - HOUR)
    data = changes.revision(ledger, change)
    window = data["window"] | {"end": f"{AT + 2 * HOUR:%Y-%m-%d %H:%M}"}
    changes.revise(ledger, change, data | {"window": window}, person="alice", now=AT - HOUR / 2, keeps=True)
    assert len(known(ledger).waited) == 1


def test_statements_do_not_grow_with_the_changes(ledger: Ledger) -> None:
    """However many changes there are, they are read at once; and afterwards only what has moved."""
    for hours in range(12):
        deliveries.deployed(ledger, AT - hours * HOUR, "completed" if hours % 2 else "rolled_back")
    statements: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    known(ledger)
    first = [each for each in statements if each.startswith("SELECT")]
    statements.clear()
    known(ledger)
    assert len(first) <= 6
    assert len([each for each in statements if each.startswith("SELECT")]) == 1


def test_a_time_is_of_when_it_began(ledger: Ledger) -> None:
    """What began in it counts, wherever it ended; the end of the time is not in it."""
    deliveries.deployed(ledger, AT)
    for since, until, count in ((AT, AT + MINUTE, 1), (AT - DAY, AT, 0), (AT + MINUTE, NOW, 0)):
        assert len(activity(ledger, since, until).delivered) == count


def test_moments_and_lengths_are_whole(ledger: Ledger) -> None:
    """They are aware and in UTC, from either database."""
    deliveries.deployed(ledger, AT, "rolled_back")
    row = only(ledger)
    moments = [row.began, row.ended, row.asked, row.closes, row.failing, row.recovered]
    assert all(isinstance(each, datetime) and each.utcoffset() == timedelta(0) for each in moments)
