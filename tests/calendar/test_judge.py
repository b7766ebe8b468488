"""Everything the calendar has against a time is said, with the next time that it allows."""

from typing import Any

import pytest

from changewindow.calendar.objections import objections
from changewindow.calendar.scope import Scope, Span
from changewindow.documents.findings import Finding
from support.calendars import FRIDAY, NIGHTLY, at, once, schedule, scope, span

HOLDS = (
    "the freeze 'Friday afternoon' holds from 2026-11-27 12:00 to 2026-11-28 00:00 Europe/Berlin (11:00 to 23:00 UTC)"
)
AFTER = "Ask for a window from 2026-11-28 00:00 Europe/Berlin (2026-11-27 23:00 UTC) on."
BEGINS = "the freeze 'Friday afternoon' begins 2026-11-27 12:00 Europe/Berlin (11:00 UTC)"
ON_TIME = "Start on time: a second attempt may not fit before it."
EXEMPT = {**FRIDAY, "warn": "0s", "exceptions": [{"name": "agreed with on-call", "services": ["payments"]}]}


def against(sentence: str, remedy: str, *, is_warning: bool = False) -> Finding:
    """Return what the calendar has against the window."""
    return Finding("calendar_allows", sentence, remedy, ("window",), is_warning=is_warning)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(span("2026-11-26 10:00"), [], id="a Thursday is fine"),
        pytest.param(
            span("2026-11-27 10:10"),
            [against(f"{HOLDS}; the watch would end 12:10", AFTER)],
            id="a watch that ends after noon is not",
        ),
        pytest.param(
            span("2026-11-27 13:00"),
            [against(f"{HOLDS}; the change would start 14:00", AFTER)],
            id="a start in the afternoon is not",
        ),
        pytest.param(
            span("2026-11-27 10:00"),
            [against(f"{BEGINS}, right after the end of the watch", ON_TIME, is_warning=True)],
            id="a watch that ends at noon is fine, with a warning",
        ),
        pytest.param(
            span("2026-11-27 07:00"),
            [against(f"{BEGINS}, 3h after the end of the watch", ON_TIME, is_warning=True)],
            id="a start exactly as long before as warned of is warned",
        ),
        pytest.param(span("2026-11-27 06:59"), [], id="a start earlier than warned of is fine"),
        pytest.param(span("2026-11-27 23:00"), [], id="a start at midnight is fine"),
        pytest.param(
            span("2026-11-27 08:30", watch=30, back=600),
            [against(f"{BEGINS}, 2h after the end of the watch", ON_TIME, is_warning=True)],
            id="the rollback may run into a freeze",
        ),
    ],
)
def test_a_freeze_that_repeats(asked: Span, expected: list[Finding]) -> None:
    """Watches have to end before it; the time of its zone decides."""
    assert objections(schedule(FRIDAY), scope(), asked) == expected


@pytest.mark.parametrize(
    ("who", "is_frozen"),
    [
        pytest.param(scope("orders"), True, id="a normal change is frozen"),
        pytest.param(scope("orders", change_type="standard"), False, id="a standard change is not meant"),
        pytest.param(scope("orders", change_type="emergency"), False, id="an emergency skips the calendar"),
        pytest.param(scope("payments"), False, id="an exempted service is not frozen"),
        pytest.param(scope("payments", "orders"), True, id="beside one that is not exempted, it is"),
    ],
)
def test_whom_a_freeze_holds_for(who: Scope, *, is_frozen: bool) -> None:
    """Type and exceptions decide."""
    assert bool(objections(schedule(EXEMPT), who, span("2026-11-27 13:00"))) == is_frozen


def test_services_that_are_not_exempted_are_named() -> None:
    """Whoever reads it knows which service to leave out."""
    [finding] = objections(schedule(EXEMPT), scope("payments", "orders", "search"), span("2026-11-27 13:00"))
    assert finding.sentence.startswith(
        "the freeze 'Friday afternoon' holds for orders and search from 2026-11-27 12:00"
    )


@pytest.mark.parametrize(
    ("exemption", "who", "is_frozen"),
    [
        ({"environments": ["staging"]}, scope(environment="staging"), False),
        ({"environments": ["staging"]}, scope(), True),
        ({"types": ["standard"]}, scope(change_type="standard"), False),
        ({"changes": ["CHG-1042"]}, scope(change="CHG-1042"), False),
        ({"changes": ["CHG-1042"]}, scope(change="CHG-1043"), True),
        ({"changes": ["CHG-1042"], "services": ["orders"]}, scope(change="CHG-1042"), False),
        ({"changes": ["CHG-1042"], "services": ["search"]}, scope(change="CHG-1042"), True),
    ],
)
def test_all_lists_of_an_exception_have_to_match(exemption: dict[str, Any], who: Scope, *, is_frozen: bool) -> None:
    """A list that is not given matches everything."""
    freeze = once("2026-12-01 00:00", "2026-12-02 00:00", exceptions=[{"name": "agreed", **exemption}])
    assert bool(objections(schedule(freeze), who, span("2026-12-01 12:00"))) == is_frozen


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(span("2026-11-24 21:00"), [], id="within the window"),
        pytest.param(span("2026-11-24 23:50"), [], id="up to its very end"),
        pytest.param(
            span("2026-11-24 23:51"),
            [
                against(
                    "the window of orders ('Nightly') closes 2026-11-25 02:00 Europe/Berlin (01:00 UTC); "
                    "with its rollback, the change may last until 02:01",
                    "Ask for a window from 2026-11-25 22:00 to 2026-11-26 02:00 Europe/Berlin "
                    "(21:00 to 2026-11-26 01:00 UTC).",
                )
            ],
            id="a minute too long",
        ),
        pytest.param(
            span("2026-11-24 12:00"),
            [
                against(
                    "no window of orders ('Nightly') is open at 2026-11-24 13:00 Europe/Berlin (12:00 UTC), "
                    "when the change would start",
                    "Ask for a window from 2026-11-24 22:00 to 2026-11-25 02:00 Europe/Berlin "
                    "(21:00 to 2026-11-25 01:00 UTC).",
                )
            ],
            id="in the middle of the day",
        ),
    ],
)
def test_a_service_with_a_window_is_closed_outside_of_it(asked: Span, expected: list[Finding]) -> None:
    """The rollback has to fit, too."""
    assert objections(schedule(windows=(NIGHTLY,)), scope(), asked) == expected


@pytest.mark.parametrize(
    ("who", "default", "is_open"),
    [
        pytest.param(scope("search"), "open", True, id="open by default"),
        pytest.param(scope("search"), "closed", False, id="closed by default"),
        pytest.param(scope("orders", environment="staging"), "closed", False, id="a window elsewhere does not count"),
        pytest.param(scope("orders", "search"), "open", False, id="all services have to be open"),
    ],
)
def test_the_default_is_for_services_without_a_window(who: Scope, default: str, *, is_open: bool) -> None:
    """A service that has a window never falls back to it."""
    calendar = schedule(windows=(NIGHTLY,), default=default)
    assert (not objections(calendar, who, span("2026-11-24 12:00"))) == is_open


def test_a_service_that_is_never_open_is_said_so() -> None:
    """There is no time to offer then."""
    assert objections(schedule(default="closed"), scope("search", "orders"), span("2026-11-24 12:00")) == [
        against(
            "no window is defined for search and orders in production, and the calendar's default is closed",
            "No time of 1h10m is open within two years; ask whoever maintains the calendar.",
        )
    ]


def test_windows_add_up() -> None:
    """Any open window suffices, and those that adjoin are one."""
    first = once("2026-11-24 10:00", "2026-11-24 11:00")
    second = once("2026-11-24 11:00", "2026-11-24 12:00", name="Second")
    assert objections(schedule(windows=(first, second)), scope(), span("2026-11-24 10:30")) == []
    assert objections(schedule(windows=(first,)), scope(), span("2026-11-24 10:30")) != []


def test_a_freeze_wins_over_a_window() -> None:
    """Every objection is said, not only the first; all offer the time at which none is left."""
    christmas = once("2026-12-19 00:00", "2027-01-04 00:00", name="Christmas", zone="Europe/Berlin")
    holiday = {"name": "Public holidays", "holidays": "DE", "zone": "Europe/Berlin"}
    calendar = schedule(holiday, christmas, windows=(NIGHTLY,))
    findings = objections(calendar, scope(), span("2027-01-01 12:00"))
    assert [finding.sentence.split(" holds ")[0].split(" is open ")[0] for finding in findings] == [
        "no window of orders ('Nightly')",
        "the freeze 'Christmas'",
        "the freeze 'Public holidays' (New Year's Day)",
    ]
    assert {finding.remedy for finding in findings} == {
        "Ask for a window from 2027-01-04 22:00 to 2027-01-05 02:00 Europe/Berlin (21:00 to 2027-01-05 01:00 UTC)."
    }


def test_a_change_around_a_short_freeze_is_refused() -> None:
    """It meets the freeze though neither its start nor its end lies within."""
    freeze = once("2026-12-01 12:00", "2026-12-01 12:10")
    [finding] = objections(schedule(freeze), scope(), span("2026-12-01 11:30"))
    assert finding.sentence == ("the freeze 'Once' holds from 2026-12-01 12:00 to 12:10 UTC; the watch would end 12:30")
    assert finding.remedy == "Ask for a window from 2026-12-01 12:10 UTC on."


def test_the_night_clocks_are_put_back_is_as_long_as_it_is() -> None:
    """A window of four hours on the clock lasts five, and all of them may be used."""
    night = once("2026-10-25 00:00", "2026-10-25 04:00", zone="Europe/Berlin")
    whole = Span(at("2026-10-24 22:00"), at("2026-10-25 02:00"), at("2026-10-25 03:00"))
    assert objections(schedule(windows=(night,)), scope(), whole) == []


def test_a_time_out_of_order_is_refused() -> None:
    """Nothing would be left to judge, and nothing is never good."""
    with pytest.raises(ValueError, match=r"are not in order; hand over start, watch, end$"):
        Span(at("2026-12-01 12:00"), at("2026-12-01 11:00"), at("2026-12-01 13:00"))


def test_a_change_of_no_service_is_refused() -> None:
    """No window and no freeze would be meant."""
    with pytest.raises(ValueError, match=r"^the change names no service; hand over at least one$"):
        Scope("production", (), "normal")
