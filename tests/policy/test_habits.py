"""Emergencies that come again and again, or each week at the same hour, are found; what is none is not counted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from changewindow.policy.aftercare import Aftercare
from changewindow.policy.emergencies import Repeated
from changewindow.policy.habits import earliest, habits

NOW = datetime(2031, 3, 19, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DAY, WEEK, MINUTE = timedelta(days=1), timedelta(days=7), timedelta(minutes=1)
ORDERS = ("production/orders",)


def emergencies(*agos: timedelta, **fields: Any) -> list[Aftercare]:
    """Return emergencies so long ago, numbered as they are named."""
    made = [
        Aftercare(f"CHG-{number}", "emergency", "d", "Restart it", ORDERS, NOW - ago, "alice")
        for number, ago in enumerate(agos, 1)
    ]
    return [replace(each, **fields) for each in made]


def kinds(owed: Sequence[Aftercare], **options: Any) -> list[str]:
    """Return what is found."""
    return [habit.kind for habit in habits(owed, Repeated(), **{"now": NOW, **options})]


@pytest.mark.parametrize(
    ("owed", "found"),
    [
        pytest.param(emergencies(), [], id="none"),
        pytest.param(emergencies(3 * DAY, 1 * DAY), [], id="two"),
        pytest.param(emergencies(9 * DAY, 3 * DAY, 1 * DAY), ["repeated"], id="three within 30 days"),
        pytest.param(emergencies(30 * DAY, 3 * DAY, 1 * DAY), [], id="the first was 30 days ago"),
        pytest.param(emergencies(30 * DAY - MINUTE, 3 * DAY, 1 * DAY), ["repeated"], id="a minute less"),
        pytest.param(emergencies(9 * DAY, 3 * DAY, -DAY), [], id="one has not come"),
        pytest.param(emergencies(9 * DAY, 3 * DAY, 1 * DAY, is_drill=True), [], id="drills"),
        pytest.param(emergencies(9 * DAY, 3 * DAY, 1 * DAY, because="record"), [], id="records"),
        pytest.param(emergencies(9 * DAY, 3 * DAY, 1 * DAY, has_acted=False), [], id="what never acted"),
        pytest.param(emergencies(9 * DAY, 3 * DAY, 1 * DAY, because="rolled_back"), [], id="what was rolled back"),
        pytest.param(
            [*emergencies(9 * DAY, 3 * DAY), *emergencies(DAY, targets=("staging/orders",))], [], id="other targets"
        ),
        pytest.param(emergencies(2 * WEEK, WEEK, 0 * DAY), ["repeated", "same_hour"], id="the same hour, three weeks"),
        pytest.param(
            emergencies(3 * WEEK, WEEK, 0 * DAY), ["repeated", "same_hour"], id="three of four weeks, one left out"
        ),
        pytest.param(emergencies(2 * WEEK + 30 * MINUTE, WEEK, 0 * DAY), ["repeated", "same_hour"], id="30 minutes"),
        pytest.param(emergencies(2 * WEEK + 31 * MINUTE, WEEK, 0 * DAY), ["repeated"], id="31 minutes"),
        pytest.param(emergencies(2 * WEEK, 2 * WEEK - MINUTE, 0 * DAY), ["repeated"], id="twice in one week"),
        pytest.param(emergencies(2 * WEEK, WEEK + DAY, 0 * DAY), ["repeated"], id="another day"),
    ],
)
def test_what_is_a_habit(owed: list[Aftercare], found: list[str]) -> None:
    """The third within 30 days, and three of four weeks at the same hour; nothing else."""
    assert kinds(owed) == found


def test_the_same_hour_alone() -> None:
    """Where the policy allows more of them, the hour still speaks; over midnight and the end of a week, too."""
    weekly = emergencies(2 * WEEK, WEEK, 0 * DAY)
    assert [habit.kind for habit in habits(weekly, Repeated(count=9), now=NOW)] == ["same_hour"]
    midnight = NOW.replace(hour=0, minute=10)
    near = [
        replace(each, began=midnight - ago)
        for each, ago in zip(weekly, (2 * WEEK, WEEK + 20 * MINUTE, 0 * DAY), strict=True)
    ]
    assert [habit.kind for habit in habits(near, Repeated(count=9), now=NOW)] == ["same_hour"]


def test_the_hour_is_that_of_the_wall() -> None:
    """Clocks in Berlin change on 30 March 2031: by UTC the hour differs, on the wall it is the same."""
    sundays = [datetime(2031, month, day, 22, tzinfo=BERLIN) for month, day in ((3, 23), (3, 30), (4, 6))]
    owed = [
        replace(each, began=at.astimezone(UTC)) for each, at in zip(emergencies(DAY, DAY, DAY), sundays, strict=True)
    ]
    later = sundays[-1] + DAY
    assert kinds(owed, now=later, zone=BERLIN) == ["repeated", "same_hour"]
    assert kinds(owed, now=later) == ["repeated"]


def test_it_says_what_was_found_and_what_to_do() -> None:
    """With the changes, so that anybody can look."""
    repeated, weekly = habits(emergencies(2 * WEEK, WEEK, 0 * DAY), Repeated(), now=NOW)
    assert repeated.sentence == (
        "production/orders: 3 emergencies within 30 days (CHG-1, CHG-2, CHG-3). This is not an emergency; make it a "
        "standard change: `changewindow draft CHG-3` writes a draft of it."
    )
    assert weekly.when == "an emergency each Wednesday about 12:00 UTC, in 3 of the last 4 weeks"
    assert (repeated.about, repeated.at) == ("habit:repeated:production/orders", NOW)
    assert earliest(Repeated(), NOW) == NOW - 30 * DAY
    assert earliest(Repeated(within="2d"), NOW) == NOW - 4 * WEEK - 30 * MINUTE
