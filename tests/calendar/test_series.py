"""An occurrence is named by the moment at which it begins, in whatever form that is written."""

from pathlib import Path

import pytest

from changewindow.calendar.ics import read_ics
from support.calendar_files import event, timeline, write
from support.calendars import times

PARIS = ";TZID=Europe/Paris"
HOURS = ",".join(str(hour) for hour in range(24) if hour != 16)
HOURLY = (
    f"DTSTART{PARIS}:20261201T000000",
    f"DTEND{PARIS}:20261201T010000",
    f"RRULE:FREQ=DAILY;BYHOUR={HOURS};UNTIL=20261203T000000Z",
)
NIGHTS = (f"DTSTART{PARIS}:20261201T220000", f"DTEND{PARIS}:20261201T230000", "RRULE:FREQ=DAILY;COUNT=4")
FIRST, SECOND, THIRD, FOURTH = (f"2026-12-0{day} 21:00-0{day} 22:00" for day in (1, 2, 3, 4))
MOVED = ("DTSTART:20261220T190000Z", "DTEND:20261220T200000Z")
AFTER = "2026-12-20 19:00-20 20:00"
DAYS = ("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=3")


def test_an_hour_that_is_left_out_lifts_no_other(tmp_path: Path) -> None:
    """A freeze holds for every hour of the day but that one, and but the one that its rule leaves out."""
    path = write(tmp_path, event(*HOURLY, f"EXDATE{PARIS}:20261202T020000"))
    begin = [text[11:16] for text in times(timeline(path, "Europe/Paris"), "2026-12-01 23:00", "2026-12-02 23:00")]
    expected = ["23:00", *(f"{hour:02}:00" for hour in range(23) if hour not in {1, 15})]
    assert begin == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            [event(*NIGHTS, "EXDATE:20261202T210000Z")], [FIRST, THIRD, FOURTH], id="left out by its time in UTC"
        ),
        pytest.param(
            [event(*NIGHTS, "EXDATE;TZID=Asia/Tokyo:20261203T060000")],
            [FIRST, THIRD, FOURTH],
            id="left out by its time in a third zone",
        ),
        pytest.param(
            [event(*NIGHTS, "EXDATE;VALUE=DATE:20261202")], [FIRST, THIRD, FOURTH], id="left out by its local day"
        ),
        pytest.param(
            [event(*NIGHTS), event("RECURRENCE-ID:20261203T210000Z", *MOVED)],
            [FIRST, SECOND, FOURTH, AFTER],
            id="moved by its time in UTC",
        ),
        pytest.param(
            [
                event(*NIGHTS),
                event(f"RECURRENCE-ID{PARIS}:20261203T220000", "SEQUENCE:1", *MOVED),
                event("RECURRENCE-ID:20261203T210000Z", "SEQUENCE:2", *MOVED, "STATUS:CANCELLED"),
            ],
            [FIRST, SECOND, FOURTH],
            id="the newest of two that name it in different forms, cancelled",
        ),
        pytest.param(
            [
                event(*NIGHTS),
                event("RECURRENCE-ID:20261203T210000Z", "SEQUENCE:2", *MOVED),
                event(f"RECURRENCE-ID{PARIS}:20261203T220000", "SEQUENCE:1", *MOVED, "STATUS:CANCELLED"),
            ],
            [FIRST, SECOND, FOURTH, AFTER],
            id="the newest of two, which takes back that it was cancelled",
        ),
        pytest.param(
            [
                event(*NIGHTS),
                event("RECURRENCE-ID:20261203T210000Z", "DTSTAMP:20261102T000000Z", *MOVED),
                event("RECURRENCE-ID:20261203T210000Z", "DTSTAMP:20261101T000000Z", *MOVED, "STATUS:CANCELLED"),
            ],
            [FIRST, SECOND, FOURTH, AFTER],
            id="without SEQUENCE the one that was stamped last",
        ),
        pytest.param(
            [event(*NIGHTS, "EXDATE:20261203T210000Z"), event("RECURRENCE-ID:20261203T210000Z", *MOVED)],
            [FIRST, SECOND, FOURTH],
            id="what is left out is not moved either",
        ),
        pytest.param(
            [event(*NIGHTS, f"RDATE{PARIS}:20261203T220000,20261210T220000")],
            [FIRST, SECOND, THIRD, FOURTH, "2026-12-10 21:00-10 22:00"],
            id="added, one of them twice",
        ),
        pytest.param(
            [event(*NIGHTS, "RDATE:20261210T210000Z", f"EXDATE{PARIS}:20261210T220000")],
            [FIRST, SECOND, THIRD, FOURTH],
            id="added in one form and left out in another",
        ),
        pytest.param(
            [
                event(*NIGHTS, "RDATE:20261210T210000Z"),
                event(f"RECURRENCE-ID{PARIS}:20261210T220000", "DTSTART:20261211T080000Z", "DTEND:20261211T090000Z"),
            ],
            [FIRST, SECOND, THIRD, FOURTH, "2026-12-11 08:00-11 09:00"],
            id="added and moved",
        ),
        pytest.param(
            [
                event(*NIGHTS),
                event(
                    "RECURRENCE-ID;RANGE=THISANDFUTURE:20261203T210000Z",
                    f"DTSTART{PARIS}:20261203T230000",
                    f"DTEND{PARIS}:20261204T010000",
                ),
            ],
            [FIRST, SECOND, "2026-12-03 22:00-04 00:00", "2026-12-04 22:00-05 00:00"],
            id="moved with all that follow, and made longer",
        ),
        pytest.param(
            [
                event(*NIGHTS),
                event(
                    f"RECURRENCE-ID;RANGE=THISANDFUTURE{PARIS}:20261203T220000",
                    f"DTSTART{PARIS}:20261203T220000",
                    f"DTEND{PARIS}:20261203T230000",
                    "STATUS:CANCELLED",
                ),
            ],
            [FIRST, SECOND],
            id="cancelled with all that follow",
        ),
        pytest.param(
            [event(*DAYS, "EXDATE;VALUE=DATE:20261202")],
            ["2026-11-30 23:00-01 23:00", "2026-12-02 23:00-03 23:00"],
            id="a day left out of days",
        ),
    ],
)
def test_one_occurrence_is_meant(tmp_path: Path, parts: list[str], expected: list[str]) -> None:
    """The others stay as they are."""
    path = write(tmp_path, *parts)
    assert times(timeline(path, "Europe/Paris"), "2026-11-20", "2027-01-20") == expected


def test_a_file_may_name_its_zone(tmp_path: Path) -> None:
    """Google and Apple write UTC and mean the clocks of one zone; a time without a zone is in it too."""
    nightly = event("DTSTART:20261023T200000Z", "DTEND:20261023T210000Z", "RRULE:FREQ=DAILY;COUNT=3")
    once = event("DTSTART:20261028T120000", "DTEND:20261028T130000", uid="2")
    path = write(tmp_path, "X-WR-TIMEZONE:Europe/Paris\n", nightly, once)
    assert times(timeline(path, "Asia/Tokyo"), "2026-10-20", "2026-10-30") == [
        "2026-10-23 20:00-23 21:00",
        "2026-10-24 20:00-24 21:00",
        "2026-10-25 21:00-25 22:00",
        "2026-10-28 11:00-28 12:00",
    ]
    [finding] = read_ics(write(tmp_path, "X-WR-TIMEZONE:Mars/Phobos\n", nightly)).findings
    assert finding.sentence.startswith("its events cannot be expanded: ")


WARNED = [
    pytest.param(
        [event(*NIGHTS, f"EXDATE{PARIS}:20261203T210000")],
        "leaves out 2026-12-03 21:00 Europe/Paris (EXDATE), when nothing would begin. "
        "Write the time at which it begins, 2026-12-03 22:00, or remove it.",
        id="an hour too early",
    ),
    pytest.param(
        [event(*NIGHTS, "EXDATE:20261203T220000Z")],
        "leaves out 2026-12-03 22:00 UTC (EXDATE), when nothing would begin. "
        "Write the time at which it begins, 2026-12-03 22:00, or remove it.",
        id="local time written as UTC",
    ),
    pytest.param(
        [event(*NIGHTS, "EXDATE;VALUE=DATE:20261208")],
        "leaves out 2026-12-08 (EXDATE), when nothing would begin. Remove it.",
        id="a day on which nothing begins",
    ),
    pytest.param(
        [event(*NIGHTS, "EXDATE:99991231T000000Z")],
        "leaves out 9999-12-31 00:00 UTC (EXDATE), when nothing would begin. Remove it.",
        id="a time that never comes",
    ),
    pytest.param(
        [event(*NIGHTS), event(f"RECURRENCE-ID{PARIS}:20261208T220000", *MOVED)],
        "replaces the occurrence of 2026-12-08 22:00 Europe/Paris (RECURRENCE-ID), when nothing would begin; "
        "it happens beside the others. Remove it.",
        id="nothing is replaced",
    ),
]


@pytest.mark.parametrize(("parts", "expected"), WARNED)
def test_a_name_for_no_occurrence_is_a_warning(tmp_path: Path, parts: list[str], expected: str) -> None:
    """The calendar can be used; what was meant may not be what it says."""
    read = read_ics(write(tmp_path, *parts))
    assert read.calendar is not None
    lines = [f"{finding.sentence}. {finding.remedy}" for finding in read.findings if finding.is_warning]
    assert lines == [f"the event 'Some' {expected}"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            [event(*NIGHTS), event("RECURRENCE-ID;VALUE=DATE:20261203", *MOVED)],
            "11: the event 'Some' has a RECURRENCE-ID that is a day, 2026-12-03, but the event begins at a time. "
            "Write it like DTSTART, which is 2026-12-01 22:00 Europe/Paris.",
            id="a timed occurrence named by its day",
        ),
        pytest.param(
            [event(*DAYS), event("RECURRENCE-ID:20261202T000000Z", "DTSTART;VALUE=DATE:20261220")],
            "10: the event 'Some' has a RECURRENCE-ID that is a time, 2026-12-02 00:00 UTC, but the event begins at "
            "a day. Write it like DTSTART, which is 2026-12-01.",
            id="a day named by a time",
        ),
        pytest.param(
            [event(*NIGHTS, "RDATE;VALUE=DATE:20261210")],
            "4: the event 'Some' has an RDATE that is a day, 2026-12-10, but the event begins at a time. "
            "Write it like DTSTART, which is 2026-12-01 22:00 Europe/Paris.",
            id="a day added to times",
        ),
        pytest.param(
            [event(*NIGHTS), event("RECURRENCE-ID;RANGE=THISANDPRIOR:20261203T210000Z", *MOVED)],
            "11: the event 'Some' has a RECURRENCE-ID with RANGE=THISANDPRIOR. Write RANGE=THISANDFUTURE, or no RANGE.",
            id="a range that is no more",
        ),
        pytest.param(
            [
                event(*NIGHTS),
                event("RECURRENCE-ID:20261203T210000Z", *MOVED),
                event(f"RECURRENCE-ID{PARIS}:20261203T220000", *MOVED, "STATUS:CANCELLED"),
            ],
            "11: the event 'Some' and another one replace the occurrence of 2026-12-03 21:00 UTC, and neither is "
            "newer. Remove one of them, or give the right one a higher SEQUENCE.",
            id="two of which neither is newer",
        ),
    ],
)
def test_a_name_that_may_mean_anything_is_refused(tmp_path: Path, parts: list[str], expected: str) -> None:
    """Nobody may rely on a window that might not be meant."""
    read = read_ics(write(tmp_path, *parts))
    assert read.calendar is None
    assert [f"{finding.line}: {finding.sentence}. {finding.remedy}" for finding in read.findings] == [expected]
