"""iCalendar files are read as RFC 5545 says; every mistake in them is found."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changewindow.calendar.ics import read_ics
from changewindow.documents.findings import are_errors
from support.calendar_files import event, timeline, write
from support.calendars import times

PLANT = """BEGIN:VTIMEZONE
TZID:Our Plant
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
"""
NIGHT = ("DTSTART:20260328T220000Z", "DTEND:20260329T040000Z")
ELSEWHERE = PLANT.replace("+0200", "+0700").replace("+0100", "+0600")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([event(*NIGHT)], ["2026-03-28 22:00-29 04:00"], id="a single event in UTC"),
        pytest.param(
            [event("DTSTART:20260328T220000", "DTEND:20260329T040000")],
            ["2026-03-28 21:00-29 02:00"],
            id="a floating time is meant in the zone of the entry",
        ),
        pytest.param(
            [
                event(
                    "DTSTART:20260328T220000",
                    "DTEND:20260328T230000",
                    "RRULE:FREQ=DAILY;UNTIL=20260330T220000",
                    "EXDATE:20260329T220000",
                )
            ],
            ["2026-03-28 21:00-28 22:00", "2026-03-30 20:00-30 21:00"],
            id="floating times repeat by the clock",
        ),
        pytest.param(
            [event("DTSTART;TZID=America/New_York:20260328T220000", "DTEND;TZID=America/New_York:20260328T230000")],
            ["2026-03-29 02:00-29 03:00"],
            id="a zone of the zone database",
        ),
        pytest.param(
            [
                event(
                    "DTSTART;TZID=W. Europe Standard Time:20260328T220000",
                    "DTEND;TZID=W. Europe Standard Time:20260328T230000",
                    "RRULE:FREQ=DAILY;COUNT=2",
                )
            ],
            ["2026-03-28 21:00-28 22:00", "2026-03-29 20:00-29 21:00"],
            id="a zone by its name on Windows",
        ),
        pytest.param(
            [
                PLANT,
                event(
                    "DTSTART;TZID=Our Plant:20260328T023000",
                    "DTEND;TZID=Our Plant:20260328T043000",
                    "RRULE:FREQ=DAILY;COUNT=3",
                ),
            ],
            ["2026-03-28 01:30-28 03:30", "2026-03-29 01:30-29 02:30", "2026-03-30 00:30-30 02:30"],
            id="a zone that the file defines, through the hour that clocks skip",
        ),
        pytest.param(
            [event("DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260330")],
            ["2026-03-27 23:00-29 22:00"],
            id="whole days are local days",
        ),
        pytest.param(
            [event("DTSTART;VALUE=DATE:20260328", "RRULE:FREQ=WEEKLY;UNTIL=20260404")],
            ["2026-03-27 23:00-28 23:00", "2026-04-03 22:00-04 22:00"],
            id="a day without end is one day",
        ),
        pytest.param(
            [event("DTSTART:20260328T023000Z", "DURATION:PT2H")], ["2026-03-28 02:30-28 04:30"], id="a duration"
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260329T220000Z")],
            ["2026-03-28 22:00-29 04:00", "2026-03-30 22:00-31 04:00"],
            id="a date left out",
        ),
        pytest.param(
            [event(*NIGHT, "RDATE:20260401T100000Z", "RDATE;VALUE=PERIOD:20260402T100000Z/PT1H")],
            ["2026-03-28 22:00-29 04:00", "2026-04-01 10:00-01 16:00", "2026-04-02 10:00-02 11:00"],
            id="dates added, one with its own length",
        ),
        pytest.param(
            [
                event(*NIGHT, "RRULE:FREQ=DAILY;COUNT=3"),
                event("RECURRENCE-ID:20260329T220000Z", "DTSTART:20260329T100000Z", "DTEND:20260329T110000Z"),
                event(
                    "RECURRENCE-ID:20260330T220000Z",
                    "DTSTART:20260330T220000Z",
                    "DTEND:20260331T040000Z",
                    "STATUS:CANCELLED",
                ),
            ],
            ["2026-03-28 22:00-29 04:00", "2026-03-29 10:00-29 11:00"],
            id="one occurrence moved, one cancelled",
        ),
        pytest.param([event(*NIGHT, "STATUS:CANCELLED")], [], id="a cancelled event"),
        pytest.param(
            [
                event("DTSTART:20260328T230000Z", "DTEND:20260329T010000Z"),
                event("DTSTART;VALUE=DATE:20260401", uid="2"),
                event("DTSTART:20260405T120000", "DURATION:PT1H", uid="3"),
            ],
            ["2026-03-28 23:00-29 01:00", "2026-03-31 22:00-01 22:00", "2026-04-05 10:00-05 11:00"],
            id="events of every kind",
        ),
    ],
)
def test_events_are_occurrences(tmp_path: Path, parts: list[str], expected: list[str]) -> None:
    """Each is said in UTC."""
    assert times(timeline(write(tmp_path, *parts)), "2026-03-20", "2026-04-20") == expected


def test_a_day_can_be_left_out_of_a_file(tmp_path: Path) -> None:
    """The day is the one of the entry's zone on which an occurrence would begin, whatever the zone in the file."""
    path = write(tmp_path, event(*NIGHT, "RRULE:FREQ=DAILY;COUNT=3"))
    occurrences = times(timeline(path, zone="Asia/Tokyo", except_on=["2026-03-29"]), "2026-03-20", "2026-04-20")
    assert occurrences == ["2026-03-29 22:00-30 04:00", "2026-03-30 22:00-31 04:00"]


def test_two_files_may_call_different_zones_by_one_name(tmp_path: Path) -> None:
    """A zone that a file defines is its own; a third file does not know it."""
    times_of_plant = event("DTSTART;TZID=Our Plant:20260105T120000", "DTEND;TZID=Our Plant:20260105T130000")
    first, second = write(tmp_path, PLANT, times_of_plant), write(tmp_path, ELSEWHERE, times_of_plant, name="other.ics")
    assert times(timeline(first), "2026-01-01", "2026-02-01") == ["2026-01-05 11:00-05 12:00"]
    assert times(timeline(second), "2026-01-01", "2026-02-01") == ["2026-01-05 06:00-05 07:00"]
    third = read_ics(write(tmp_path, times_of_plant, name="third.ics"))
    assert [finding.sentence for finding in third.findings] == ["the event 'Some' names the unknown zone 'Our Plant'"]


EVENT = "the event 'Some'"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([], ["1: it has no events. Add one, or remove the entry from calendar.yaml."], id="no events"),
        pytest.param(
            [event("DTSTART:20260328T023000Z")], [f"4: {EVENT} has no end. Add DTEND or DURATION."], id="no end"
        ),
        pytest.param([event("DTEND:20260328T023000Z")], [f"4: {EVENT} has no DTSTART. Add it."], id="no start"),
        pytest.param(
            [event("DTSTART:20260328T023000Z", "DTEND:20260328T023000Z")],
            [f"4: {EVENT} does not end after it starts. Correct DTSTART, DTEND or DURATION."],
            id="an end that is no later than the start",
        ),
        pytest.param(
            [event("DTSTART;VALUE=DATE:20260328", "DTEND:20260330T000000Z")],
            [
                (
                    f"4: {EVENT} has no readable start and end: "
                    "DTSTART and DTEND must be of the same type, either date or datetime. "
                    "Correct DTSTART, DTEND or DURATION."
                )
            ],
            id="a day that ends at a time",
        ),
        pytest.param(
            [event("DTSTART:tomorrow", "DTEND:20260329T040000Z")],
            [f"4: {EVENT} has a DTSTART that cannot be read: "],
            id="a start in words",
        ),
        pytest.param(
            [event("DTSTART:PT2H", "DTEND:20260329T040000Z")],
            [f"4: {EVENT} has a DTSTART that is neither a date nor a time. Correct it."],
            id="a start that is a length of time",
        ),
        pytest.param(
            [event(*NIGHT, "DTSTART:20260328T230000Z")], [f"4: {EVENT} has several DTSTART. Keep one."], id="two starts"
        ),
        pytest.param(
            [event(*NIGHT, "RDATE:garbage")],
            [f"4: {EVENT} has a RDATE that cannot be read: Expected time, got: garbage. Correct it."],
            id="an added date that is none",
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:FREQ=SOMETIMES")],
            [f"4: {EVENT} has a RRULE that cannot be read: Expected frequency, got: SOMETIMES. Correct it."],
            id="a rule that is none",
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:FREQ=SECONDLY")],
            [
                (
                    f"4: {EVENT} has the RRULE FREQ=SECONDLY: FREQ=SECONDLY repeats too often. "
                    "Write FREQ=DAILY, with BYHOUR for several times a day."
                )
            ],
            id="a rule for millions of occurrences",
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:COUNT=3")],
            [f"4: {EVENT} has the RRULE COUNT=3: the repeat rule has no FREQ. "],
            id="a rule without frequency",
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:FREQ=WEEKLY;BYDAY=MO")],
            [f"4: {EVENT} has the RRULE FREQ=WEEKLY;BYDAY=MO: 2026-03-28 22:00, a Saturday, is no occurrence of "],
            id="a start that its rule does not know",
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:FREQ=DAILY;UNTIL=20260401")],
            [f"4: {EVENT} has the RRULE FREQ=DAILY;UNTIL=20260401: UNTIL=20260401 is not a moment in UTC. "],
            id="an end by day for an event by time",
        ),
        pytest.param(
            [event("DTSTART;VALUE=DATE:20260328", "RRULE:FREQ=DAILY;UNTIL=20260401T000000Z")],
            [
                (
                    f"4: {EVENT} has the RRULE FREQ=DAILY;UNTIL=20260401T000000Z: "
                    "UNTIL=20260401T000000Z is not of the kind "
                    "of DTSTART. Write it like UNTIL=20261231."
                )
            ],
            id="an end by time for an event by day",
        ),
        pytest.param(
            [event(*NIGHT, "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY")],
            [f"4: {EVENT} has several rules. Keep one RRULE; write single days as RDATE and EXDATE."],
            id="two rules",
        ),
        pytest.param(
            [event("DTSTART;TZID=Mars/Phobos:20260324T220000", "DTEND;TZID=Mars/Phobos:20260324T230000")],
            [f"4: {EVENT} names the unknown zone 'Mars/Phobos'. Define it in a VTIMEZONE, or use an IANA name."],
            id="an unknown zone",
        ),
        pytest.param(
            [event(*NIGHT, "EXDATE;TZID=Mars/Phobos:20260324T220000")],
            [f"4: {EVENT} names the unknown zone 'Mars/Phobos'. "],
            id="an unknown zone of a date left out",
        ),
        pytest.param(
            [event(*NIGHT).replace("UID:1\n", "")],
            [f"4: {EVENT} has no UID. Add one, like UID:1@example.com."],
            id="no UID",
        ),
        pytest.param(
            [event(*NIGHT), event(*NIGHT)], ["1: 2 events have the UID '1'. Give each its own."], id="one UID for two"
        ),
        pytest.param(
            [PLANT.replace("FREQ=YEARLY;BYMONTH=3", "FREQ=SECONDLY;BYMONTH=3"), event(*NIGHT)],
            ["4: the zone 'Our Plant': FREQ=SECONDLY repeats too often. "],
            id="a zone with a rule for millions of changes",
        ),
        pytest.param(
            [PLANT.replace("FREQ=YEARLY;BYMONTH=3", "FREQ=MONTHLY;BYMONTH=3"), event(*NIGHT)],
            ["4: the zone 'Our Plant' has a rule that is not yearly. Use FREQ=YEARLY."],
            id="a zone that changes its clocks by the month",
        ),
        pytest.param(
            ["BEGIN:VTIMEZONE\nTZID:Foo\nEND:VTIMEZONE\n", event(*NIGHT)],
            ["1: it is not iCalendar: "],
            id="a zone that defines nothing",
        ),
        pytest.param(
            ["BEGIN:VEVENT\n"], ["1: it holds 0 complete calendars, 1 needed. "], id="an event without its end"
        ),
        pytest.param(["hello\n"], ["1: it is not iCalendar: "], id="a line that is none"),
        pytest.param(
            [event("DTSTART:20260328T023000Z"), event("DTEND:20260328T023000Z", uid="2")],
            [f"4: {EVENT} has no end. ", f"9: {EVENT} has no DTSTART. "],
            id="a mistake in each event",
        ),
    ],
)
def test_every_mistake_is_found(tmp_path: Path, parts: list[str], expected: list[str]) -> None:
    """It is said with its line, and what to do now; nothing is raised."""
    read = read_ics(write(tmp_path, *parts))
    lines = [f"{finding.line}: {finding.sentence}. {finding.remedy}" for finding in read.findings]
    assert read.calendar is None
    assert len(lines) == len(expected)
    assert [line for line, start in zip(lines, expected, strict=True) if not line.startswith(start)] == []


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"BEGIN:VCARD\r\nEND:VCARD\r\n", b"<html></html>"])
def test_a_file_of_another_kind_is_a_mistake(tmp_path: Path, raw: bytes) -> None:
    """Whatever stands there, nothing is raised."""
    path = tmp_path / "some.ics"
    path.write_bytes(raw)
    assert len(read_ics(path).findings) == 1


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_a_file_raises(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever line is lost, doubled or mixed up: there are findings, or occurrences."""
    parts = PLANT + event(*NIGHT, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260329T220000Z", "RDATE:20260401T100000Z")
    lines = (
        write(tmp_path, parts + event("DTSTART;VALUE=DATE:20260328", "DURATION:P1D", uid="2")).read_text().splitlines()
    )
    at_line, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    name, value = lines[at_line].partition(":")[0], lines[other].partition(":")[2]
    lines[at_line : at_line + 1] = data.draw(st.sampled_from([[], [lines[at_line]] * 2, [f"{name}:{value}"], [value]]))
    path = tmp_path / "some.ics"
    path.write_text("\n".join(lines), encoding="utf-8")
    read = read_ics(path)
    assert (read.calendar is None) == are_errors(read.findings)
    if read.calendar is not None:
        times(timeline(path, is_good=False), "2026-03-20", "2026-04-20")
