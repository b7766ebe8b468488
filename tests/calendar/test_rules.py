"""Repeat rules that make no sense, or too many occurrences, are refused in words."""

import re
import time
from datetime import datetime

import pytest

from changewindow.calendar.recurrence import check_length, check_start, parse_rule

MONDAY = datetime(2026, 1, 5, 22)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH",
        "FREQ=MONTHLY;BYDAY=1SU",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=-1",
        "FREQ=DAILY;BYHOUR=6,18;BYMINUTE=30",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;COUNT=10",
        "FREQ=DAILY;UNTIL=20261231T225959Z",
    ],
)
def test_rules_that_people_write_are_taken(rule: str) -> None:
    """They are kept as they are. Capitals do not matter.."""
    assert parse_rule(rule) == rule
    assert parse_rule(f" {rule.lower()} ") == rule


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "'' is not part of a repeat rule. Write it like FREQ=WEEKLY;BYDAY=MO,TU."),
        ("every monday", "'EVERY MONDAY' is not part of a repeat rule. Write it like FREQ=WEEKLY;BYDAY=MO,TU."),
        ("FREQ=DAILY;BYDAYS=MO", "'BYDAYS=MO' is not part of a repeat rule. Did you mean BYDAY=…?"),
        ("FREQ=DAILY;COUNT=1;COUNT=2", "COUNT is given twice. Remove one of them."),
        ("BYDAY=MO", "the repeat rule has no FREQ. Write FREQ=DAILY, FREQ=WEEKLY, FREQ=MONTHLY or FREQ=YEARLY."),
        ("FREQ=NIGHTLY", "'NIGHTLY' is not a frequency. Write FREQ=DAILY, FREQ=WEEKLY, FREQ=MONTHLY or FREQ=YEARLY."),
        ("FREQ=SECONDLY", "FREQ=SECONDLY repeats too often. Write FREQ=DAILY, with BYHOUR for several times a day."),
        ("FREQ=DAILY;BYMINUTE=0,1", "BYMINUTE=0,1 has several values. Write one."),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is not possible. Write 0 to 23."),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is not possible. Write 1 to 10000."),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32 is not possible. Write 1 to 31, or -31 to -1 from the end."),
        ("FREQ=MONTHLY;BYMONTHDAY=", "BYMONTHDAY= is not possible. Write 1 to 31, or -31 to -1 from the end."),
        ("FREQ=WEEKLY;BYDAY=MON", "BYDAY=MON is not a day. Write MO, TU, WE, TH, FR, SA or SU."),
        ("FREQ=WEEKLY;WKST=1MO", "WKST=1MO is not a day. Write MO, TU, WE, TH, FR, SA or SU."),
        (
            "FREQ=WEEKLY;BYDAY=1MO",
            "BYDAY=1MO makes no sense with FREQ=WEEKLY. Write the days without numbers, or FREQ=MONTHLY.",
        ),
        (
            "FREQ=WEEKLY;BYMONTHDAY=1",
            "BYMONTHDAY makes no sense with FREQ=WEEKLY. Use it with FREQ=DAILY or FREQ=MONTHLY or FREQ=YEARLY.",
        ),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO makes no sense with FREQ=MONTHLY. Use it with FREQ=YEARLY."),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS has nothing to choose from. Add BYDAY or BYMONTHDAY, or remove it."),
        (
            "FREQ=DAILY;UNTIL=20261231",
            "UNTIL=20261231 is not a moment in UTC. Write it like UNTIL=20261231T225959Z.",
        ),
        (
            "FREQ=DAILY;UNTIL=20261231T235959",
            "UNTIL=20261231T235959 is not a moment in UTC. Write it like UNTIL=20261231T225959Z.",
        ),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261231T000000Z", "COUNT and UNTIL exclude each other. Remove one of them."),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: str, message: str) -> None:
    """The sentence says what is wrong, and what to write."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_rule(rule)


def test_an_end_in_no_calendar_is_refused() -> None:
    """UNTIL has to be a moment that exists."""
    with pytest.raises(ValueError, match=r"^UNTIL=20260231T000000Z is not a real date"):
        parse_rule("FREQ=DAILY;UNTIL=20260231T000000Z")


def test_a_start_has_to_be_an_occurrence_of_its_rule() -> None:
    """Whether another start happens is undefined; the nearest is offered."""
    check_start("FREQ=WEEKLY;BYDAY=MO,TU", MONDAY)
    message = (
        "2026-01-05 22:00, a Monday, is no occurrence of FREQ=WEEKLY;BYDAY=FR. "
        "Start at 2026-01-09 22:00, or correct the rule."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_start("FREQ=WEEKLY;BYDAY=FR", MONDAY)


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=5MO"])
def test_a_rule_that_no_day_fulfils_is_found(rule: str) -> None:
    """Looking for a day ends with the calendar, after seconds rather than hours."""
    began = time.process_time()
    with pytest.raises(ValueError, match=r"^no day matches FREQ=.*\. Correct the rule\.$"):
        check_start(rule, MONDAY)
    assert time.process_time() - began < 30


@pytest.mark.parametrize(
    ("rule", "end", "sentence"),
    [
        ("FREQ=DAILY", datetime(2026, 1, 6, 22), None),
        ("FREQ=DAILY", datetime(2026, 1, 6, 23), "it lasts 1d 1h, but begins again after 1d"),
        ("FREQ=WEEKLY;BYDAY=MO,TH", datetime(2026, 1, 9, 8), "it lasts 3d 10h, but begins again after 3d"),
        ("FREQ=DAILY;BYHOUR=22,23", datetime(2026, 1, 6, 0), "it lasts 2h, but begins again after 1h"),
        ("FREQ=DAILY;COUNT=1", datetime(2026, 1, 8), "it lasts 2d 2h, but begins again after 1d"),
    ],
)
def test_occurrences_do_not_overlap(rule: str, end: datetime, sentence: str | None) -> None:
    """One that begins when the last ends is fine."""
    if sentence is None:
        check_length(rule, MONDAY, end)
        return
    with pytest.raises(ValueError, match=rf"^{sentence}\. Let it end earlier, or repeat less often\.$"):
        check_length(rule, MONDAY, end)
