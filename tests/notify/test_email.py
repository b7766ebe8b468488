"""The channel email, against real mail servers of this machine."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import ChangeError
from changewindow.notify.base import Message, NotDelivered, Reference, Tools, WayOn
from changewindow.notify.email import Channel
from changewindow.systems.connection import Connection
from servers.mailbox import PASSWORD, Mailbox, mailbox
from support.certificates import Signed, certificate

NOW = datetime(2031, 3, 18, 3, 12, 10, tzinfo=UTC)
TEXT = "✅ COMPLETED CHG-1042: Größer machen\nWindow: 03:00 to 04:00 UTC\n.\nhttps://example.org/changes/1042"
CHANNEL = Channel(to=("changes@example.org", "on-call@example.org"))


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """Serve a mailbox without encryption or login."""
    with mailbox() as serving:
        yield serving


def tools(connection: Connection, **changed: Any) -> Tools:
    """Return what the channel may use."""
    return Tools(lambda _: connection, **{"now": lambda: NOW, "within": 60, **changed})


def post(connection: Connection, text: str = TEXT, key: str = "CHG-1042", **more: Any) -> Reference:
    """Send a mail."""
    return CHANNEL.post(tools(connection), "#deploys", Message(text, NOW, key), **more)


def test_a_message_is_one_plain_mail_to_all_addresses(box: Mailbox) -> None:
    """Its subject is what matters; nothing in it is fetched from elsewhere, and no holiday reply comes back."""
    reference = post(box.connection())
    (mail,), (envelope,) = box.mails, box.envelopes
    assert mail["Subject"] == "✅ COMPLETED CHG-1042: Größer machen"
    assert mail["From"] == "Change Windows <cw@example.org>"
    assert mail["To"] == "changes@example.org, on-call@example.org"
    assert (envelope.mail_from, envelope.rcpt_tos) == ("cw@example.org", ["changes@example.org", "on-call@example.org"])
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == TEXT.splitlines()
    assert parsedate_to_datetime(mail["Date"]) == NOW
    assert (mail["Auto-Submitted"], mail["X-Change-Windows"]) == ("auto-generated", "CHG-1042")
    assert mail["Message-ID"] == reference.id
    assert mail["Importance"] is None


def test_what_follows_stands_in_the_thread_of_the_first(box: Mailbox) -> None:
    """By the headers that mail programs go by; what is loud is of high importance."""
    first = post(box.connection())
    post(box.connection(), "❌ FAILED", "CHG-1042/17", below=first, is_loud=True)
    mail = box.mails[1]
    assert (mail["In-Reply-To"], mail["References"], mail["Importance"]) == (first.id, first.id, "high")


def test_a_mail_that_is_sent_twice_can_be_known_again(box: Mailbox) -> None:
    """As after a crash between sending and writing that down; no other mail has its id."""
    posts = [post(box.connection()), post(box.connection(), "later text"), post(box.connection(), TEXT, "CHG-1042/17")]
    elsewhere = CHANNEL.post(tools(box.connection()), "#other", Message(TEXT, NOW, "CHG-1042"))
    assert posts[0] == posts[1]
    assert len({posts[0].id, posts[2].id, elsewhere.id}) == 3
    assert CHANNEL.find(tools(box.connection()), "#deploys", "CHG-1042", since=NOW) is None


def test_whom_a_message_calls_gets_it_too(box: Mailbox) -> None:
    """Those whose address the policy knows, once each."""
    ids = {"alice": "alice@example.org", "bob": "on-call@example.org", "carol": "carol@example.org"}
    message = Message(TEXT, NOW, "CHG-1042", calls=("alice", "bob", "dave"))
    CHANNEL.post(tools(box.connection(), ids=ids), "#deploys", message)
    assert box.envelopes[0].rcpt_tos == ["changes@example.org", "on-call@example.org", "alice@example.org"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("done\r\nBcc: evil@example.com\r\n\r\nfree money", id="header in the first line"),
        pytest.param("done\rBcc: evil@example.com", id="carriage return"),
        pytest.param("done\x00\x0b\x0c\x85\u2028Bcc: evil@example.com \u202e", id="other ends of line"),
        pytest.param("done\n.\r\nMAIL FROM:<evil@example.com>\n.", id="end of the mail"),
        pytest.param("done \ud800 " + "ü" * 5000 + "\n" + "x" * 200_000, id="long, and no Unicode"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_text_adds_no_header_and_no_mail(box: Mailbox, text: str) -> None:
    """What people write in a ticket is text."""
    post(box.connection(), text, key="CHG-1042/1\r\nBcc: evil@example.com")
    (mail,), (envelope,) = box.mails, box.envelopes
    assert (mail["Bcc"], envelope.rcpt_tos) == (None, list(CHANNEL.to))
    assert len(mail["Subject"]) <= 200
    assert len(mail.get_content()) < 110_000


@pytest.mark.parametrize("address", ["", "alice", "a@b\nBcc: c@d", "a@b, c@d", "<a@b>", "a b@c", "ä@b", "@b", "a@"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """When the policy is read."""
    with pytest.raises(ValidationError):
        Channel(to=(address,))


@pytest.fixture(scope="module")
def signed() -> Signed:
    """Return a certificate for this machine."""
    return certificate("127.0.0.1", names=("127.0.0.1",))


@pytest.fixture
def trusted(signed: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Believe it, as an operator would make all of this machine believe it."""
    file = signed.write(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.mark.parametrize(
    ("is_smtps", "extra"),
    [
        pytest.param(False, {"disable_tls": False}, id="STARTTLS"),
        pytest.param(True, {"disable_ssl": False}, id="TLS, disable_tls"),
        pytest.param(True, {"disable_ssl": False, "disable_tls": False}, id="TLS, as Airflow's form has it"),
    ],
)
def test_it_logs_in_over_an_encrypted_connection(trusted: Path, extra: dict[str, Any], *, is_smtps: bool) -> None:
    """Both ways that mail servers know."""
    with mailbox(certificate=trusted, is_smtps=is_smtps, wants_login=True) as box:
        post(box.connection(login="cw@example.org", password=PASSWORD, extra={"from_email": None, **extra}))
        assert (len(box.mails), box.logins, box.mails[0]["From"]) == (1, ["cw@example.org"], "cw@example.org")
        assert box.was_encrypted


@pytest.mark.parametrize("is_smtps", [False, True], ids=["STARTTLS", "TLS"])
def test_a_server_with_a_foreign_certificate_gets_no_password(
    signed: Signed, tmp_path: Path, *, is_smtps: bool
) -> None:
    """Unless the connection says that any certificate will do."""
    file = signed.write(tmp_path / "server.pem")
    extra = {"disable_ssl": not is_smtps, "disable_tls": False}
    with mailbox(certificate=file, is_smtps=is_smtps, wants_login=True) as box:
        account = {"login": "cw@example.org", "password": PASSWORD}
        with pytest.raises(NotDelivered, match="certificate verify failed"):
            post(box.connection(**account, extra=extra))
        assert box.logins == []
        post(box.connection(**account, extra={**extra, "ssl_context": "none"}))
        assert len(box.mails) == 1


def test_a_server_without_starttls_gets_nothing(box: Mailbox) -> None:
    """Somebody on the way may have taken the offer out."""
    with pytest.raises(NotDelivered, match=r"does not offer.*STARTTLS") as failed:
        post(box.connection(extra={"disable_tls": False}))
    assert (failed.value.way_on, box.mails) == (WayOn.BY_HAND, [])


def test_a_wrong_password_is_mended_by_hand() -> None:
    """And is not said."""
    with (
        mailbox(wants_login=True) as box,
        pytest.raises(NotDelivered, match=r"does not accept its login: 535 .*Correct login and password") as failed,
    ):
        post(box.connection(login="cw@example.org", password="not the password"))
    assert failed.value.way_on == WayOn.BY_HAND
    assert "not the password" not in str(failed.value)


REFUSALS = {
    "greylisting": ({"RCPT": "450 4.2.0 try again"}, WayOn.LATER),
    "unknown addresses": ({"RCPT": "550 5.1.1 no such user"}, WayOn.ELSEWHERE),
    "one of them later": ({"RCPT": "550 5.1.1 no", "on-call@example.org": "451 later"}, WayOn.LATER),
    "sender not allowed": ({"MAIL": "553 5.7.1 not your address"}, WayOn.BY_HAND),
    "full": ({"MAIL": "452 4.3.1 no space"}, WayOn.LATER),
    "content refused": ({"DATA": "554 5.7.1 looks like spam"}, WayOn.ELSEWHERE),
    "busy": ({"DATA": "451 4.3.0 busy"}, WayOn.LATER),
}


@pytest.mark.parametrize(("answers", "way_on"), REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_has_its_way_on(box: Mailbox, answers: dict[str, str], way_on: WayOn) -> None:
    """And says what the server said, and what to do."""
    box.answers = answers
    with pytest.raises(NotDelivered) as failed:
        post(box.connection())
    assert failed.value.way_on == way_on
    assert (failed.value.after > timedelta(0)) == (way_on == WayOn.LATER)
    assert "127.0.0.1 of 'smtp_default'" in str(failed.value)


def test_who_is_left_out_is_named_in_the_log(box: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """The others have the mail, and get no second one."""
    box.answers = {"on-call@example.org": "550 5.1.1 no such user"}
    post(box.connection())
    assert box.envelopes[0].rcpt_tos == ["changes@example.org"]
    assert "was not taken for on-call@example.org" in caplog.text


@contextmanager
def speaking(first: bytes, again: bytes = b"") -> Iterator[int]:
    """Serve who says something that is not SMTP, and repeats something until the client goes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        with sock, suppress(OSError):
            sock.sendall(first)
            while again or sock.recv(1):
                sock.sendall(again)
                time.sleep(0.01)

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield listener.getsockname()[1]
    finally:
        serving.join(30)  # it has seen the client go
        listener.close()
        assert not serving.is_alive()


@pytest.mark.parametrize(
    ("first", "again", "sentence"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", "does not answer as one", id="HTTP"),
        pytest.param(b"\x00\xff\xfe garbage\r\n", b"", "does not answer as one", id="garbage"),
        pytest.param(b"2" * 20_000, b"", "does not answer as one|takes no mail", id="a line without end"),
        pytest.param(b"", b"", "did not answer in time", id="silence"),
        pytest.param(b"220-", b"x", "did not answer in time", id="letter by letter"),
        pytest.param(b"", b"220-more\r\n", "did not answer in time", id="lines without end"),
        pytest.param(b"554 go away\r\n", b"", "takes no mail from us: 554 go away", id="refused at the door"),
    ],
)
def test_whatever_answers_does_not_hold_anybody_up(first: bytes, again: bytes, sentence: str) -> None:
    """And its connection is closed, so that it costs nothing any more."""
    with speaking(first, again) as port:
        known = Mailbox(port).connection()
        with pytest.raises(NotDelivered, match=sentence):
            CHANNEL.post(tools(known, within=0.5 if "in time" in sentence else 60), "#deploys", Message(TEXT, NOW))


def test_a_server_that_is_slow_to_take_a_mail(box: Mailbox) -> None:
    """Whether it arrives is not known, and its id is the same when it is sent again."""
    box.delay = 60
    with pytest.raises(NotDelivered, match="did not answer in time") as failed:
        CHANNEL.post(tools(box.connection(), within=0.5), "#deploys", Message(TEXT, NOW))
    assert failed.value.way_on == WayOn.LATER


def test_nobody_there_is_not_delivered() -> None:
    """A refused connection too."""
    with pytest.raises(NotDelivered, match=r"did not answer: .*refused") as failed:
        post(Mailbox(1).connection())
    assert failed.value.way_on == WayOn.LATER


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        pytest.param({"host": ""}, "has no host", id="no host"),
        pytest.param({"extra": {"from_email": ""}}, "write it into from_email", id="no sender"),
        pytest.param({"extra": {"from_email": "Change Windows"}}, "write it into from_email", id="no address"),
        pytest.param({"extra": {"auth_type": "oauth2"}}, "of `auth_type` only basic", id="another login"),
    ],
)
def test_a_connection_that_lacks_something_says_what(box: Mailbox, changed: dict[str, Any], missing: str) -> None:
    """And where to write it."""
    with pytest.raises(ChangeError, match=missing):
        post(box.connection(**changed))
    assert box.mails == []


def test_a_setting_that_is_no_number_is_mended_by_hand(box: Mailbox) -> None:
    """It names the connection."""
    with pytest.raises(NotDelivered, match="'smtp_default' cannot be used") as failed:
        post(box.connection(extra={"timeout": "soon"}))
    assert failed.value.way_on == WayOn.BY_HAND
