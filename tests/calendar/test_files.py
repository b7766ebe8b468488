"""A calendar is read whole, or every mistake in its files is found."""

import re
from datetime import date
from pathlib import Path

import pytest

from changewindow.calendar.files import load_calendar
from changewindow.calendar.intervals import Interval
from support.calendars import POLICY, at, scope

HEAD = "zone: Europe/Berlin\ndefault: open\n"
START = "    start: 2026-01-05 22:00\n"
END = "    end: 2026-01-06 02:00\n"


def findings(folder: Path, text: str) -> list[str]:
    """Return the findings of a calendar."""
    (folder / "calendar.yaml").write_text(text, encoding="utf-8")
    loaded = load_calendar(folder)
    assert (loaded.schedule is None) == bool(loaded.findings)
    return [finding.text("calendar.yaml") for finding in loaded.findings]


def entry(lines: str, part: str = "windows") -> str:
    """Return a calendar of one entry."""
    return f"{HEAD}{part}:\n  - name: Nightly\n{lines}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "windows: []\n",
            [
                "1: 'zone' is missing. Add it. IANA name of the time zone of every entry that names none.",
                "1: 'default' is missing. Add it. Whether a service for which no window is defined may always be",
            ],
            id="without zone and default",
        ),
        pytest.param(
            "zone: Europe/Berlin\ndefault: opne\n",
            ["2: default: 'opne' is not allowed. Did you mean 'open'?"],
            id="a misspelt default",
        ),
        pytest.param(
            entry(""),
            ["4: windows.0: it never happens. Add `start` and `end`, `file`, or `holidays`."],
            id="an entry that never happens",
        ),
        pytest.param(
            entry(START + END + "    holidays: DE\n"),
            ["4: windows.0: `start` and `holidays` exclude each other. Keep one of them."],
            id="an entry with two sources",
        ),
        pytest.param(
            entry("    holidays: DE\n    repeat: FREQ=DAILY\n"),
            ["4: windows.0: `end` and `repeat` have no meaning with `holidays`. Remove them."],
            id="holidays repeat by themselves",
        ),
        pytest.param(
            entry(START), ["4: windows.0: it has a `start` but no `end`. Add `end`."], id="a start without end"
        ),
        pytest.param(
            entry(START + "    end: 2026-01-05 22:00\n"),
            ["6: windows.0.end: it ends before it starts. Correct `start` or `end`."],
            id="an end that is no later than the start",
        ),
        pytest.param(
            entry(START + END + "    repeat: FREQ=WEEKLY;BYDAY=TU\n"),
            [
                (
                    "7: windows.0.repeat: 2026-01-05 22:00, a Monday, is no occurrence of FREQ=WEEKLY;BYDAY=TU. "
                    "Start at 2026-01-06 22:00, or correct the rule."
                )
            ],
            id="a start that its rule does not know",
        ),
        pytest.param(
            entry(START + "    end: 2026-01-07 02:00\n    repeat: FREQ=DAILY\n"),
            [
                (
                    "7: windows.0.repeat: it lasts 1d 4h, but begins again after 1d. "
                    "Let it end earlier, or repeat less often."
                )
            ],
            id="an occurrence longer than its period",
        ),
        pytest.param(
            entry(START + END + "    repeat: FREQ=MINUTELY\n"),
            [
                (
                    "7: windows.0.repeat: FREQ=MINUTELY repeats too often. "
                    "Write FREQ=DAILY, with BYHOUR for several times a day."
                )
            ],
            id="a rule for millions of occurrences",
        ),
        pytest.param(
            entry(START + END + "    repeat: FREQ=DAILY\n    except_on: [2026-01-04, 24.12.2026, 2026-02-30]\n"),
            [
                "8: windows.0.except_on.1: '24.12.2026' is not a day. Write it like 2026-12-24.",
                (
                    "8: windows.0.except_on.2: '2026-02-30' is not a real date (day is out of range for month). "
                    "Write it like 2026-12-24."
                ),
            ],
            id="days that are none",
        ),
        pytest.param(
            entry(START + END + "    except_on: [2026-01-06]\n"),
            [
                (
                    "7: windows.0.except_on: it would not begin on 2026-01-06, a Tuesday, anyway. "
                    "Correct the day, or remove it."
                )
            ],
            id="a day left out on which nothing begins",
        ),
        pytest.param(
            entry("    holidays: GERMANY\n"),
            [
                (
                    "5: windows.0.holidays: the public holidays of 'GERMANY' are not known. "
                    "Write a code of ISO 3166, like DE, or DE-BE for a part of it."
                )
            ],
            id="an unknown country",
        ),
        pytest.param(
            entry("    holidays: DE-BX\n"),
            ["5: windows.0.holidays: DE has no part 'BX' with holidays of its own. DE has BB, BE, BW, BY, HB,"],
            id="an unknown part of a country",
        ),
        pytest.param(
            entry("    holidays: SG-01\n"),
            ["5: windows.0.holidays: SG has no part '01' with holidays of its own. SG has no parts."],
            id="a country without parts",
        ),
        pytest.param(
            entry(START + END) + "  - name: nightly\n" + START + END,
            ["3: windows: two entries are called 'nightly'. Give each its own name."],
            id="two entries of one name",
        ),
        pytest.param(
            entry(START + END + "    types: [emergency]\n", "freezes"),
            ["7: freezes.0.types: emergency changes skip the calendar. Remove emergency."],
            id="a freeze for emergencies",
        ),
        pytest.param(
            entry(START + END + "    warn: 1h\n"),
            ["7: windows.0: unknown field 'warn'. Allowed: end, environments, except_on, file, holidays, name,"],
            id="a window that would warn",
        ),
        pytest.param(
            entry(START + END + "    exceptions:\n      - name: All\n", "freezes"),
            [
                (
                    "8: freezes.0.exceptions.0: it would lift the freeze for everybody. "
                    "Add `services`, `environments`, `types` or `changes`."
                )
            ],
            id="an exception for everybody",
        ),
        pytest.param(
            entry(START + END + "    exceptions:\n      - {name: All, changes: [1042, chg-1]}\n", "freezes"),
            [
                "8: freezes.0.exceptions.0.changes.0: found 1042 where text is expected. Put it into quotes.",
                "8: freezes.0.exceptions.0.changes.1: 'chg-1' is not the id of a change. Write it like CHG-1042.",
            ],
            id="an exception for changes that are none",
        ),
        pytest.param(
            entry("    file: other.ics\n"),
            [
                (
                    "5: windows.0.file: other.ics, line 1: the file cannot be read: No such file or directory. "
                    "Check the name and its permissions."
                )
            ],
            id="a file that is not there",
        ),
        pytest.param(
            entry("    file: ../secret.ics\n"),
            ["5: windows.0.file: '../secret.ics' is not an iCalendar file beside calendar.yaml. Write its name, like"],
            id="a file elsewhere",
        ),
    ],
)
def test_every_mistake_is_found_at_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    """The sentence says what is wrong, where, and what to do now."""
    lines = findings(tmp_path, text)
    assert len(lines) == len(expected)
    assert [
        line for line, start in zip(lines, expected, strict=True) if not line.startswith(f"calendar.yaml:{start}")
    ] == []


def test_a_file_that_is_no_calendar_is_a_finding(tmp_path: Path) -> None:
    """Whatever stands there, nothing is raised."""
    assert findings(tmp_path, "[]") == [
        "calendar.yaml:1: it is not a mapping of names to values. Write `name: value` lines. [yaml]"
    ]
    missing = load_calendar(tmp_path / "elsewhere").findings
    assert [finding.sentence for finding in missing] == ["the file cannot be read: No such file or directory"]


def test_mistakes_of_an_icalendar_file_stand_where_it_is_named(tmp_path: Path) -> None:
    """One file may be named twice; its mistakes are reported for both."""
    (tmp_path / "bad.ics").write_text("hello", encoding="utf-8")
    text = f"{HEAD}windows:\n  - name: A\n    file: bad.ics\nfreezes:\n  - name: B\n    file: bad.ics\n"
    assert [line.partition(": bad.ics, line 1: it is not iCalendar: ")[0] for line in findings(tmp_path, text)] == [
        "calendar.yaml:5: windows.0.file",
        "calendar.yaml:8: freezes.0.file",
    ]


def test_our_calendar_is_good() -> None:
    """It is open but from Friday noon to the end of Sunday, for normal changes."""
    schedule = load_calendar(POLICY).schedule
    assert schedule is not None
    assert (schedule.calendar.default, schedule.windows) == ("open", ())
    week = Interval(at("2026-11-23"), at("2026-11-30"))
    friday, weekend = Interval(at("2026-11-27 12:00"), at("2026-11-28")), Interval(at("2026-11-28"), at("2026-11-30"))
    assert [occurrence.span for _, occurrence in schedule.frozen(scope("orders"), week)] == [friday, weekend]
    assert schedule.free_times(scope("orders"), week) == [Interval(week.start, friday.start)]
    assert schedule.frozen(scope("orders", change_type="standard"), week) == []


def test_the_examples_in_our_calendar_are_good(tmp_path: Path) -> None:
    """Whoever removes the # in front of them has a calendar."""
    (tmp_path / "maintenance.ics").write_bytes((POLICY / "maintenance.ics").read_bytes())
    lines = (POLICY / "calendar.yaml").read_text(encoding="utf-8").splitlines()
    lines.remove("windows: []")
    lines.remove("watches: []")
    body = [line.replace("# ", "", 1) if line.lstrip().startswith(("# ", "#  ")) else line for line in lines[6:]]
    body = [line for line in body if not re.search("From Friday noon|Standard changes may|How long changes", line)]
    assert findings(tmp_path, "\n".join(body)) == []
    schedule = load_calendar(tmp_path).schedule
    assert schedule is not None
    assert [timeline.entry.name for timeline in (*schedule.windows, *schedule.freezes)] == [
        "Nightly",
        "Operations calendar",
        "Friday afternoon",
        "Weekend",
        "Christmas",
        "Public holidays",
    ]
    assert [watch.name for watch in schedule.calendar.watches] == ["High risk", "Friday"]
    assert schedule.windows[0].entry.except_on == (date(2026, 12, 24),)
    assert schedule.freezes[0].entry.exceptions[0].services == ("payments",)
    # What is planned at the weekend stays possible: in its window, and for nobody else.
    sunday = Interval(at("2026-12-05"), at("2026-12-07"))
    assert schedule.free_times(scope("warehouse"), sunday) == [Interval(at("2026-12-06 05:00"), at("2026-12-06 09:00"))]
    assert schedule.free_times(scope("catalogue"), sunday) == []
    assert schedule.free_times(scope("catalogue", change="CHG-1042"), sunday) == [sunday]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            "    holidays: DE\n    except_on: [2026-12-24, 2026-12-25]\n",
            ["2026-12-24 is left out, a Thursday, when nothing would begin. Correct the day, or remove it."],
            id="Christmas Eve is no public holiday",
        ),
        pytest.param(
            "    file: maintenance.ics\n    except_on: [2026-01-04, 2026-01-05]\n",
            ["2026-01-05 is left out, a Monday, when nothing would begin. Correct the day, or remove it."],
            id="the Monday after a Sunday of the file",
        ),
    ],
)
def test_a_day_that_is_left_out_for_nothing_is_a_warning(tmp_path: Path, lines: str, expected: list[str]) -> None:
    """The calendar can be used; what was meant may not be what it says."""
    (tmp_path / "maintenance.ics").write_bytes((POLICY / "maintenance.ics").read_bytes())
    (tmp_path / "calendar.yaml").write_text(entry(lines), encoding="utf-8")
    loaded = load_calendar(tmp_path)
    assert loaded.schedule is not None
    assert [finding.text("f") for finding in loaded.findings] == [
        f"f:6: warning: windows.0.except_on: {sentence} [calendar]" for sentence in expected
    ]


def test_a_warning_of_an_icalendar_file_leaves_the_calendar_usable(tmp_path: Path) -> None:
    """It stands where the file is named, as mistakes do."""
    text = (POLICY / "maintenance.ics").read_text(encoding="utf-8")
    (tmp_path / "some.ics").write_text(text.replace("20260405T060000", "20260405T070000"), encoding="utf-8")
    (tmp_path / "calendar.yaml").write_text(f"{HEAD}windows:\n  - name: A\n    file: some.ics\n", encoding="utf-8")
    loaded = load_calendar(tmp_path)
    assert loaded.schedule is not None
    [finding] = loaded.findings
    assert finding.text("f").startswith("f:5: warning: windows.0.file: some.ics, line 4: the event 'After stocktaking'")
