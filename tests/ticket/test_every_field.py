"""Who approves a change sees all of it: no field of any kind is left out, and none changes without another digest."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from changewindow import kinds
from changewindow.documents.yaml import parse
from changewindow.ticket import every_field
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of
from support.tickets import EXAMPLES, banner

STEPS, SOURCES, SILENCES = (kinds.modules(room) for room in ("steps", "sources", "silences"))
FORTY = "\n".join(f"line {number}" for number in range(1, 41))
SIZED: dict[str, Any] = {
    "parameters": {
        "size": {"type": "integer", "default": 5, "allowed": [5, 1, 9]},
        "way": {"default": "soft", "allowed": ["soft", "hard"]},
    },
    "steps": [
        {
            "name": "Set it",
            "kind": "command",
            "run": ["pool", "{{ params.size }}", "{{ params.way }}"],
            "undo": ["pool", "back"],
        }
    ],
}


def leaves(data: Any) -> Iterator[str]:
    """Yield each value of some data, and each name, as text."""
    if isinstance(data, dict):
        for name, inner in data.items():
            yield str(name)
            yield from leaves(inner)
    elif isinstance(data, list):
        for inner in data:
            yield from leaves(inner)
    elif isinstance(data, str):
        yield from (line for line in data.split("\n") if line)
    else:
        yield json.dumps(data)


def missing(data: dict[str, Any]) -> list[str]:
    """Return what of a ticket is not shown."""
    text = every_field.text(data, is_whole=True)
    return [leaf for leaf in leaves(data) if leaf not in text and json.dumps(leaf, ensure_ascii=False) not in text]


@pytest.mark.parametrize("kind", STEPS)
def test_each_field_of_a_step_is_shown(kind: str) -> None:
    """Bodies, environments, contents of files and names of secrets too, by what all kinds share."""
    data = banner(steps=[json.loads(json.dumps(vars(STEPS[kind])["EXAMPLE"]))])
    assert missing(data) == []


@pytest.mark.parametrize("kind", SOURCES)
def test_each_field_of_a_source_is_shown(kind: str) -> None:
    """Of conditions of the watch as of any other."""
    example = json.loads(json.dumps(vars(SOURCES[kind])["EXAMPLE"]))
    condition = {"name": "It", "source": example, "pass": {"equals": 1}}
    assert missing(banner(validation=[condition])) == []


@pytest.mark.parametrize("kind", SILENCES)
def test_each_field_of_a_silence_is_shown(kind: str) -> None:
    """Whoever approves it knows who is not told."""
    assert missing(banner(silence=[json.loads(json.dumps(vars(SILENCES[kind])["EXAMPLE"]))])) == []


def test_what_a_step_does_besides_its_plan_is_shown() -> None:
    """A variable that loads other code stands in no plan."""
    step = {
        "name": "Restart",
        "kind": "command",
        "run": ["restart"],
        "undo": ["restart"],
        "environment": {"LD_PRELOAD": "/opt/evil.so"},
    }
    assert '    environment:\n      LD_PRELOAD: "/opt/evil.so"\n' in every_field.text(banner(steps=[step]))


def test_a_long_text_is_folded_with_its_size_and_digest() -> None:
    """Its beginning is read, its end cannot change unseen; `whole` shows all of it."""
    folded, whole = (every_field.text(banner(details=FORTY), is_whole=is_whole) for is_whole in (False, True))
    assert "\ndetails: (310 characters in 40 lines, sha256 " in folded
    assert "  | line 12\n  … 28 more lines\n" in folded
    assert "line 13" not in folded
    assert "  | line 39\n  | line 40\n" in whole
    line = every_field.text(banner(details="x" * 1000))
    assert f"  | {'x' * 300}… 700 more characters\n" in line


def test_what_holds_where_nothing_is_written_is_shown() -> None:
    """On one line for each group of fields."""
    text = every_field.text(banner())
    assert "timeout: 5m; undo_retries: 2" in text.partition("steps:")[2].partition("rollback:")[0]


def test_the_plan_at_the_extremes_of_each_parameter_is_shown() -> None:
    """The least and the greatest number, each other value, and all of it together."""
    lines = every_field.at_extremes(banner(**SIZED))
    assert [line for line in lines if line.startswith("with ")] == [
        "with size = 1:",
        "with size = 9:",
        "with way = 'hard':",
    ]
    at = lines.index("with size = 1:")
    assert lines[at + 1 : at + 3] == [
        "  -apply_1   Set it: pool 5 soft",
        "  +apply_1   Set it: pool 1 soft",
    ]


def test_choices_beyond_what_anybody_reads_are_counted() -> None:
    """Fifty values of three parameters are not drawn out, but said."""
    declared = {
        name: {"default": "v0", "allowed": [f"v{number}" for number in range(50)]} for name in ("one", "two", "three")
    }
    lines = every_field.at_extremes(
        banner(parameters=declared, details="{{ params.one }}{{ params.two }}{{ params.three }}")
    )
    assert lines[-1] == "127 more choices are not drawn out; their values stand under `parameters`"


def test_what_differs_from_what_was_approved_before_is_shown() -> None:
    """As a diff of every field."""
    text = every_field.text(banner(risk="high"), banner())
    assert "--- approved before\n+++ now\n" in text
    assert "\n-risk: low\n+risk: high\n" in text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_value_changes_without_another_digest(path: Any) -> None:
    """What is approved is all of the text, also what stands in no plan."""
    data = parse(path.read_text()).data
    before = digest_of(data, build_ticket(data))
    for place in _texts(data, ()):
        changed = copy.deepcopy(data)
        inner = changed
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = f"{inner[place[-1]]} "
        assert digest_of(changed, build_ticket(data)) != before


def _texts(data: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, inner in pairs:
        yield from _texts(inner, (*place, name))
    if isinstance(data, str):
        yield place
