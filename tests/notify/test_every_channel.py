"""What holds for every kind of channel, found by its file."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from changewindow import kinds
from changewindow.errors import ChangeError, UnknownConnection
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Tools, WayOn
from changewindow.policy.messages import AnyChannel
from servers.channel_services import SERVICES, Service
from support.recording_server import Answer, Reply

CHANNELS = kinds.modules("notify")
NOW = datetime.now(UTC)
FACTS = {"change": "CHG-1042", "state": "completed", "summary": "Switch the banner on.", "links": {}}
MESSAGE = Message("✅ COMPLETED CHG-1042\nWindow: 03:00 UTC\nhttps://example.org/1042", NOW, "CHG-1042", facts=FACTS)
UNKNOWN_TWICE = {"teams", "apprise"}
"""Those that cannot know a message again, and say so."""
BY_HTTP = ("webhook", "teams", "apprise")


@pytest.fixture(params=CHANNELS)
def kind(request: pytest.FixtureRequest) -> str:
    """Return each kind."""
    return str(request.param)


@pytest.fixture
def module(kind: str) -> ModuleType:
    """Return its module."""
    return CHANNELS[kind]


@pytest.fixture
def service(kind: str, caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """Serve what each kind sends to."""
    with SERVICES[kind](caplog) as serving:
        yield serving


def channel(given: dict[str, Any]) -> ChannelBase:
    """Return a channel as messages.yaml describes it."""
    read: ChannelBase = TypeAdapter(AnyChannel).validate_python(given)
    return read


@pytest.fixture
def channel_under_test(kind: str, service: Service) -> ChannelBase:
    """Return the channel with the least that a policy writes for it."""
    return channel({"kind": kind, **service.settings})


def test_its_example_is_valid_and_documented(module: ModuleType) -> None:
    """Whoever writes messages.yaml can copy it."""
    assert channel(module.EXAMPLE)
    assert module.EXAMPLE["kind"] == "log" or "Source: https://" in str(module.__doc__)


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        channel({**module.EXAMPLE, "chanel": "C1"})


def test_a_message_arrives_whole(channel_under_test: ChannelBase, service: Service) -> None:
    """With its first line first; its reference, and what it is held up by, fit into the outbox."""
    reference = channel_under_test.post(service.tools(), "#deploys", MESSAGE)
    (text,) = service.texts()
    assert all(line in text for line in MESSAGE.text.splitlines())
    assert max(len(reference.id), len(reference.place), len(channel_under_test.place("#deploys"))) <= 250
    assert reference.id


def test_a_late_message_says_so(channel_under_test: ChannelBase, service: Service) -> None:
    """As after an outage."""
    channel_under_test.post(service.tools(), "#deploys", replace(MESSAGE, about=NOW - timedelta(hours=3)))
    assert "COMPLETED CHG-1042 (said 3 h late: " in service.texts()[0]


def test_news_follow_the_first_message(channel_under_test: ChannelBase, service: Service) -> None:
    """Where there are threads, in one; what is loud arrives as well."""
    first = channel_under_test.post(service.tools(), "#deploys", MESSAGE)
    news = replace(MESSAGE, text="❌ FAILED", key="CHG-1042/17", calls=("alice", "bob"))
    second = channel_under_test.post(service.tools(), "#deploys", news, below=first, is_loud=True)
    assert second.id != first.id


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!channel> <@U123> @everyone @all <https://evil|ours>", id="calls"),
        pytest.param("done\r\nBcc: evil@example.com\r\n\r\nX-Header: 1", id="headers"),
        pytest.param("\x1b[2J\u202ereversed\u2028\x00\ud800 end", id="unseen"),
        pytest.param("ü🔥" * 30_000, id="long"),
        pytest.param(
            "\n".join("line https://example.org/ https://example.org/b" for _ in range(3000)), id="many lines"
        ),
        pytest.param("https://a.bc " * 20_000, id="many addresses"),
        pytest.param('{"a": "b"} \\ " <b>&amp; **bold** [a](http://e)', id="markup"),
        pytest.param("", id="nothing"),
    ],
)
def test_nothing_that_people_have_written_is_too_much_or_acts(
    channel_under_test: ChannelBase, service: Service, text: str, kind: str
) -> None:
    """It is taken, calls nobody, and hides nothing."""
    facts = {**FACTS, "summary": text, "reason": float("nan")}
    message = Message(f"❌ FAILED CHG-1: {text}", NOW, "CHG-1", calls=("alice",), facts=facts)
    channel_under_test.post(service.tools(), "#deploys", message)
    (arrived,) = service.texts()
    assert "FAILED CHG-1" in arrived
    assert not {"\x1b", "\u202e", "\x00"} & set(arrived)
    if kind in {"slack", "apprise"}:
        assert "<!channel>" not in arrived
        assert "<@U123>" not in arrived


def test_without_its_connection_it_says_which(kind: str, channel_under_test: ChannelBase) -> None:
    """The log needs none."""

    def none(name: str) -> Any:
        raise UnknownConnection(name)

    if kind == "log":
        assert channel_under_test.post(Tools(none), "#deploys", MESSAGE)
        return
    with pytest.raises(ChangeError, match=r"no Airflow Connection '\w+'\. Create it .* or correct messages.yaml"):
        channel_under_test.post(Tools(none), "#deploys", MESSAGE)


def test_an_empty_password_is_explained(kind: str, channel_under_test: ChannelBase, service: Service) -> None:
    """With the name of the connection; nothing is sent that nobody could verify."""
    if kind == "log":
        return
    with pytest.raises((NotDelivered, ChangeError), match=r"[cC]onnection|'smtp_default'"):
        channel_under_test.post(service.tools(password=""), "#deploys", MESSAGE)
    assert service.texts() == []


def test_a_message_that_is_sent_again_is_known_or_nobody_claims_so(
    kind: str, channel_under_test: ChannelBase, module: ModuleType, service: Service
) -> None:
    """As after a crash between a post and its record: it is found, known by its id, or said to stand there twice."""
    first = channel_under_test.post(service.tools(), "#deploys", MESSAGE)
    documentation = " ".join(str(module.__doc__).split())
    assert ("may stand there twice" in documentation) == (kind in UNKNOWN_TWICE)
    if kind in UNKNOWN_TWICE:
        with pytest.raises(NotDelivered) as unknown:
            channel_under_test.find(service.tools(), "#deploys", MESSAGE.key, since=NOW)
        assert unknown.value.way_on is WayOn.TWICE
        return
    found = channel_under_test.find(service.tools(), "#deploys", MESSAGE.key, since=NOW)
    assert found == (first if kind == "slack" else None)
    again = channel_under_test.post(service.tools(), "#deploys", MESSAGE)
    assert kind == "slack" or again == first


def test_its_secrets_stand_nowhere(
    channel_under_test: ChannelBase, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in what it is called, nor in any log, nor in what stands in the outbox."""
    caplog.set_level(logging.DEBUG)
    reference = channel_under_test.post(service.tools(), "#deploys", MESSAGE)
    shown = f"{channel_under_test!r} {channel_under_test.place('#deploys')} {reference!r} {service.tools()!r}"
    for secret in service.secrets:
        assert secret not in shown
        assert secret not in "".join(f"{record.name} {record.getMessage()}" for record in caplog.records)


WRONG: dict[str, tuple[Answer, WayOn, bool]] = {
    "unknown secret": (Reply(401, '{"message": "who are you? {secret}"}'), WayOn.BY_HAND, True),
    "not allowed": (Reply(403, "<html>{secret}</html>"), WayOn.BY_HAND, True),
    "gone": (Reply(404, ""), WayOn.BY_HAND, True),
    "redirect": (Reply(302, "", {"Location": "http://169.254.169.254/latest"}), WayOn.BY_HAND, True),
    "redirect that keeps the method": (Reply(307, "", {"Location": "/hooks"}), WayOn.BY_HAND, True),
    "not understood": (Reply(400, '{"error": "no"}'), WayOn.PLAIN, True),
    "too large": (Reply(413, ""), WayOn.PLAIN, True),
    "too often": (Reply(429, "[]", {"Retry-After": "7"}), WayOn.LATER, True),
    "broken": (Reply(500, "<html>"), WayOn.LATER, False),
    "lost": (Reply(is_lost=True), WayOn.LATER, False),
    "hanging": (Reply(202, delay=60), WayOn.LATER, False),
    "cut off": (Reply(202, "{", length=50), WayOn.LATER, False),
    "no end": (Reply(200, [b"x" * 65536] * 400), WayOn.LATER, False),
}
HTTP = pytest.mark.parametrize("kind", BY_HTTP, indirect=False)


@HTTP
@pytest.mark.parametrize(("answer", "way_on", "is_refused"), WRONG.values(), ids=WRONG)
def test_whatever_goes_wrong_has_a_way_on(
    kind: str, caplog: pytest.LogCaptureFixture, answer: Reply, way_on: WayOn, *, is_refused: bool
) -> None:
    """It says what to do, without a secret; whether it arrived is claimed only where that is certain."""
    with SERVICES[kind](caplog) as service:
        assert service.server
        if isinstance(answer.body, str):
            answer = replace(answer, body=answer.body.replace("{secret}", service.connection().password.strip()))
        service.server.otherwise = answer
        tested = channel({"kind": kind, **service.settings})
        if kind == "apprise" and answer.status == 200:
            return  # Apprise reads what comes as far as it wants to
        with pytest.raises(NotDelivered) as failed:
            tested.post(service.tools(within=1 if answer.delay else 60), "#deploys", MESSAGE)
        error = failed.value
        assert error.way_on == way_on
        assert error.is_refused == is_refused
        assert error.after == timedelta(seconds=7 if answer.status == 429 and kind != "apprise" else 0)
        assert f"'{service.settings['connection']}'" in str(error)
        assert not any(secret in f"{error} {error!r} {error.__cause__!r}" for secret in service.secrets)
        assert answer.delay or len(service.server.requests) == 1


@HTTP
def test_nobody_there_is_tried_later(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is certain that nothing arrived, but where Apprise does not say so."""
    gone = {"webhook": {"host": "http://127.0.0.1:1"}, "teams": {"password": "https://127.0.0.1:1/secret-path"}}
    with SERVICES[kind](caplog) as service:
        changed = gone.get(kind, {"password": "json://127.0.0.1:1/secret-path"})
        with pytest.raises(NotDelivered) as failed:
            channel({"kind": kind, **service.settings}).post(service.tools(**changed), "#deploys", MESSAGE)
    assert (failed.value.way_on, failed.value.is_refused) == (WayOn.LATER, kind != "apprise")
    assert "secret-path" not in str(failed.value)
