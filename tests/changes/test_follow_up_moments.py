"""Workarounds are checked again on their day, and follow-ups chased that nobody has, or that are past theirs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from changewindow.changes.aftercare_sweep import Rules, text_of, to_tell
from changewindow.changes.workaround import how_it_goes
from changewindow.ledger import aftercare, changes, emergencies, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared, Reminded
from changewindow.policy.aftercare import Aftercare, FollowUp
from changewindow.policy.emergencies import Emergencies
from support.changes import NOW, intent
from support.tickets import banner

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
RULES = Rules(
    Emergencies(escalate_to=("directors",)), {"directors": ("hanna",), "shop": ("dora",)}, {"orders": ("shop", "erik")}
)
OWED = Aftercare(
    "CHG-1",
    "emergency",
    "d" * 64,
    "Drain a node",
    ("production/orders",),
    NOW,
    "alice",
    executor="erin",
    commander="carol",
    reviewed_at=NOW,
)
ALL = ("hanna", "alice", "erin", "carol")
FOLLOW = FollowUp(1, "alert earlier", "bob", NOW + 3 * DAY, since=NOW)


def told(owed: Aftercare, after: timedelta) -> list[tuple[str, float, tuple[str, ...]]]:
    """Return of what people are told then, of which day's moment, and who."""
    return [(due.about, (due.moment - NOW) / DAY, due.people) for due in to_tell(owed, RULES, NOW + after)]


@pytest.mark.parametrize(
    ("follow_up", "days", "moment", "people"),
    [
        pytest.param(FOLLOW, 2.9, None, (), id="its day has not come"),
        pytest.param(FOLLOW, 3, 3, ("bob",), id="on its day"),
        pytest.param(FOLLOW, 5.5, 5, ("bob",), id="each day after it"),
        pytest.param(replace(FOLLOW, is_done=True), 5, None, (), id="it is done"),
        pytest.param(replace(FOLLOW, due=None), 0.9, None, (), id="no day, asked today"),
        pytest.param(replace(FOLLOW, due=None), 1, 1, ("bob",), id="no day"),
        pytest.param(replace(FOLLOW, owner=""), 0.9, None, (), id="no owner, asked today"),
        pytest.param(
            replace(FOLLOW, owner=""), 1, 1, ("hanna", "alice", "erin", "carol"), id="no owner, before its day"
        ),
        pytest.param(replace(FOLLOW, owner="", due=None), 2, 2, ALL, id="neither"),
    ],
)
def test_when_a_follow_up_is_chased(
    follow_up: FollowUp, days: float, moment: float | None, people: tuple[str, ...]
) -> None:
    """By whom it belongs to; nobody's goes to those above and those who were involved."""
    owed = replace(OWED, follow_ups=(follow_up,))
    assert told(owed, days * DAY) == ([("follow_up:1", moment, people)] if moment else [])


def test_the_message_names_the_follow_up(ledger: Ledger) -> None:
    """And whom it belongs to."""
    owed = replace(OWED, follow_ups=(FOLLOW, replace(FOLLOW, number=2, what="larger pool", owner="")))
    texts = [text_of(owed, due, NOW + 4 * DAY) for due in to_tell(owed, RULES, NOW + 4 * DAY)]
    assert [text.splitlines()[0] for text in texts] == [
        "📌 FOLLOW-UP OVERDUE since 2031-03-21 14:10 UTC: CHG-1 Drain a node",
        "📌 FOLLOW-UP WITHOUT OWNER: CHG-1 Drain a node",
    ]


@pytest.fixture
def change(ledger: Ledger) -> str:
    """Return an emergency with a workaround of a day that acts since NOW."""
    said: dict[str, Any] = {
        "broken": "no orders",
        "agreed_how": "by phone",
        "skipped": (),
        "workaround_until": NOW + DAY,
    }
    event = Declared(digest="", commander="carol", agreed_at=NOW, executor="erin", due=NOW + DAY, **said)
    submitted = emergencies.declare(ledger, banner(), event, person="alice", now=NOW, origin="run")
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    return submitted.change


def workaround(ledger: Ledger, change: str, after: timedelta) -> list[tuple[float, tuple[str, ...]]]:
    """Sweep so long after NOW; return of which day's moment of the workaround who is told."""
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    found = [due for due in to_tell(owed, RULES, NOW + after) if due.about == "workaround"]
    for due in found:
        assert aftercare.remind(ledger, change, Reminded(about=due.about, moment=due.moment), now=NOW + after)
    return [((due.moment - NOW) / DAY, due.people) for due in found]


def test_a_workaround_is_checked_on_its_day_and_each_day_after(ledger: Ledger, change: str) -> None:
    """Who carried it out and the owners are told, once a day, until it is gone."""
    changes.close(ledger, change, run="run-1", outcome="completed", reason="", now=NOW)
    people = ("erin", "dora", "erik")
    days = (0.9, 1, 1.1, 1.9, 2, 2.5, 7.2, 7.3)
    assert [(day, *told) for day in days for told in workaround(ledger, change, day * DAY)] == [
        (1, 1, people),
        (2, 2, people),
        (7.2, 7, people),
    ]
    changes.close(ledger, change, run="run-2", outcome="rolled_back", reason="", now=NOW + 8 * DAY)
    assert workaround(ledger, change, 9 * DAY) == []


@pytest.mark.parametrize("outcome", ["rolled_back", "refused"])
def test_a_change_that_is_not_there_leaves_no_workaround(ledger: Ledger, change: str, outcome: Any) -> None:
    """It was rolled back, or has never begun."""
    changes.close(ledger, change, run="run-1", outcome=outcome, reason="", now=NOW)
    assert workaround(ledger, change, 2 * DAY) == []


def test_the_message_says_what_takes_a_workaround_away(ledger: Ledger, change: str) -> None:
    """While its file is there its rollback, then a ticket; each time with what the undo does."""
    changes.close(ledger, change, run="run-1", outcome="completed", reason="", now=NOW)
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    undo = how_it_goes(ledger, owed, NOW + DAY)
    assert undo == f"trigger {change} with mode `rollback` (Rollback: banner off (< 1 minute))"
    late = how_it_goes(ledger, owed, NOW + DAY + MINUTE)
    assert late == "submit a ticket that takes it back (Rollback: banner off (< 1 minute))"
    [due] = [due for due in to_tell(owed, RULES, NOW + DAY) if due.about == "workaround"]
    text = text_of(owed, due, NOW + DAY, undo)
    assert f"@erin, @dora, @erik: {undo}; then say so in the DAG `follow_up`." in text
