"""Standard changes are approved in advance for exactly what their templates say, and for nothing else."""

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changewindow.cli.standalone import ROOT
from changewindow.documents.findings import are_errors
from changewindow.errors import BadRequest
from changewindow.policy.check import Facts
from changewindow.policy.review import load_text
from changewindow.policy.standard_changes import Standards
from changewindow.policy.templates import load_standards, read_template
from support.tickets import FACTS, NOW, POLICY, TESTS, banner

FOLDER = ROOT / "include" / "templates"
STANDARDS = load_standards(FOLDER)
MISTAKES = sorted((TESTS / "bad_policies" / "templates").glob("*.yaml"))
KNOWN = Facts(now=NOW, policy=POLICY)
WINDOW = {"zone": "UTC", "start": "2031-03-18 14:00", "end": "2031-03-18 15:00"}
CHOICES = [
    pytest.param(name, {parameter: value}, id=f"{name} with {parameter} {value}")
    for name in STANDARDS.names()
    for parameter in STANDARDS.templates[name].parameters
    for value in STANDARDS.templates[name].choices(parameter)
]


def asked(name: str = "max_idle", **changed: Any) -> dict[str, Any]:
    """Return the ticket of a standard change as alice asks for it."""
    request: dict[str, Any] = {"values": {}, "window": WINDOW, "owner": "alice", "reviewer": "bob"}
    return STANDARDS.ticket_data(name, **{**request, **changed})


def test_every_template_that_is_delivered_is_right() -> None:
    """None has a finding, under the policy that is delivered with it."""
    paths = sorted(FOLDER.glob("*.yaml"))
    assert STANDARDS.names() == tuple(path.stem for path in paths)
    assert STANDARDS.findings == ()
    assert [finding for path in paths for finding in read_template(path, KNOWN)[1]] == []


@pytest.mark.parametrize(("name", "values"), CHOICES)
def test_every_allowed_value_makes_a_ticket_without_findings(name: str, values: dict[str, Any]) -> None:
    """What is asked for by name and values passes every check, and is known again as what it is."""
    data = asked(name, values=values)
    loaded = load_text(json.dumps(data), KNOWN)
    assert loaded.findings == ()
    assert loaded.ticket
    assert (loaded.ticket.type, loaded.ticket.owner, loaded.ticket.reviewer) == ("standard", "alice", "bob")
    assert {parameter: loaded.ticket.parameters[parameter].default for parameter in values} == values
    assert STANDARDS.is_inside(loaded.data) == name


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_said_word_for_word(path: Path) -> None:
    """Each file holds one mistake, named by the file; its first lines say what its author reads."""
    text = path.read_text(encoding="utf-8")
    expected = re.findall(r"^# expect: (.*)$", text, re.MULTILINE)
    template, findings = read_template(path, KNOWN if text.startswith("# policy") else FACTS)
    assert expected
    assert template is None
    assert [finding.text("") for finding in findings] == [f":{line}" for line in expected]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2600), st.integers(0, 60), st.text("-:{}[]&*|'\"% \n#,a1\t", max_size=4))
def test_no_slip_of_the_keyboard_breaks_the_reader(tmp_path: Path, start: int, length: int, typed: str) -> None:
    """A template with a piece lost, and something else typed there, has findings or can be asked for."""
    text = (FOLDER / "max_idle.yaml").read_text(encoding="utf-8")
    path = tmp_path / "slip.yaml"
    path.write_text(text[:start] + typed + text[start + length :], encoding="utf-8")
    template, findings = read_template(path, KNOWN)
    assert (template is None) == are_errors(findings)
    if template:
        made = Standards({"slip": template}).ticket_data(
            "slip", values={}, window=WINDOW, owner="alice", reviewer="bob"
        )
        assert Standards({"slip": template}).is_inside(made) == "slip"


def test_a_template_that_is_wrong_is_no_standard_change(tmp_path: Path) -> None:
    """It approves nothing and harms no other; its findings say why."""
    for path in (FOLDER / "restart.yaml", TESTS / "bad_policies" / "templates" / "with_owner.yaml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    standards = load_standards(tmp_path)
    assert standards.names() == ("restart",)
    assert standards.findings == (
        f"{tmp_path}/with_owner.yaml:7: owner: it comes from the request. Remove it. [standard]",
    )


def test_without_templates_there_are_no_standard_changes(tmp_path: Path) -> None:
    """A folder that is empty, or not there, holds none."""
    assert load_standards(tmp_path / "none") == Standards({})
    with pytest.raises(BadRequest, match=r"^There is no standard change 'max_idle'\. There are none\.$"):
        Standards({}).ticket_data("max_idle", values={}, window=WINDOW, owner="alice", reviewer="bob")


def test_the_template_names_who_stands_by_unless_the_request_does() -> None:
    """A template may have a reviewer of its own."""
    assert asked("restart", reviewer=None)["reviewer"] == "bob"
    assert asked("restart", reviewer="carol")["reviewer"] == "carol"


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        pytest.param(
            "max_idel", {}, "There is no standard change 'max_idel'. Did you mean 'max_idle'?", id="an unknown name"
        ),
        pytest.param(
            "max_idle",
            {"values": {"max_idle": 1}},
            "max_idle = 1 is not approved in advance; approved are 8, 12, 16, 20. Choose one of them, or ask for a "
            "normal change.",
            id="just a number",
        ),
        pytest.param(
            "max_idle",
            {"values": {"max_idle": "8"}},
            "max_idle = '8' is not approved in advance; approved are 8, 12, 16, 20. Choose one of them, or ask for "
            "a normal change.",
            id="text is no number",
        ),
        pytest.param(
            "restart",
            {"values": {"instance": True}},
            "instance = true is not approved in advance; approved are 1, 2, 3. Choose one of them, or ask for a normal "
            "change.",
            id="true is not one",
        ),
        pytest.param(
            "max_idle",
            {"values": {"maxidle": 8}},
            "'maxidle' is not a parameter of this standard change. Did you mean 'max_idle'?",
            id="an unknown parameter",
        ),
        pytest.param(
            "max_idle",
            {"reviewer": None},
            "The standard change 'max_idle' names no reviewer. Name who stands by; not the owner.",
            id="nobody stands by",
        ),
    ],
)
def test_a_request_outside_of_the_envelope_is_refused(name: str, changed: dict[str, Any], message: str) -> None:
    """What is not approved in advance is named, with what is."""
    with pytest.raises(BadRequest, match=f"^{re.escape(message)}$"):
        asked(name, **changed)


def test_a_request_leaves_the_template_as_it_is() -> None:
    """Values chosen for one change are not those of the next."""
    asked(values={"max_idle": 20})["steps"].clear()
    assert asked()["parameters"]["max_idle"]["default"] == 12
    assert asked()["steps"]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        pytest.param({}, "max_idle", id="as it was made"),
        pytest.param({"window": {**WINDOW, "zone": "Europe/Berlin"}}, "max_idle", id="another window"),
        pytest.param({"owner": "erik", "reviewer": "dora"}, "max_idle", id="other people"),
        pytest.param({"type": "normal"}, None, id="another type"),
        pytest.param({"risk": "low"}, None, id="a lower risk"),
        pytest.param({"services": ["orders", "payments"]}, None, id="one more service"),
        pytest.param({"environment": "staging"}, None, id="another environment"),
        pytest.param({"details": "Nothing to see here."}, None, id="another text"),
        pytest.param({"on_call": "carol"}, None, id="a field that the template has not"),
        pytest.param({"preflight": {}}, None, id="without its checks"),
        pytest.param({"parameters": {}}, None, id="without its parameters"),
        pytest.param({"window": None}, None, id="no window"),
        pytest.param({"owner": None}, None, id="no owner"),
        pytest.param({"window": []}, None, id="a list for a window"),
    ],
)
def test_an_altered_ticket_is_not_approved_in_advance(changed: dict[str, Any], name: str | None) -> None:
    """A pasted ticket of type standard counts as one only if its template makes exactly it."""
    assert STANDARDS.is_inside({**asked(), **changed}) == name


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        pytest.param({"default": 16}, "max_idle", id="an allowed default"),
        pytest.param({"default": 1}, None, id="one that is not allowed"),
        pytest.param({"default": 1, "allowed": [1]}, None, id="one that the ticket allows itself"),
        pytest.param({"default": 12.0}, None, id="a fraction for a whole number"),
        pytest.param({"default": "10"}, None, id="text for a number"),
        pytest.param({"default": None}, None, id="nothing"),
        pytest.param({"allowed": [8, 12, 16, 20, 1]}, None, id="a wider envelope"),
        pytest.param({"help": "Choose 1."}, None, id="another help"),
    ],
)
def test_the_envelope_is_the_templates(parameter: dict[str, Any], name: str | None) -> None:
    """A ticket cannot bring its own."""
    data = asked()
    data["parameters"]["max_idle"] |= parameter
    assert STANDARDS.is_inside(data) == name


def test_a_ticket_of_type_standard_that_nobody_prepared_is_none() -> None:
    """Writing `type: standard` approves nothing."""
    assert STANDARDS.is_inside(banner(type="standard")) is None
    assert STANDARDS.is_inside({}) is None


def test_a_template_that_was_changed_no_longer_knows_its_old_tickets() -> None:
    """What was approved in advance is what the template says now."""
    template = STANDARDS.templates["max_idle"]
    narrow = copy.deepcopy(dict(template.data))
    narrow["parameters"]["max_idle"]["allowed"] = [10, 12]
    now = Standards({"max_idle": replace(template, data=narrow)})
    assert now.is_inside(asked()) is None


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [inner for key, value in pairs for inner in _places(value, (*place, key))]
    return [place, *inside] if place else inside


PLACES = [
    place
    for place in _places(asked())
    if place[0] not in {"window", "owner", "reviewer"} and place != ("parameters", "max_idle", "default")
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES), st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]))
def test_no_alteration_anywhere_goes_unseen(place: tuple[Any, ...], value: Any) -> None:
    """Whatever is changed outside of what a request may say, the ticket is no standard change any more."""
    data = inside = asked()
    for part in place[:-1]:
        inside = inside[part]
    was, inside[place[-1]] = inside[place[-1]], value
    is_same = json.dumps(was) == json.dumps(value)
    assert STANDARDS.is_inside(data) == ("max_idle" if is_same else None)
