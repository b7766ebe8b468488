"""Whatever order the events of a change come in, its card can be made and shown, and its thread says each once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.changes.card import STATES
from changewindow.changes.card_of import card_of
from changewindow.changes.card_text import Look, rendered
from changewindow.changes.thread_lines import is_loud, is_told, lines, lines_after
from changewindow.ledger import changes, payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append_entry, history, record
from changewindow.ledger.payloads import PAYLOADS, Payload
from servers.slack_limits import of_message
from support.changes import NOW
from support.ledgers import on_sqlite
from support.tickets import POLICY, banner

OF_A_RECORD = {payloads.Recorded, payloads.Submitted, payloads.Revised}
"""What begins a text, which the ledger keeps beside it."""
ALWAYS = """
Rejected Cancelled Aborted Extended ExtensionAsked ExtensionRefused Closed Released RunDied MarkerFailed Confirmed
Started Applied ApplyFailed
UndoFailed UndoStopped Undone Watching Asked Answered Verified NotVerified Silenced SilenceFailed SilenceEnded
Revised IncidentSeen FollowedUp Drilled LineBegun LineStopped LineLifted LookingBegun
FindingMade FindingChanged FindingTold RollbackWanted
"""
"""The kinds of events that are always told."""
SOMETIMES: dict[type[Payload], tuple[str, Any, Any]] = {
    payloads.Checked: ("verdict", "pass", "fail"),
    payloads.WatchDecided: ("route", "succeed", "undo"),
    payloads.ApprovalDecided: ("yes", False, True),
    payloads.ButtonPressed: ("counts", True, False),
}
"""What decides whether others are told: a field, with a value for which they are not, and one for which they are."""
SAID: dict[str, Any] = {
    "is_dry": [False, True],
    "mode": ["run", "rollback", "dry_run"],
    "outcome": ["completed", "rolled_back", "rollback_failed", "refused", "missed"],
    "verdict": ["pass", "fail", "ask"],
    "route": ["succeed", "undo", "nothing"],
    "was": ["running", "approved"],
    "yes": [True, False],
    "run": ["run-1", "run-2", ""],
    "step": [1, 2, 99],
    "readings": [[], [{"condition": "Banner is on", "value": 200, "says": "good when equals 200", "verdict": "pass"}]],
}


def example(shape: type[Payload]) -> dict[str, Any]:
    """Return a payload of a type as it is stored."""
    schema = shape.model_json_schema(by_alias=True)
    return {name: _value(field, schema) for name, field in schema["properties"].items()}


def _value(field: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in field:
        return _value(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in field:
        return _value(field["anyOf"][0], schema)
    if field.get("type") == "object":
        return {name: _value(each, schema) for name, each in field.get("properties", {}).items()}
    if "enum" in field or "const" in field:
        return field.get("const", field.get("enum", [None])[0])
    if field.get("format") == "date-time":
        return NOW.isoformat()
    return {"string": "text", "integer": 1, "number": 60, "boolean": True, "array": []}[field["type"]]


SHAPES = [shape for shapes in PAYLOADS.values() for shape in shapes]


@st.composite
def courses(draw: st.DrawFn) -> list[Payload]:
    """Return events of a change in any order."""
    made = []
    for shape in draw(st.lists(st.sampled_from([each for each in SHAPES if each not in OF_A_RECORD]), max_size=25)):
        chosen = {name: draw(st.sampled_from(SAID[name])) for name in SAID if name in shape.model_fields}
        made.append(shape.model_validate({**example(shape), **chosen}))
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Return a ledger for changes of every course."""
    folder: Path = tmp_path_factory.mktemp("courses")
    return on_sqlite(folder)


@settings(max_examples=60, deadline=None)
@given(happened=courses())
def test_any_course_has_a_card(shared: Ledger, happened: list[Payload]) -> None:
    """In one of the states that templates know, which Slack takes; what is told is told once, and nothing twice."""
    change = changes.submit(shared, banner(), requester="alice", now=NOW).change
    with shared.transaction() as session:
        for place, each in enumerate(happened):
            append_entry(session, Event(change, f"{each.run}/task", NOW + timedelta(seconds=place), each).entry)
    card = card_of(shared, change, POLICY, NOW, links={})
    assert card.state in STATES
    assert card.sequence == len(happened) + 1
    message = rendered(card, Look())
    assert of_message({"text": message.text, "blocks": list(message.blocks)}, 4000) == ("", [])
    told = lines_after(shared, change, 0)
    assert [line.sequence for line in told] == sorted({line.sequence for line in told})
    half = told[: len(told) // 2]
    assert (*half, *lines_after(shared, change, half[-1].sequence if half else 0)) == told
    happened = [each for each in happened if not each.is_dry]
    ends = [place for place, each in enumerate(happened) if isinstance(each, payloads.Closed)]
    after = happened[ends[-1] + 1 :] if ends else happened
    opens = (payloads.Started, payloads.RunDied, payloads.Aborted, payloads.Declared, payloads.Rejected)
    if ends and not any(isinstance(each, (*opens, payloads.Cancelled, payloads.Checked)) for each in after):
        known = (payloads.Confirmed, payloads.Baseline)
        assert card.state == happened[ends[-1]].outcome or any(isinstance(each, known) for each in after)  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_event_is_told_or_is_not(shape: type[Payload]) -> None:
    """Whoever adds a kind of event decides whether a room reads of it."""
    said = {name: SAID[name][0] for name in SAID if name in shape.model_fields}
    event = shape.model_validate({**example(shape), **said})
    name, quiet, told = SOMETIMES.get(shape, ("", None, None))
    if name:
        assert not is_told(event.model_copy(update={name: quiet}))
        assert is_told(event.model_copy(update={name: told}))
    else:
        assert is_told(event) is (shape.__name__ in ALWAYS.split())


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        *((payloads.Closed(outcome=outcome, reason=""), True) for outcome in ("rolled_back", "rollback_failed")),
        *((payloads.Closed(outcome=outcome, reason=""), True) for outcome in ("missed", "refused")),
        *((payloads.Closed(outcome=outcome, reason=""), False) for outcome in ("completed", "cancelled", "rejected")),
        (payloads.WatchDecided(route="undo", reason=""), True),
        (payloads.WatchDecided(route="succeed", reason=""), False),
        (payloads.UndoFailed(step=1, name="x", reason="no"), True),
        (payloads.Aborted(reason="", was="running"), False),
        (payloads.RunDied(), False),
    ],
)
def test_the_room_reads_of_what_goes_wrong_once(event: Payload, expected: bool) -> None:  # noqa: FBT001  of a table
    """An abort and a run that died lead to a rollback, whose beginning is said."""
    assert is_loud(event) is expected


def test_an_event_of_a_later_version_is_told_as_it_is(ledger: Ledger) -> None:
    """It may matter, and nobody knows what it means."""
    change = changes.submit(ledger, banner(), requester="alice", now=NOW).change
    entry = Event(change, "bob", NOW, payloads.RunDied()).entry
    with ledger.transaction() as session:
        append_entry(session, type(entry)(change, "beamed_up", "bob", NOW, {"to": "the moon"}))
    told = lines(history(ledger, change))
    assert told[0].text == "14:10:00 UTC: bob beamed_up, which this version cannot read: to the moon"
    record(ledger, Event(change, "bob", NOW, payloads.Cancelled(reason="enough")))
    assert lines_after(ledger, change, 2)[0].text == "14:10:00 UTC: bob cancelled it: enough"
