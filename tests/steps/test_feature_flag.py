"""The step feature_flag, against a service with one flag and against one that answers as it is told."""

from collections.abc import Iterator
from typing import Any

import pytest

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.feature_flag import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from step_fixtures.feature_flag import Flags, serving
from support.recording_server import RecordingServer

FIELDS = {key: value for key, value in EXAMPLE.items() if key != "kind"}
OFREP = {
    "path": "/ofrep/v1/evaluate/flags/checkout",
    "ask": {"context": {"targetingKey": "probe"}},
    "json": "value",
    "connection": "evaluation",
}


def step(**fields: Any) -> Step:
    """Return the example, with other fields."""
    return Step.model_validate({**FIELDS, **fields})


def context(url: str, **fields: Any) -> Context:
    """Return what a step may use."""
    given = {"login": "robot", "password": "secret", **fields}
    return Context("CHG-1", 1, lambda name: Connection(name, "http", host=url, **given), print)


@pytest.fixture
def served() -> Iterator[tuple[Flags, str]]:
    """Serve the flag, which is false."""
    with serving() as server:
        yield server


def test_a_flag_of_an_ofrep_service_with_on_and_off_in_the_path(served: tuple[Flags, str]) -> None:
    """It is read by a POST that only reads, and written as Unleash wants it."""
    flags, url = served
    write = {"method": "POST", "path": "/features/checkout/environments/production/{{on_or_off}}"}
    here, unleash = context(url), step(read=OFREP, write=write)
    assert unleash.missing_prerequisites(here) == []
    remembered = unleash.remember(here)
    assert remembered == {"before": False}
    unleash.apply(here, remembered)
    assert flags.value is True
    unleash.undo(here, remembered)
    assert flags.value is False
    assert [sent.path.rpartition("/")[2] for sent in flags.requests if "ofrep" not in sent.path] == ["on", "off"]


@pytest.mark.parametrize(
    ("extra", "header"),
    [({}, "Basic cm9ib3Q6c2VjcmV0"), ({"header": "Authorization"}, "secret"), ({"scheme": "Token"}, "Token secret")],
)
def test_how_a_service_wants_to_be_signed(served: tuple[Flags, str], extra: dict[str, str], header: str) -> None:
    """Login and password, a bare token, or a token after a word."""
    flags, url = served
    step().apply(context(url, extra=extra), {"before": False})
    assert {sent.headers.get("Authorization", "") for sent in flags.requests} == {header}


def test_a_token_that_is_missing() -> None:
    """Nothing is sent without it."""
    with pytest.raises(UnusableConnection, match="has no password"):
        step().remember(context("http://127.0.0.1:1", password="", extra={"scheme": "Bearer"}))


def test_a_value_keeps_its_type_unless_it_is_part_of_a_text(served: tuple[Flags, str]) -> None:
    """A number is a number, and `{{value}}` within a text becomes text."""
    flags, url = served
    flags.value = 10
    here, percent = context(url), step(value=50)
    remembered = percent.remember(here)
    percent.apply(here, remembered)
    assert flags.value == 50
    percent.undo(here, remembered)
    assert flags.value == 10
    within = step(value=50, write={**FIELDS["write"], "body": [{"value": "{{value}} %"}]}, timeout="1s")  # type: ignore[dict-item]
    with pytest.raises(StepFailed, match=r'Timed out after 0\.8s, waiting until .* is 50\. It is "50 %"\.'):
        within.apply(here, remembered)


def test_what_somebody_else_set_stays(served: tuple[Flags, str]) -> None:
    """Both ways; the message names all three values."""
    flags, url = served
    flags.value = "third"
    message = (
        'Somebody else has set the flag: it is "third" now, and neither "new", which this change writes, nor "old", '
        "which was there before. Nothing was overwritten. Find out who set it, and set it by hand."
    )
    for act in (step(value="new").apply, step(value="new").undo):
        with pytest.raises(StepFailed) as raised:
            act(context(url), {"before": "old"})
        assert str(raised.value) == message
    assert flags.value == "third"


def test_another_type_is_refused_at_the_gate(served: tuple[Flags, str]) -> None:
    """A flag that is a boolean is not set to a text; `read` may look at the wrong place."""
    assert step(value="on").missing_prerequisites(context(served[1])) == [
        'the flag is false and shall be "on", which is not the same type; correct `value` or `read`'
    ]


@pytest.mark.parametrize(
    "write",
    [
        {"method": "POST", "path": "/features/checkout/on"},
        {"method": "POST", "path": "/features/checkout/{{on_or_off}}"},
        {"method": "PUT", "path": "/features/checkout", "body": {"{{value}}": True}},
    ],
    ids=["no place for a value", "text as on or off", "value as a key"],
)
def test_a_request_that_cannot_tell_the_values_apart_is_refused(served: tuple[Flags, str], write: Any) -> None:
    """Undo would send what apply has sent."""
    flags, url = served
    flags.value = "all"
    assert step(value="some", write=write).missing_prerequisites(context(url)) == [
        '`write` sends the same for "some" and for "all", so undo could not set the flag back; put `{{value}}` into it'
    ]
    assert step(value="all", write=write).missing_prerequisites(context(url)) == []


def test_a_value_that_looks_like_a_place_for_one_is_written_as_it_is(served: tuple[Flags, str]) -> None:
    """What stood in the flag comes back, whatever it is."""
    flags, url = served
    flags.value = "as {{on_or_off}} says"
    within = step(value="as it is", write={**FIELDS["write"], "body": [{"value": "as {{value}}"}]})  # type: ignore[dict-item]
    within._send(context(url), "{{on_or_off}} says")
    assert flags.value == "as {{on_or_off}} says"


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (404, "", "/api/flags/checkout at example_flags has no such flag (404): create it, or correct `read`."),
        (401, "", "/api/flags/checkout at example_flags answered 401: see why, or correct `read`."),
        (200, "<html>", "The flag cannot be read from /api/flags/checkout at example_flags: the reply is not JSON: "),
        (200, '{"environments": []}', "the reply has nothing at environments.production.on (no 'production'). Correct"),
    ],
)
def test_a_flag_that_cannot_be_read(server: RecordingServer, status: int, text: str, message: str) -> None:
    """It is found at the gate, with what to do."""
    server.otherwise = (status, text)
    with pytest.raises(StepFailed) as raised:
        step().missing_prerequisites(context(server.url))
    assert message in str(raised.value)


def test_a_refused_write(server: RecordingServer) -> None:
    """The service's own words are in the message."""
    server.answers = {"/api/flags/checkout": (200, '{"environments": {"production": {"on": false}}}')}
    server.otherwise = (403, "not yours")
    elsewhere = step(write={"method": "PUT", "path": "/elsewhere", "body": VALUE})
    with pytest.raises(StepFailed, match="PUT /elsewhere at example_flags answered 403: 'not yours'"):
        elsewhere.apply(context(server.url), {"before": False})
    assert server.requests[-1].body == "true"


VALUE = "{{value}}"


def test_a_whole_number_may_come_back_with_a_fraction(served: tuple[Flags, str]) -> None:
    """50 is 50.0, and neither is somebody else's value."""
    flags, url = served
    flag, here = step(value=50), context(url)
    flags.value = 10.0
    remembered = flag.remember(here)
    flag.apply(here, remembered)
    flags.value = 50.0
    flag.undo(here, remembered)
    assert flags.value == 10


def test_a_text_without_a_charset_is_read_as_utf_8(server: RecordingServer) -> None:
    """What is remembered is what undo writes back."""
    server.headers["Content-Type"] = "text/plain"
    server.otherwise = (200, '{"on": "für alle"}')
    assert step(read={"path": "/flag", "json": "on"}).remember(context(server.url)) == {"before": "für alle"}


def test_json_that_python_cannot_parse(server: RecordingServer) -> None:
    """Ten thousand lists in lists are no flag."""
    server.otherwise = (200, "[" * 100_000)
    with pytest.raises(StepFailed, match="The flag cannot be read from /flag at example_flags: the reply is not JSON"):
        step(read={"path": "/flag", "json": "on"}).remember(context(server.url))
