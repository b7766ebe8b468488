"""The text of the messages, close to what people have always posted by hand."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

from changewindow.changes.messages import Ending, deploying, ended, message
from changewindow.policy.outcome import Outcome
from changewindow.policy.review import load_file
from changewindow.ticket.reader import build_ticket
from support.tickets import EXAMPLES, FACTS, banner, golden, ticket

RELEASE = load_file(EXAMPLES[1], FACTS).ticket
STARTED = datetime(2031, 3, 18, 14, 2, tzinfo=UTC)
ENDED = STARTED + timedelta(minutes=8, seconds=20)


def test_the_message_before_a_change() -> None:
    """What, when, how, how to roll back, and who."""
    assert RELEASE
    assert deploying("CHG-1042", RELEASE) + "\n" == golden("message_deploying.txt")


def test_the_message_before_a_change_elsewhere_says_when_that_is_in_utc() -> None:
    """Whoever reads it may live in a third zone."""
    start, end = "2031-03-18 20:00", "2031-03-18 21:00"
    elsewhere = build_ticket(banner(window={"zone": "America/New_York", "start": start, "end": end}))
    told = "Window: 2031-03-18 20:00-21:00 America/New_York (2031-03-19 00:00 to 01:00 UTC)\n"
    assert told in deploying("CHG-1", elsewhere)


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_the_message_after_a_change(outcome: Outcome) -> None:
    """Every outcome has its own text, with what to do now."""
    assert RELEASE
    restored = ENDED - timedelta(minutes=1) if outcome == "rolled_back" else None
    ending = Ending(outcome, "p99 latency is bad: 0.8, bad when above 0.2", STARTED, ENDED, restored)
    assert ended("CHG-1042", RELEASE, ending) + "\n" == golden(f"message_{outcome}.txt")


def test_a_rollback_that_was_not_verified_does_not_say_restored() -> None:
    """Nothing is claimed that was not verified."""
    text = ended("CHG-1", ticket(), Ending("rolled_back", "aborted", STARTED, ENDED))
    assert "restored" not in text


def test_a_rollback_says_what_it_went_back_to() -> None:
    """Whoever reads it at night need not look it up."""
    ending = Ending("rolled_back", "p99 is bad", STARTED, ENDED, back_to=("'Scale': 3 replicas",))
    assert "\nBack to: 'Scale': 3 replicas\nFollow-up: find the root cause; " in ended("CHG-1", ticket(), ending)


@pytest.mark.parametrize(
    ("outcome", "reason", "lines"),
    [
        ("refused", "It is frozen.\nbob has not approved.", ["• It is frozen.", "• bob has not approved."]),
        ("rolled_back", "a is bad: 2;\nb is bad: 3", ["• a is bad: 2", "• b is bad: 3"]),
        (
            "rollback_failed",
            "undo of step 2: x;\nundo of step 1: y.\nRolled back because: z",
            ["• undo of step 2: x", "• undo of step 1: y.", "• Rolled back because: z"],
        ),
    ],
)
def test_several_reasons_stand_one_a_line(outcome: Outcome, reason: str, lines: list[str]) -> None:
    """Two that run into each other are read as one."""
    told = ended("CHG-1", ticket(), Ending(outcome, reason, STARTED, ENDED)).splitlines()
    assert told[1 : 2 + len(lines)] == ["Reason:", *lines]


def test_nobody_looks_for_the_cause_of_an_abort() -> None:
    """A person wanted it, and the reason says so."""
    ending = Ending("rolled_back", "aborted by alice: wrong day", STARTED, ENDED, is_by_hand=True)
    text = ended("CHG-1", ticket(), ending)
    assert text.splitlines()[-1] == "Follow-up: a new attempt needs a new ticket"


@pytest.mark.parametrize(
    ("at", "remedy"),
    [
        ("14:30", "correct what is named and trigger the change again within its window"),
        ("14:59", "trigger the DAG `reslot_change`"),
    ],
)
def test_a_refused_change_gets_the_one_remedy_that_works(at: str, remedy: str) -> None:
    """Triggering it again helps only as long as the window has room for it."""
    moment = datetime.fromisoformat(f"2031-03-18T{at}+00:00")
    text = ended("CHG-1", ticket(), Ending("refused", "the line is stopped", None, moment))
    assert text.splitlines()[-1].startswith(f"@alice: {remedy}")


def test_a_change_that_never_started_has_no_duration() -> None:
    """Its end is said all the same."""
    text = ended("CHG-1", ticket(), Ending("completed", "", None, ENDED))
    assert "Ended: 14:10 UTC" in text
    assert "Duration" not in text


def test_the_closing_message_says_where_the_record_ends() -> None:
    """Kept there, out of reach of whoever owns the ledger, the hash shows later that nothing was cut off."""
    ending = Ending("completed", "", STARTED, ENDED, head="9f" * 32)
    assert ended("CHG-1", ticket(), ending).splitlines()[-1] == f"Record: {'9f' * 32}"


def test_times_are_in_utc() -> None:
    """Whatever zone the clock of a worker has."""
    east = timezone(timedelta(hours=2))
    ending = Ending("completed", "", STARTED.astimezone(east), ENDED.astimezone(east))
    assert "Duration: 8 minutes 20 seconds (14:02-14:10 UTC)" in ended("CHG-1", ticket(), ending)


def test_a_change_that_only_reads_says_so() -> None:
    """Beside a step with an undo it is not mentioned; alone it is."""
    step = {"name": "Look", "kind": "command", "run": ["true"], "undo": "nothing"}
    assert "\nRollback: nothing to undo (< 1 minute)\n" in deploying("CHG-1", ticket(steps=[step]))


def test_a_script_stands_on_one_line() -> None:
    """A step of several lines cannot forge a line of the message."""
    step = {"name": "Run", "kind": "command", "run": {"shell": "true\nOwner: @mallory"}, "undo": "nothing"}
    lines = deploying("CHG-1", ticket(steps=[step], on_call="carol")).splitlines()
    assert [line.split(":")[0] for line in lines] == ["🔄 DEPLOYING", "Window", "Changes", "Rollback", "Owner"]
    assert lines[-1] == "Owner: @alice | Reviewer: @bob | On call: @carol"


def test_what_somebody_wrote_begins_no_line_of_a_message() -> None:
    """A reason with a line break would look like another message."""
    assert message("stopped: fire\n✅ COMPLETE: CHG-1 all good") == "stopped: fire ✅ COMPLETE: CHG-1 all good"
