"""The JSON Schema says to an editor what lint says to an author."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from changewindow.documents.yaml import parse
from support.tickets import BANNER, EXAMPLES, banner, by_schema


def objects(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of every mapping whose fields are known."""
    if not isinstance(data, dict | list):
        return []
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    free = place[-1:] in {("where",), ("among",), ("parameters",)}
    here = [place] if isinstance(data, dict) and not free else []
    return here + [inner for key, value in pairs for inner in objects(value, (*place, key))]


def test_it_is_a_schema() -> None:
    """It follows the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(by_schema().schema)
    assert by_schema().schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_beside_the_example_tickets_is_the_one_of_today() -> None:
    """Editors find it there; `changewindow schema` writes it."""
    assert json.loads((EXAMPLES[0].parent / "ticket.schema.json").read_text(encoding="utf-8")) == by_schema().schema


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_accepts_an_example_and_refuses_an_unknown_field_anywhere_in_it(path: Path) -> None:
    """At every level, inside steps, sources and comparisons."""
    data = parse(path.read_text(encoding="utf-8")).data
    assert list(by_schema().iter_errors(data)) == []
    for place in objects(data):
        changed = inner = copy.deepcopy(data)
        for part in place:
            inner = inner[part]
        inner["colour"] = "red"
        assert not by_schema().is_valid(changed), place


@pytest.mark.parametrize(
    ("model", "names", "internal"),
    [
        ("Condition", {"pass", "fail"}, {"good", "bad"}),
        ("Watch", {"for"}, {"length"}),
        ("changewindow__steps__command__Step", {"undo", "run"}, {"undo_run"}),
        ("changewindow__steps__http_call__Step", {"undo"}, {"undo_call"}),
        ("changewindow__sources__http__Source", {"json"}, {"json_path"}),
    ],
)
def test_fields_have_the_names_that_authors_write(model: str, names: set[str], internal: set[str]) -> None:
    """`for`, `pass`, `fail`, `undo` and `json` are no names in Python, but they are in a ticket."""
    fields = set(by_schema().schema["$defs"][model]["properties"])
    assert names <= fields
    assert not internal & fields


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"watch": {"for": "{{ params.x }}", "every": "{{ params.x }}"}}, id="a length of time"),
        pytest.param({"risk": "{{ params.x }}", "owner": "{{ params.x }}"}, id="one of several words, and a name"),
        pytest.param({"services": ["{{ params.x }}"]}, id="an item of a list"),
        pytest.param({"window": BANNER["window"] | {"start": "{{ params.x }}"}}, id="a time"),
    ],
)
def test_a_value_may_be_a_parameter(changed: dict[str, Any]) -> None:
    """Whatever is restricted otherwise."""
    assert list(by_schema().iter_errors(banner(**changed))) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"risk": "tiny"},
        {"owner": "@alice"},
        {"services": "orders"},
        {"services": []},
        {"watch": {"for": "1 m"}},
        {"watch": {"for": 60}},
        {"window": BANNER["window"] | {"start": "2031-03-18"}},
        {"parameters": {"x y": {"default": 1}}},
        {"parameters": {"x": {"default": "{{ params.y }}", "type": "{{ params.z }}"}}},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(changed: dict[str, Any]) -> None:
    """The editor marks it while it is typed."""
    assert not by_schema().is_valid(banner(**changed))


def test_every_field_of_a_ticket_says_what_it_is() -> None:
    """Editors show it beside the field."""
    silent = [name for name, field in by_schema().schema["properties"].items() if not field.get("description")]
    assert silent == []
