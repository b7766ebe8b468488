"""An overdue review lets the next emergency of its target ask for a second person, and blocks no open incident."""

from dataclasses import replace
from datetime import timedelta

import pytest

from changewindow.policy.aftercare import Aftercare
from changewindow.policy.second_person import second_person
from support.changes import NOW

ORDERS, TARGETS = "production/orders", ("production/orders",)
OWED = Aftercare(
    "CHG-1", "emergency", "d1", "Drain a node", TARGETS, NOW, "alice", review_due=NOW - timedelta(minutes=1)
)
INVOLVED = ("alice", "carol", "erin")


@pytest.mark.parametrize(
    ("owed", "targets", "is_asked"),
    [
        pytest.param(OWED, TARGETS, True, id="the review of this target is overdue"),
        pytest.param(OWED, ("production/billing", ORDERS), True, id="one target of two"),
        pytest.param(OWED, ("production/billing",), False, id="another target"),
        pytest.param(OWED, ("staging/orders",), False, id="the same service elsewhere"),
        pytest.param(replace(OWED, review_due=NOW), TARGETS, False, id="due now, and not overdue"),
        pytest.param(replace(OWED, review_due=None), TARGETS, False, id="owes no review"),
        pytest.param(replace(OWED, reviewed_at=NOW), TARGETS, False, id="reviewed"),
        pytest.param(replace(OWED, because="record"), TARGETS, True, id="a record owes one like an emergency"),
        pytest.param(replace(OWED, because="rolled_back"), TARGETS, True, id="so does what was rolled back"),
        pytest.param(replace(OWED, is_drill=True), TARGETS, False, id="a drill asks nobody"),
    ],
)
def test_when_a_second_person_is_asked_for(owed: Aftercare, targets: tuple[str, ...], *, is_asked: bool) -> None:
    """Only by an overdue review of one of its targets."""
    wanted = second_person([owed], targets, has_open_incident=False, now=NOW)
    assert (wanted is not None) == is_asked


@pytest.mark.parametrize(
    ("person", "why"),
    [
        pytest.param(" ", "no incident is open, so a second person decides", id="nobody"),
        pytest.param("alice", "alice declares, commands or carries out this emergency", id="who declares it"),
        pytest.param("Carol", "Carol declares, commands or carries out this emergency", id="who commands, in capitals"),
        pytest.param("erin", "erin declares, commands or carries out this emergency", id="who carries it out"),
        pytest.param("bob", "", id="somebody else"),
    ],
)
def test_who_is_a_second_person(person: str, why: str) -> None:
    """Neither who declares, nor who commands, nor who carries it out."""
    wanted = second_person([OWED], TARGETS, has_open_incident=False, now=NOW)
    assert wanted is not None
    finding = wanted.objection(person, INVOLVED)
    assert (why in finding.reason) if finding else not why
    assert finding is None or "the review of CHG-1 is overdue, and it touched production/orders" in finding.reason


@pytest.mark.parametrize("person", ["", "alice", "bob"])
def test_an_open_incident_is_never_blocked(person: str) -> None:
    """The overdue review is a mark then, and nobody is asked."""
    wanted = second_person([OWED, replace(OWED, change="CHG-2")], TARGETS, has_open_incident=True, now=NOW)
    assert wanted is not None
    assert wanted.objection(person, INVOLVED) is None
    assert wanted.sentence == "the reviews of CHG-1, CHG-2 are overdue, and each touched production/orders"
