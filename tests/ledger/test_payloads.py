"""Every kind of event has its payload."""

from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads import PAYLOADS, Payload

SHAPES = [shape for shapes in PAYLOADS.values() for shape in shapes]
EXAMPLES: dict[str, Any] = {
    "about": "gap",
    "agreed_at": "2031-03-18T14:10:00+00:00",
    "because": "emergency",
    "counts": True,
    "done": False,
    "due": "2031-03-18T14:10:00+00:00",
    "follow_ups": [{"what": "alert earlier", "owner": "alice", "due": "2031-03-18T14:10:00+00:00"}],
    "good": True,
    "impact_from": "2031-03-18T14:10:00+00:00",
    "impact_to": "2031-03-18T14:10:00+00:00",
    "is_drill": True,
    "is_dry": True,
    "is_overdue": True,
    "late": True,
    "later": "2031-03-18T14:10:00+00:00",
    "moment": "2031-03-18T14:10:00+00:00",
    "skipped": [{"code": "too_early", "sentence": "it is early", "people": ["bob"]}],
    "took": {"act": 1.5},
    "workaround_until": "2031-03-18T14:10:00+00:00",
    "act": "renew",
    "answer": ["Keep it"],
    "by_hand": True,
    "end": "2031-03-18T14:10:00+00:00",
    "finding": 7,
    "happened": "2031-03-18T14:10:00+00:00",
    "opened": True,
    "standing": "closed",
    "state": "accepted",
    "expires": "2031-03-18T14:10:00+00:00",
    "began": "2031-03-18T14:10:00+00:00",
    "commands": 2,
    "ended": "2031-03-18T14:20:00+00:00",
    "masked": 1,
    "before": {"p99 latency": [0.1]},
    "findings": [{"code": "late", "sentence": "it is late", "remedy": "reslot it"}],
    "from": "2031-03-18T14:10:00+00:00",
    "is_proven": False,
    "items": ["Peer reviewed"],
    "keeps_approvals": True,
    "mode": "run",
    "outcome": "refused",
    "people": ["alice"],
    "place": {"sort": "host", "name": "web-3", "namespace": ""},
    "readings": [{"condition": "p99 latency", "value": 0.1}],
    "reasons": ["it is late"],
    "remembered": {"was": [1, None, "größe"]},
    "samples": 3,
    "seconds": 60.0,
    "services": ["orders"],
    "silence": 2,
    "since": "2031-03-18T14:10:00+00:00",
    "status": 200,
    "step": 1,
    "stop": 3,
    "stops": [3, 4],
    "targets": ["production/orders"],
    "to": "2031-03-18T14:10:00.000123+00:00",
    "token": 7,
    "told": [7, 8],
    "until": "2031-03-18T14:10:00+00:00",
    "values": {"version": "v1"},
    "verdict": "pass",
    "version": 1,
    "yes": False,
}
"""A value for the fields of each name; a field that is not named here is text."""


def example(shape: type[Payload]) -> dict[str, Any]:
    """Return a payload of a type, as it is stored, with every field."""
    names = [field.alias or name for name, field in shape.model_fields.items()]
    data = {name: EXAMPLES.get(name, "text") for name in names}
    return {**data, "before": "d" * 64} if shape is payloads.Revised else data


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_one_payload(kind: EventKind) -> None:
    """Only `decided` has two, because an approval and a watch have always written it."""
    assert len(PAYLOADS[kind]) == (2 if kind is EventKind.DECIDED else 1)
    assert all(shape.kind is kind for shape in PAYLOADS[kind])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_payload_comes_back_as_it_was(shape: type[Payload]) -> None:
    """What is written is read as the same type with the same values, and cannot be altered meanwhile."""
    written = shape.model_validate(example(shape))
    assert written.as_data() == example(shape)
    assert payloads.read(shape.kind, written.as_data()) == written
    with pytest.raises(ValidationError, match="frozen"):
        written.run = "another"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_payload_says_what_it_means(shape: type[Payload]) -> None:
    """In a sentence; and a field that nobody knows is refused, so that no misspelling is written."""
    assert (shape.__doc__ or "").strip().endswith(".")
    with pytest.raises(ValidationError, match="misspelt"):
        shape.model_validate({**example(shape), "misspelt": 1})


def test_no_payload_is_forgotten() -> None:
    """Whoever adds a type adds it to those that are read."""
    assert {shape for shape in Payload.__subclasses__() if shape.__module__.startswith("changewindow.")} == set(SHAPES)
