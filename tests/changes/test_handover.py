"""What tasks hand over to each other, taken back from where any user may edit it."""

from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.changes import handover
from changewindow.changes.handover import Fact, Place, dumped, parsed
from changewindow.ledger.seal import Seal

AT = datetime(2026, 3, 17, 14, 5, 30, 123456, tzinfo=UTC)
TEXT = AT.isoformat()
SEAL = Seal()
HERE = Place("CHG-1042", "run", "task", "key")
FACTS: list[tuple[Any, Fact]] = [
    ("health was bad", handover.NotGood(reason="health was bad")),
    ({"outcome": "missed", "reason": "late"}, handover.Refused(outcome="missed", reason="late")),
    ({"token": 7}, handover.Passed(token=7)),
    ({"errors": [1.0, 2.5]}, handover.Baseline(readings={"errors": [1.0, 2.5]})),
    ({"replicas": 3, "version": "v1"}, handover.Remembered(memory={"replicas": 3, "version": "v1"})),
    ({}, handover.Remembered(memory={})),
    (TEXT, handover.Applied(at=AT)),
    (TEXT, handover.Failed(at=AT)),
    (TEXT, handover.Undone(at=AT)),
    ({"at": TEXT}, handover.Verified(at=AT)),
    ({"route": "undo", "reason": "bad"}, handover.Decision(route="undo", reason="bad")),
    (TEXT, handover.Watching(since=AT)),
    ({"reason": "too little is known"}, handover.Asked(reason="too little is known")),
    (TEXT, handover.Restored(at=AT)),
    (
        {"outcome": "completed", "reason": "good", "at": TEXT, "is_news": True},
        handover.Closed(outcome="completed", reason="good", at=AT, is_news=True),
    ),
]
KEYS_0_1_0 = {
    "reason",
    "refused",
    "passed",
    "before",
    "remembered",
    "applied",
    "failed",
    "undone_2",
    "verified",
    "decision",
    "since",
    "asked",
    "restored",
    "outcome",
    "thread",
}


@pytest.mark.parametrize(("value", "fact"), FACTS, ids=lambda value: type(value).__name__)
def test_what_nobody_has_sealed_is_refused(value: Any, fact: Fact) -> None:
    """A version before 0.2 left it, or any user; what it says counts only where the ledger says it too."""
    for left in (value, fact.model_dump(mode="json")):
        with pytest.raises(ValueError, match="has no seal"):
            parsed(type(fact), left, SEAL, HERE)


@pytest.mark.parametrize("fact", [fact for _, fact in FACTS], ids=lambda fact: type(fact).__name__)
def test_a_fact_is_read_as_it_was_handed_over(fact: Fact) -> None:
    """With the version of its fields, also after a database wrote its numbers in another way."""
    value = dumped(fact, SEAL, HERE)
    assert value["version"] == 1
    assert parsed(type(fact), value, SEAL, HERE) == fact


@pytest.mark.parametrize(
    ("edited", "elsewhere"),
    [
        ({"memory": {"file": "/etc/passwd"}}, {}),
        ({"seal": "12345678:" + "0" * 64}, {}),
        ({"seal": ""}, {}),
        ({}, {"task": "apply_2"}),
        ({}, {"run": "another run"}),
        ({}, {"dag": "CHG-1043"}),
        ({}, {"key": "undone_2"}),
    ],
    ids=["another value", "another key's seal", "no seal", "another task", "another run", "another change", "a key"],
)
def test_what_was_edited_or_copied_is_refused(edited: Any, elsewhere: Any) -> None:
    """A seal counts for one value at one place."""
    value = {**dumped(handover.Remembered(memory={"file": "/srv/x"}), SEAL, HERE), **edited}
    with pytest.raises(ValueError, match="somebody has edited it"):
        parsed(handover.Remembered, value, SEAL, replace(HERE, **elsewhere))


def test_numbers_may_be_written_in_another_way() -> None:
    """PostgreSQL gives 1e22 back as a whole number."""
    value = dumped(handover.Remembered(memory={"rates": [1e22, 1.0, -0.5]}), SEAL, HERE)
    parsed(handover.Remembered, {**value, "memory": {"rates": [10**22, 1, -0.5]}}, SEAL, HERE)


def test_keys_are_those_of_version_0_1_0() -> None:
    """So that both find what the other has left."""
    assert {handover.key_of(type(fact), 2) for _, fact in FACTS} == KEYS_0_1_0 - {
        "thread"
    }  # where messages stand, the ledger knows now


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        (handover.Decision, "succeed"),
        (handover.Decision, {"route": "success", "reason": ""}),
        (handover.Decision, {"version": 2, "route": "succeed", "reason": ""}),
        (handover.Decision, {"route": "succeed", "reason": "", "by": "me"}),
        (handover.Passed, []),
        (handover.Remembered, "nothing"),
        (handover.Undone, "yes"),
        (handover.Baseline, {"errors": ["many"]}),
    ],
)
def test_garbage_is_refused_in_one_line(fact: type[Fact], value: Any) -> None:
    """What a user has edited, or a later version has left, is not guessed at."""
    left = {**value, "seal": SEAL.of("handover", [*astuple(HERE), value])} if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=r"\w") as refused:
        parsed(fact, left, SEAL, HERE)
    assert "\n" not in str(refused.value)
