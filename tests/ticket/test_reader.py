"""Tickets are read with every mistake at once, in their author's words."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.documents.findings import Finding, are_errors
from changewindow.documents.wording import Wrong, finding_of
from changewindow.policy.check import Facts
from changewindow.policy.review import load_file, load_text
from changewindow.ticket import plan
from changewindow.ticket.reader import MOST, build_ticket
from support.tickets import BANNER, EXAMPLES, FACTS, NOW, POLICY, SOURCE, TESTS, banner, by_schema

MISTAKES = sorted((TESTS / "bad_tickets").glob("*.yaml"))
RELEASE = EXAMPLES[-1].read_text(encoding="utf-8")
KNOWN = Facts(now=NOW, policy=POLICY)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["nothing", "{{ params.x }}", "{{ params", "1m", "UTC", "http", "(", "<program>", "2031-03-18 14:30"]
    ),
    st.lists(st.integers() | st.text(max_size=3), max_size=2),
    st.dictionaries(
        st.sampled_from(["kind", "shell", "pass", "for", "x"]), st.integers() | st.just("http"), max_size=2
    ),
)


def lint_lines(text: str, facts: Facts = FACTS) -> list[str]:
    """Return the findings of a text as lines."""
    return [finding.text("") for finding in load_text(text, facts).findings]


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_said_word_for_word(path: Path) -> None:
    """Each file holds one mistake, named by the file; its first lines say what the author reads."""
    text = path.read_text(encoding="utf-8")
    expected = re.findall(r"^# expect: (.*)$", text, re.MULTILINE)
    assert expected
    assert lint_lines(text, KNOWN if text.startswith("# policy") else FACTS) == [f":{line}" for line in expected]


def test_findings_are_in_the_authors_words() -> None:
    """No finding speaks of Python; each ends with what to do."""
    for finding in (finding for path in MISTAKES for finding in load_file(path, KNOWN).findings):
        assert not re.search(r"\b(tuple|input|str|dict|int|NoneType|pydantic)\b", finding.text(""), re.IGNORECASE)
        assert finding.remedy.endswith((".", "?"))


def test_a_mistake_that_nobody_foresaw_has_a_sentence_too() -> None:
    """A new kind may restrict its fields in ways that have no words of their own yet."""
    wrong = Wrong(("steps", 0, "address"), None, "url_parsing", "x", {}, "Input should be a valid URL", "ticket")
    sentence, remedy = "input should be a valid URL, found 'x'", "Compare it with `changewindow schema`."
    assert finding_of(wrong) == Finding("ticket", sentence, remedy, ("steps", 0, "address"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_findings(path: Path) -> None:
    """The examples are right."""
    assert load_file(path, KNOWN).findings == ()


def test_a_warning_prevents_no_ticket() -> None:
    """It is said, and the ticket can be used; a mistake beside it can not."""
    warned = load_text(json.dumps(banner(services=["orders", "order"])), KNOWN)
    assert [finding.is_warning for finding in warned.findings] == [True, True]
    assert warned.ticket
    wrong = load_text(json.dumps(banner(services=["orders", "order"], reviewer="alice")), KNOWN)
    assert sorted(finding.is_warning for finding in wrong.findings) == [False, True, True]
    assert wrong.ticket is None


def test_what_is_warned_of_is_warned_of_once() -> None:
    """Trying the values of a parameter repeats no warning that holds without them."""
    parameters = {"x": {"default": "on", "allowed": ["on", "off"]}}
    lines = lint_lines(json.dumps(banner(services=["order"], parameters=parameters)), KNOWN)
    assert lines == [
        ":1: warning: services.0: 'order' is not in the service catalogue. Did you mean 'orders'? [known_service]"
    ]


def test_more_warnings_than_anybody_reads_are_warnings_still() -> None:
    """Cutting them short makes no mistake of them."""
    loaded = load_text(json.dumps(banner(services=[f"unknown-{number}" for number in range(500)])), KNOWN)
    assert loaded.ticket
    assert {finding.is_warning for finding in loaded.findings} == {True}
    assert loaded.findings[-1].sentence == "there are more findings"


def test_a_check_that_is_left_out_is_not_asked() -> None:
    """For templates, which have no window yet."""
    text = json.dumps(banner(reviewer="alice"))
    assert load_text(text, FACTS).ticket is None
    assert load_text(text, replace(FACTS, without=frozenset({"two_people"}))).ticket


def test_more_mistakes_than_anybody_reads_are_cut_short() -> None:
    """A hundred findings are shown; the last line says that there are more."""
    lines = lint_lines(json.dumps(banner(**{f"x{number}": 1 for number in range(500)})))
    assert len(lines) == MOST + 1
    assert lines[-1] == ":1: there are more findings. Correct those above first. [lint]"


def test_a_parameter_keeps_its_type_where_it_is_the_whole_value() -> None:
    """A whole value takes the parameter's type, a part of a text becomes text; names of fields do not matter."""
    call = {
        "name": "Scale to {{ params.count }}",
        "kind": "http_call",
        "connection": "shop",
        "path": "/{{ params.fast }}",
        "body": {"count": "{{ params.count }}", "parameters": {"fast": ["{{params.fast}}"]}},
        "undo": "nothing",
    }
    parameters = {"count": {"type": "integer", "default": 3}, "fast": {"type": "boolean", "default": True}}
    step = build_ticket(banner(steps=[call], parameters=parameters)).steps[0]
    assert (step.name, step.path) == ("Scale to 3", "/true")
    assert step.body == {"count": 3, "parameters": {"fast": [True]}}


TYPED = {
    "limit": {"type": "integer", "default": 15, "allowed": [15, 20]},
    "share": {"type": "number", "default": 0.5},
    "fast": {"type": "boolean", "default": True},
    "name": {"default": "7"},
}


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        pytest.param("limit", "15", 15, id="an integer"),
        pytest.param("share", "0.5", 0.5, id="a number"),
        pytest.param("fast", "true", True, id="true"),
        pytest.param("name", "7", "7", id="text that looks like a number"),
    ],
)
def test_one_parameter_is_text_and_value(name: str, argument: str, value: Any) -> None:
    """It is text where the field is text, and keeps its type where the field takes any; the plan shows both."""
    use = f"{{{{ params.{name} }}}}"
    command = {"name": f"Set {use}", "kind": "command", "undo": ["limit", "off"], "environment": {"LIMIT": use}}
    command["run"] = ["limit", use, f"--to={use}"]
    source = {"kind": "command", "run": ["read", use]}
    condition = {"name": "limit is set", "source": source, "pass": {"equals": use}}
    data = banner(steps=[command], validation=[condition], parameters=TYPED)
    loaded = load_text(json.dumps(data), FACTS)
    assert loaded.findings == ()
    step, [read] = build_ticket(data).steps[0], build_ticket(data).validation
    assert step.run == ("limit", argument, f"--to={argument}")
    assert (step.name, step.environment) == (f"Set {argument}", {"LIMIT": argument})
    assert read.source.run == ("read", argument)
    assert read.good
    assert read.good.equals == value
    assert isinstance(read.good.equals, bool) == isinstance(value, bool)
    assert list(by_schema().iter_errors(data)) == []
    assert f"limit {argument} --to={argument}" in plan.text("CHG-1", build_ticket(data))


def test_one_parameter_is_a_bound_an_argument_and_a_length_of_time() -> None:
    """What was chosen for a run is in all of them."""
    use = "{{ params.limit }}"
    command = {"name": "Set it", "kind": "command", "run": ["limit", use], "undo": ["off"]}
    condition = {"name": "below it", "source": {"kind": "command", "run": ["read"]}, "pass": {"below": use}}
    watch = {"for": f"{use}m", "conditions": [condition]}
    chosen = build_ticket(banner(steps=[command], parameters=TYPED, watch=watch), {"limit": 20})
    assert chosen.steps[0].run == ("limit", "20")
    [bound] = [read.good.below for read in chosen.watch.conditions if read.good]
    assert (bound, chosen.watch.length) == (20, timedelta(minutes=20))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        pytest.param({"run": ["limit", 15], "undo": ["off"]}, "found 15", id="a number that the author typed"),
        pytest.param({"run": ["limit", True], "undo": ["off"]}, "found true", id="true that the author typed"),
        pytest.param({"run": ["limit"], "undo": ["off"], "timeout": "{{ params.limit }}"}, "15 ", id="a bare number"),
        pytest.param({"run": ["a"], "undo": ["b"], "undo_retries": "{{ params.name }}"}, "'7'", id="text for a number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_still(changed: dict[str, Any], sentence: str) -> None:
    """Only a parameter in a text becomes text; nothing becomes a number or a length of time by itself."""
    step = {"name": "Set it", "kind": "command", **changed}
    used = {"name": "It", "kind": "command", "run": ["{{ params.limit }}", "{{ params.name }}"], "undo": ["off"]}
    lines = lint_lines(json.dumps(banner(steps=[used, step], parameters=TYPED)))
    assert len([line for line in lines if sentence in line]) == 1, lines


CHOICES = {
    "count": {"type": "integer", "default": 1, "allowed": [1, 2]},
    "share": {"type": "number", "default": 0.5, "allowed": [0.5, 1]},
    "name": {"default": "on"},
}


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [
        pytest.param({"count": 2}, {"count": 2}, id="an approved value is taken"),
        pytest.param({"share": 1.0}, {"share": 1}, id="a number is taken as it was approved"),
        pytest.param({}, {"count": 1, "name": "on"}, id="the defaults are taken without a choice"),
    ],
)
def test_a_run_takes_approved_values(chosen: dict[str, Any], taken: dict[str, Any]) -> None:
    """The ticket of a run holds the values that were chosen, with their types."""
    call: dict[str, Any] = {"name": "Call", "kind": "http_call", "connection": "shop", "path": "/", "undo": "nothing"}
    call |= {"body": {name: f"{{{{ params.{name} }}}}" for name in taken}}
    sent = build_ticket(banner(parameters=CHOICES, steps=[call]), chosen).steps[0].body
    assert {name: repr(value) for name, value in sent.items()} == {name: repr(value) for name, value in taken.items()}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"count": 3}, "count = 3 was not approved; approved are 1, 2"),
        ({"count": True}, "count = true was not approved; approved are 1, 2"),
        ({"name": "off"}, "name = 'off' was not approved; approved are 'on'"),
        ({"colour": "red"}, "'colour' is not a parameter of this change"),
    ],
)
def test_a_run_takes_nothing_else(chosen: dict[str, Any], message: str) -> None:
    """A value that nobody approved is refused, with those that were."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build_ticket(banner(parameters=CHOICES), chosen)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.text("-:{}[]?!&*|>'\"% \n#,a1", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever somebody types, there is a finding and never an exception."""
    assert load_text(text, FACTS).findings


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(RELEASE)), st.integers(0, 40), st.text("-:{}[]&*|'\"% \n#,a1\t\x00\ud800", max_size=4))
def test_no_slip_of_the_keyboard_breaks_the_reader(start: int, length: int, typed: str) -> None:
    """A ticket with a piece lost, and something else typed there, has findings or is a ticket."""
    loaded = load_text(RELEASE[:start] + typed + RELEASE[start + length :], FACTS)
    assert (loaded.ticket is None) == bool(loaded.findings)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_value_anywhere_breaks_the_reader(data: st.DataObject) -> None:
    """A ticket with anything anywhere has findings or is a ticket; what lint accepts, the schema accepts."""
    changed = banner(parameters={"x": {"default": "y"}})
    for _ in range(data.draw(st.integers(1, 3))):
        _put(changed, data.draw(st.sampled_from(_places(changed))), data)
    loaded = load_text(json.dumps(changed), KNOWN)
    assert (loaded.ticket is None) == are_errors(loaded.findings)
    assert all(finding.line == 1 and finding.remedy for finding in loaded.findings)
    if loaded.ticket:
        assert list(by_schema().iter_errors(loaded.data)) == []


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [inner for key, value in pairs for inner in _places(value, (*place, key))]
    return [place, *inside] if place else inside


def _put(value: Any, place: tuple[Any, ...], data: st.DataObject) -> None:
    for part in place[:-1]:
        value = value[part]
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            value[place[-1]] = data.draw(VALUES)
        case "remove":
            del value[place[-1]]
        case _:
            if isinstance(value, dict):
                value[data.draw(st.text(max_size=5))] = data.draw(VALUES)


def test_the_small_ticket_of_these_tests_is_right() -> None:
    """Otherwise the tests above would prove nothing."""
    assert lint_lines(json.dumps(BANNER)) == []


def test_a_finding_is_one_short_line_whatever_was_written() -> None:
    """Its remedy repeats nothing long either, and neither does its place."""
    changed = banner(services="a" * 70_000, **{"b" * 900: "x"})
    lines = lint_lines(json.dumps(changed))
    assert [line for line in lines if len(line) > 400] == []
    assert any("Write it as a list, e.g. `services: [first, second]`" in line for line in lines)
    source = {**SOURCE, "connection": "a " * 3000}
    condition = {"name": "x", "source": source, "pass": {"equals": 1}}
    [line] = lint_lines(json.dumps(banner(validation=[condition])), KNOWN)
    assert len(line) < 2000


def test_a_finding_is_one_line_though_a_value_has_several() -> None:
    """Whatever quotes it."""
    source = {**SOURCE, "connection": "a\nb"}
    [line, *others] = lint_lines(
        json.dumps(banner(validation=[{"name": "x", "source": source, "pass": {"equals": 1}}])), KNOWN
    )
    assert r"connection 'a\nb' is not listed" in line
    assert [other for other in (line, *others) if "\n" in other] == []
