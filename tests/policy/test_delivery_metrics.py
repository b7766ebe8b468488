"""What counts in which number, and out of which changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changewindow.policy.delivered import BY_HAND, NOT_KNOWN, Choice, Delivered, Span
from changewindow.policy.delivery_metrics import (
    DORA,
    MEASURES,
    OVERRUNS,
    Measured,
    compared,
    grouped,
    measured,
    percentile,
)

BEGAN = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=7)
KEPT = Delivered(
    *("CHG-1", "normal", "low", "production", ("orders",), "alice"),
    began=BEGAN,
    ended=BEGAN + 30 * MINUTE,
    asked=BEGAN - HOUR,
    closes=BEGAN + HOUR,
    longest=HOUR,
    rollback_estimate=5 * MINUTE,
)
TAKEN_BACK = replace(KEPT, change="CHG-2", has_failed=True, failing=BEGAN + 20 * MINUTE, recovered=BEGAN + 30 * MINUTE)
STUCK = replace(TAKEN_BACK, change="CHG-3", recovered=None)
TOLD = Delivered(*("CHG-4", BY_HAND, NOT_KNOWN, "production", ("orders",), "bob"), began=BEGAN, ended=BEGAN + 2 * HOUR)
EMERGENCY = replace(KEPT, change="CHG-5", type="emergency", is_unplanned=True)


def number(name: str, *rows: Delivered, length: timedelta | None = WEEK) -> Measured:
    """Return what is measured of some changes."""
    return measured(MEASURES[name], rows, length)


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        pytest.param("change_lead_time", [KEPT], (5400, 1, 1), id="lead time is from the ticket to the end"),
        pytest.param("change_lead_time", [TAKEN_BACK], (None, 0, 0), id="what was taken back has no lead time"),
        pytest.param("change_lead_time", [TOLD], (None, 0, 0), id="what was done by hand was not asked for"),
        pytest.param("change_lead_time", [EMERGENCY], (5400, 1, 1), id="an emergency has a lead time"),
        pytest.param("deployment_frequency", [KEPT, TAKEN_BACK], (2, 2, 2), id="a failed deployment is a deployment"),
        pytest.param("deployment_frequency", [KEPT, TOLD], (2, 2, 2), id="what was done by hand is a deployment"),
        pytest.param("deployment_frequency", [], (None, 0, 0), id="no deployment is no number"),
        pytest.param(
            "failed_deployment_recovery_time", [KEPT, TAKEN_BACK], (600, 1, 1), id="recovery is from the decision on"
        ),
        pytest.param(
            "failed_deployment_recovery_time", [STUCK], (None, 0, 1), id="a failed rollback has not recovered"
        ),
        pytest.param(
            "failed_deployment_recovery_time", [STUCK, TAKEN_BACK], (600, 1, 2), id="one of two has recovered"
        ),
        pytest.param("change_fail_rate", [KEPT, TAKEN_BACK], (0.5, 1, 2), id="a rollback is a failure"),
        pytest.param("change_fail_rate", [KEPT, STUCK], (0.5, 1, 2), id="a failed rollback is a failure"),
        pytest.param("change_fail_rate", [KEPT, TOLD], (0, 0, 1), id="how a record went is not known"),
        pytest.param("change_fail_rate", [TOLD], (None, 0, 0), id="records alone have no fail rate"),
        pytest.param("change_fail_rate", [EMERGENCY], (0, 0, 1), id="an emergency may fail like others"),
        pytest.param("deployment_rework_rate", [KEPT, EMERGENCY], (0.5, 1, 2), id="an emergency is rework"),
        pytest.param("deployment_rework_rate", [KEPT, TAKEN_BACK], (0, 0, 2), id="a rollback is no rework"),
        pytest.param("deployment_rework_rate", [TOLD], (0, 0, 1), id="a record without incident is no rework"),
        pytest.param(
            "deployment_rework_rate",
            [replace(TOLD, is_unplanned=True)],
            (1, 1, 1),
            id="a record that names an incident is rework",
        ),
        pytest.param("success", [KEPT, TAKEN_BACK, TOLD], (0.5, 1, 2), id="success is of what ran here"),
        pytest.param("ended_after_window", [KEPT], (0, 0, 1), id="it ended within its window"),
        pytest.param(
            "ended_after_window", [replace(KEPT, ended=BEGAN + 61 * MINUTE)], (1, 1, 1), id="it ended after its window"
        ),
        pytest.param(
            "ended_after_window", [replace(KEPT, ended=BEGAN + HOUR)], (0, 0, 1), id="at the end is not after it"
        ),
        pytest.param("ended_after_window", [TOLD], (None, 0, 0), id="a record has no window"),
        pytest.param(
            "longer_than_planned", [replace(KEPT, longest=29 * MINUTE)], (1, 1, 1), id="it took longer than planned"
        ),
        pytest.param(
            "longer_than_planned", [replace(KEPT, longest=None)], (None, 0, 0), id="a text that is lost has no plan"
        ),
        pytest.param("rollback_longer_than_estimated", [TAKEN_BACK], (1, 1, 1), id="ten minutes, five estimated"),
        pytest.param("rollback_longer_than_estimated", [STUCK], (None, 0, 0), id="a failed rollback has no end"),
    ],
)
def test_a_number_counts(name: str, rows: list[Delivered], expected: tuple[float | None, int, int]) -> None:
    """Each number has its own changes, and its own out of which it counts."""
    found = number(name, *rows)
    assert (found.value, len(found.part), len(found.whole)) == expected
    assert bool(found.why) == (found.value is None)


def test_the_frequency_is_of_the_time_that_is_known() -> None:
    """A ledger that began in the middle does not make people slower than they are."""
    assert number("deployment_frequency", KEPT, length=WEEK * 2).value == 0.5


def test_less_than_a_week_has_no_number_per_week() -> None:
    """Two changes in the first minutes of a ledger are not thousands a week; they are counted all the same."""
    found = number("deployment_frequency", KEPT, TAKEN_BACK, length=WEEK - 2 * HOUR)
    assert (found.value, found.why, len(found.part)) == (None, "less than a week to count in", 2)
    assert number("deployment_frequency", KEPT, length=WEEK - HOUR).value is not None, "clocks go forward in it"
    assert number("change_fail_rate", KEPT, TAKEN_BACK, length=3 * MINUTE).value == 0.5


def test_a_time_before_the_ledger_has_no_numbers() -> None:
    """Nothing known is not nothing done."""
    found = number("deployment_frequency", length=None)
    assert (found.value, found.why) == (None, "the ledger had not begun")


def test_few_changes_are_marked() -> None:
    """From five on a number stands for itself; without any, there is none to mark."""
    assert number("change_fail_rate", *[KEPT] * 4).is_small
    assert not number("change_fail_rate", *[KEPT] * 5).is_small
    assert not number("change_fail_rate").is_small


@pytest.mark.parametrize(
    ("value", "before", "word"),
    [(2, 1, "up"), (1, 2, "down"), (0.1 + 0.2, 0.3, "same"), (0, 0, "same"), (None, 1, ""), (1, None, "")],
)
def test_a_number_is_compared_in_a_word(value: float | None, before: float | None, word: str) -> None:
    """Up, down or same; without one of them, nothing."""
    assert compared(value, before) == word


def test_nine_of_ten_do_not_exceed_the_ninetieth_percentile() -> None:
    """It is one of the values, never one in between."""
    assert percentile(range(1, 11), 0.9) == 9
    assert percentile([7], 0.9) == 7
    assert percentile([], 0.9) is None


@pytest.mark.parametrize(
    ("choice", "is_chosen"),
    [
        (Choice(), True),
        (Choice(service="orders"), True),
        (Choice(service="order"), False),
        (Choice(environment="staging"), False),
        (Choice(owner="alice", type="normal", risk="low"), True),
        (Choice(risk="high"), False),
        (Choice(weekday=1, hour=15), True),
        (Choice(weekday=1, hour=14), False),
        (Choice(weekday=0), False),
    ],
)
def test_a_choice_is_of_all_that_it_names(choice: Choice, is_chosen: bool) -> None:  # noqa: FBT001  a table
    """The hour is that of a zone: 14:00 UTC is 15:00 in Berlin."""
    found = choice.of([KEPT], Span(BEGAN, BEGAN + HOUR), ZoneInfo("Europe/Berlin"))
    assert bool(found) is is_chosen


def test_the_hour_follows_the_clock_on_the_wall() -> None:
    """In summer the same hour of UTC is another one in Berlin."""
    summer = replace(KEPT, began=datetime(2031, 7, 18, 14, 0, tzinfo=UTC))
    span = Span(BEGAN, summer.began + HOUR)
    assert Choice(hour=16).of([KEPT, summer], span, ZoneInfo("Europe/Berlin")) == [summer]


def test_a_time_does_not_include_its_end() -> None:
    """So that what is beside it counts nothing twice."""
    span = Span(BEGAN - WEEK, BEGAN)
    assert Choice().of([KEPT], span, UTC) == []
    assert Choice().of([KEPT], Span(BEGAN, BEGAN + WEEK), UTC) == [KEPT]
    assert span.before == Span(BEGAN - 2 * WEEK, BEGAN - WEEK)


@st.composite
def deployments(draw: st.DrawFn) -> Delivered:
    """Return any deployment."""
    is_by_hand, has_failed = draw(st.booleans()), draw(st.booleans())
    began = BEGAN + timedelta(minutes=draw(st.integers(0, 10_000)))
    ended = began + timedelta(minutes=draw(st.integers(0, 100)))
    services = tuple(draw(st.sets(st.sampled_from(["orders", "shop", "web"]), min_size=1)))
    common = (f"CHG-{draw(st.integers(1, 10**9))}", BY_HAND if is_by_hand else "normal", "low", "production")
    row = Delivered(*common, services, draw(st.sampled_from("ab")), began, ended, is_unplanned=draw(st.booleans()))
    if is_by_hand:
        return row
    failing = ended if has_failed else None
    recovered = ended if has_failed and draw(st.booleans()) else None
    lengths = {"longest": draw(st.sampled_from([None, HOUR])), "rollback_estimate": draw(st.sampled_from([None, HOUR]))}
    asked = {"asked": began - HOUR, "closes": began + HOUR}
    return replace(row, has_failed=has_failed, failing=failing, recovered=recovered, **asked, **lengths)


@given(st.lists(deployments(), max_size=20))
def test_what_is_counted_is_among_those_out_of_which_it_is(rows: list[Delivered]) -> None:
    """No share is more than one, and no length of time negative."""
    for measure in MEASURES.values():
        found = measured(measure, rows, WEEK)
        assert set(found.part) <= set(found.whole) <= set(rows)
        assert found.value is None or found.value >= 0
        assert measure.unit != "share" or found.value is None or found.value <= 1


@given(st.lists(deployments(), max_size=20, unique_by=lambda row: row.change))
def test_services_add_up_to_all(rows: list[Delivered]) -> None:
    """Each change of the total is one of some service, and none is there that the total has not."""
    for measure in (*DORA, *OVERRUNS):
        total = measured(measure, rows, WEEK)
        of_services = [measured(measure, some, WEEK) for some in grouped(rows, lambda row: row.services).values()]
        assert {row.change for each in of_services for row in each.part} == {row.change for row in total.part}
        assert sum(len(each.whole) for each in of_services) == sum(len(row.services) for row in total.whole)


def test_nothing_failed_is_not_nothing_recovered() -> None:
    """Why there is no recovery time is said: of good news and of bad."""
    assert number("failed_deployment_recovery_time", KEPT).why == "no deployment failed"
    assert number("failed_deployment_recovery_time", STUCK).why == "no failed deployment has recovered"
