"""What a form tells of what was done by hand, and what it may not tell."""

from datetime import timedelta
from typing import Any

import pytest

from changewindow.changes.form import BadForm
from changewindow.changes.record_form import LONGEST_PASTE, manual_change_of
from changewindow.policy.manual_change import MOST, ManualChange
from changewindow.policy.service_catalogue import Catalogue
from support.changes import NOW

CATALOGUE = Catalogue.model_validate(
    {"services": {name: {"owners": ["team"], "environments": ["production"]} for name in ("orders", "billing")}}
)
CUT = "Paste only what was done then; `changewindow record --file` takes it out of a large file."
GOOD = {
    "targets": "production/orders",
    "start": "2031-03-18T13:00",
    "end": "2031-03-18T14:10+01:00",
    "commands": "systemctl restart orders",
    "why": "It hung.",
}


def told(catalogue: Catalogue = CATALOGUE, **fields: Any) -> ManualChange:
    """Return what a form of bob tells."""
    return manual_change_of({**GOOD, **fields}, catalogue, person="bob", now=NOW)


def test_a_form_is_read() -> None:
    """Times without a zone are UTC; bob did it himself unless he says who did."""
    manual = told(targets="production/orders, production/billing", findings="12, 13", incident="INC-7")
    assert manual.targets == ("production/orders", "production/billing")
    assert manual.span == "2031-03-18 13:00 to 13:10 UTC"
    assert (manual.done_by, manual.findings, manual.incident) == ("bob", (12, 13), "INC-7")
    assert told(done_by="alice").done_by == "alice"
    assert told(findings=[12]).findings == (12,)


def test_times_come_from_what_was_pasted() -> None:
    """Where the form has none; and commands of other times are left out, and counted."""
    pasted = "#1931590800\nreboot\n#1931594400\nvi a\n#1931680800\nls\n"  # 2031-03-18 09:00, 10:00, and a day later
    manual = told(start="2031-03-18T09:00", end="2031-03-18T10:00", commands=pasted)
    assert [command.line for command in manual.commands] == ["reboot", "vi a"]
    assert manual.remarks == ("1 command of another time is left out",)
    manual = told(start=None, end="2031-03-18T10:00", commands=pasted)
    assert manual.span == "2031-03-18 09:00 to 10:00 UTC"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a record in the future": (
        {"start": "2031-03-18T14:00", "end": "2031-03-18T18:00"},
        "end: 2031-03-18 18:00 UTC has not come. Record what was done; to do something, submit a ticket.",
    ),
    "a time beyond the calendar": (
        {"end": "9999-12-31T23:59:59-12:00"},
        "end: '9999-12-31T23:59:59-12:00' is not a time like 2031-03-18T03:12+01:00, or a day like 2031-03-18.",
    ),
    "a time before the calendar": (
        {"start": "0001-01-01T00:00+14:00"},
        "start: '0001-01-01T00:00+14:00' is not a time like 2031-03-18T03:12+01:00, or a day like 2031-03-18.",
    ),
    "the year in which time began": (
        {"start": "1970-01-01", "end": "1970-01-01T01:00"},
        "start: 1970-01-01 00:00 UTC is more than 10 years ago. Correct it.",
    ),
    "times reversed": (
        {"start": "2031-03-18T14:00", "end": "2031-03-18T13:00"},
        "end: 2031-03-18 13:00 UTC is before the start, 2031-03-18 14:00 UTC. Exchange them.",
    ),
    "a record that would explain everything": (
        {"start": "2031-03-10T14:00"},
        "start and end: 7 days, 23:10:00 apart, 24 hours allowed. Record each part.",
    ),
    "no time at all": (
        {"start": None, "end": None},
        "start and end: not given, and nothing that was pasted has a time. Say from when to when it was done.",
    ),
    "a time that is none": (
        {"start": "this morning"},
        "start: 'this morning' is not a time like 2031-03-18T03:12+01:00, or a day like 2031-03-18.",
    ),
    "ten megabytes": (
        {"commands": "x" * 10_000_000},
        f"commands: 10,000,000 characters, {LONGEST_PASTE:,} allowed. {CUT}",
    ),
    "too many commands": (
        {"commands": "ls\n" * (MOST + 1)},
        "commands: 1,001, 1,000 allowed. Make a record of each part of the time.",
    ),
    "nothing that was done": (
        {"commands": " \n"},
        "commands: nothing is said. Type or paste what was done, one command a line.",
    ),
    "nothing of that time": (
        {"commands": "#1931590800\nreboot"},
        "commands: none of the 1 pasted is of this time. Correct start and end.",
    ),
    "no reason": ({"why": " "}, "why: nothing is said. Say in a sentence why it was done."),
    "a target that is none": (
        {"targets": "orders;drop"},
        "targets: 'orders;drop' is no target. Write it like production/orders.",
    ),
    "no target": ({"targets": ""}, "targets: nothing is named. Write what was touched, like production/orders."),
    "too many targets": (
        {"targets": " ".join(f"production/s-{letter}xx" for letter in "abcdefghijklmnopqrstuvwxyz")},
        "targets: 26, 20 allowed. Make several records.",
    ),
    "several environments": (
        {"targets": "production/orders staging/x-y-z"},
        "targets: several environments. Make a record of each.",
    ),
    "a service that is misspelt": (
        {"targets": "production/order"},
        "targets: 'order' is not in the service catalogue. Did you mean 'orders'?",
    ),
    "a service that does not run there": (
        {"targets": "staging/orders"},
        "targets: orders does not run in 'staging'. Allowed: production.",
    ),
    "a finding that is none": (
        {"findings": "12; DROP TABLE"},
        "findings: '12;' is no number of a finding; `changewindow findings` lists them.",
    ),
}


@pytest.mark.parametrize(("fields", "mistake"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_recorded_is_refused_with_a_sentence(fields: dict[str, Any], mistake: str) -> None:
    """Nothing is written."""
    with pytest.raises(BadForm) as refused:
        told(**fields)
    assert mistake in refused.value.mistakes


def test_every_mistake_is_named_at_once() -> None:
    """Nobody tries three times at night."""
    with pytest.raises(BadForm) as refused:
        told(targets="x", start="x", why="", findings="x")
    head, *mistakes = str(refused.value).splitlines()
    assert head == "5 mistakes, so nothing was done. Correct all of them, and try again."
    assert mistakes == list(refused.value.mistakes)


def test_what_somebody_types_begins_no_line_and_acts_on_no_terminal() -> None:
    """In no field; and no field holds a secret."""
    evil = "a\nb \x1b[2J\u202e password=hunter2-9f3"
    manual = told(why=evil, done_by=evil, incident=evil, commands=evil)
    texts = (manual.why, manual.done_by, manual.incident, *(command.line for command in manual.commands))
    assert not {"\n", "\x1b", "\u202e"} & {*"".join(texts)}
    assert "9f3" not in "".join(texts)
    assert manual.masked == 1


def test_a_service_that_nobody_lists_is_recorded_unless_the_policy_minds() -> None:
    """By hand, people also touch what nobody has listed."""
    assert told(targets="production/bastion").targets == ("production/bastion",)
    with pytest.raises(BadForm, match="'bastion' is not in the service catalogue"):
        told(CATALOGUE.model_copy(update={"unlisted": "refuse"}), targets="production/bastion")


def test_a_clock_that_is_a_little_ahead_is_no_future() -> None:
    """Browsers differ."""
    assert told(end=(NOW + timedelta(seconds=30)).isoformat()).ended > NOW
