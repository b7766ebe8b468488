"""Sends each news of a change as one mail; all mails of a change are one thread.

The connection is of type SMTP, as Airflow's own mails use it: host, port, login and password, and in its extra
`from_email` (needed where the login is no address), `timeout`, `ssl_context`, and how the connection is encrypted:

- from the first byte on (port 465): as it is, or with `disable_tls`;
- by STARTTLS (port 587): `disable_ssl`; a server that does not offer it gets nothing;
- not at all (a relay on this host): `disable_ssl` and `disable_tls`.

A mail is plain text; its subject is the first line of the message. Its Message-ID is made of what the message is
called: should it be sent twice, because the process died before it could write down that it was sent, it is the same
again, by which most mail systems show only one of them. `References` names the first mail of the change; some mail
programs show a thread only where the subjects are alike, too. `X-Change-Windows` holds what a filter may look for,
such as `CHG-1042/17`. Out-of-office replies are asked not to come.

Source: https://airflow.apache.org/docs/apache-airflow-providers-smtp/stable/connections/smtp.html,
https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4, https://www.rfc-editor.org/rfc/rfc3834#section-5
"""

import hashlib
import logging
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Literal

from pydantic import Field

from changewindow.documents.text import visible
from changewindow.documents.types import ADDRESS, ConnectionName, MailAddress
from changewindow.errors import UnusableConnection
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Reference, Tools, WayOn, answer_of, one_line
from changewindow.systems.connection import Connection
from changewindow.systems.in_time import in_time

EXAMPLE = {"kind": "email", "to": ["changes@example.org"]}
LONGEST = 100_000
"""Characters of a text."""
LONGEST_SUBJECT = 200
ANSWERS = 3
"""How many times the seconds for one answer all of them together may take."""
SOON = timedelta(minutes=1)
"""How long a server that says "not now" is left alone."""
log = logging.getLogger("changewindow")


class Channel(ChannelBase):
    """E-mail."""

    kind: Literal["email"] = "email"
    connection: ConnectionName = "smtp_default"
    """The Airflow Connection of type SMTP."""
    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=50)
    """The addresses that mails go to."""

    def place(self, room: str) -> str:
        """Return the connection and the addresses."""
        return one_line(f"email {self.connection} {' '.join(self.to)}", 200)

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Send it as a mail; `below` is the mail that began the thread, `is_loud` of high importance."""
        known = tools.known(self.connection)
        mail = self._mail(known, tools, message)
        mail["Message-ID"] = self._id(room, message.key or message.text, mail["From"].addresses[0].domain)
        if below and below.id:
            mail["In-Reply-To"] = mail["References"] = below.id
        if is_loud:
            mail["Importance"] = "high"
        if refused := _sent(known, mail, tools.within):
            log.warning("the mail about %s was not taken for %s", one_line(message.head, 80), ", ".join(refused))
        return Reference("", mail["Message-ID"])

    def _mail(self, known: Connection, tools: Tools, message: Message) -> EmailMessage:
        """Return the mail as it reads now, not yet part of a thread."""
        text = visible(message.sent_at(tools.now()))[:LONGEST]
        mail = EmailMessage(policy=SMTP)
        mail["From"] = _sender(known)
        called = [tools.ids[person] for person in message.calls if person in tools.ids]
        mail["To"] = ", ".join(dict.fromkeys([*self.to, *called]))
        mail["Subject"] = one_line(text.partition("\n")[0], LONGEST_SUBJECT)
        mail["Date"] = format_datetime(tools.now())
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        if message.key:
            mail["X-Change-Windows"] = one_line(message.key, 200)
        mail.set_content(text, cte="quoted-printable")
        return mail

    def _id(self, room: str, key: str, domain: str) -> str:
        """Return the same for a message whenever it is sent to these addresses."""
        named = hashlib.sha256("\n".join([key, room, *self.to]).encode(errors="surrogatepass")).hexdigest()[:32]
        return f"<{named}@{domain}>"


def _sender(known: Connection) -> Address:
    """Return who mails come from.

    Raises:
        UnusableConnection: neither `from_email` nor the login is an address.
    """
    name, address = parseaddr(str(known.extra.get("from_email") or known.login))
    if not re.fullmatch(ADDRESS, address):
        raise UnusableConnection(known.name, "address that mails come from: write it into from_email of its extra")
    return Address(one_line(name, 80), addr_spec=address)


def _sent(known: Connection, mail: EmailMessage, within: float) -> list[str]:
    """Hand a mail over; return to whom the server will not deliver it, though to others it will.

    Raises:
        NotDelivered: nobody gets it, as far as is known.
        UnusableConnection: there is no server in the connection, or a login that cannot be used.
    """
    if not known.host:
        raise UnusableConnection(known.name, "host")
    if known.extra.get("auth_type", "basic") != "basic":
        raise UnusableConnection(known.name, "login that can be used here: of `auth_type` only basic is")
    begun: list[smtplib.SMTP] = []
    try:
        return in_time(lambda: _handed_over(known, mail, within, begun), ANSWERS * within)
    except (smtplib.SMTPException, OSError, ValueError, TypeError) as error:
        raise _failure(known, error) from None
    finally:
        for client in begun:
            _cut(client)


def _handed_over(known: Connection, mail: EmailMessage, within: float, begun: list[smtplib.SMTP]) -> list[str]:
    extra = known.extra
    context = _trust(extra.get("ssl_context"))
    seconds = min(float(extra.get("timeout") or within), within)
    is_ssl = not extra.get("disable_ssl")
    client = smtplib.SMTP_SSL(timeout=seconds, context=context) if is_ssl else smtplib.SMTP(timeout=seconds)
    begun.append(client)
    client._host = known.host  # type: ignore[attr-defined]  # noqa: SLF001  its certificate is for it
    code, answer = client.connect(known.host, known.port or 0)
    if code != 220:
        raise smtplib.SMTPConnectError(code, answer)
    if not is_ssl and not extra.get("disable_tls"):
        client.starttls(context=context)
    if known.login and known.password:
        client.login(known.login, known.password)
    if client.sock:
        client.sock.settimeout(2 * seconds)  # many look into a mail before they take it; to send it again helps nobody
    refused = client.send_message(mail)
    with suppress(smtplib.SMTPException, OSError):
        client.quit()
    return sorted(refused)


def _trust(wanted: object) -> ssl.SSLContext:
    """Return whose certificates are believed: `none` believes all, as in Airflow's own mails."""
    context = ssl.create_default_context()
    if wanted == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _cut(client: smtplib.SMTP) -> None:
    """End a connection, whoever waits for it: a server that never stops to answer keeps no thread for ever."""
    if (sock := client.sock) is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of TLS would take it apart while it is read


def _failure(known: Connection, error: Exception) -> NotDelivered:
    """Return what a server's no, or its silence, means for a mail."""
    where, answer = f"the mail server {known.host} of '{known.name}'", answer_of(known, error).rstrip(". ")
    match error:
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _ in error.recipients.values()]
            answer = answer_of(known, "; ".join(sorted({_text(text) for _, text in error.recipients.values()})))
            is_final = all(code >= 500 for code in codes)
            remedy = "Correct the addresses in messages.yaml." if is_final else "It is tried again."
            return _no(f"{where} takes no mail for them: {answer}. {remedy}", is_final, WayOn.ELSEWHERE)
        case smtplib.SMTPNotSupportedError():
            remedy = "Use the port where it does (587 for STARTTLS), or correct disable_ssl, disable_tls and the login"
            return NotDelivered(
                f"{where} does not offer what the connection asks for: {answer}. {remedy}.", WayOn.BY_HAND
            )
        case smtplib.SMTPResponseException() if error.smtp_code >= 400:
            answer = answer_of(known, f"{error.smtp_code} {_text(error.smtp_error)}")
            return _refusal(where, answer, error)
        case _ if isinstance(error, TimeoutError) or "timed out" in answer:
            return NotDelivered(f"{where} did not answer in time. Is it up, and the way to it open?")
        case smtplib.SMTPException() | ssl.SSLError():
            remedy = "Is it up, do host and port lead to it, and do disable_ssl and disable_tls say how it encrypts?"
            return NotDelivered(f"{where} does not answer as one: {answer}. {remedy}")
        case OSError():
            is_refused = isinstance(error, ConnectionRefusedError | socket.gaierror)
            sentence = f"{where} did not answer: {answer}. Is it up, and the way to it open?"
            return NotDelivered(sentence, is_refused=is_refused)
        case _:
            sentence = f"the connection '{known.name}' cannot be used: {answer}. Correct it."
            return NotDelivered(sentence, WayOn.BY_HAND, is_refused=True)


def _refusal(where: str, answer: str, error: smtplib.SMTPResponseException) -> NotDelivered:
    is_final = error.smtp_code >= 500
    match error:
        case smtplib.SMTPAuthenticationError():
            sentence = f"{where} does not accept its login: {answer}. Correct login and password."
            return _no(sentence, is_final, WayOn.BY_HAND)
        case smtplib.SMTPDataError():
            sentence = f"{where} does not take this mail: {answer}. Ask whoever runs it why."
            return _no(sentence, is_final, WayOn.ELSEWHERE)
        case _:
            sentence = f"{where} takes no mail from us: {answer}. Correct from_email or the login, or let it take them."
            return _no(sentence, is_final, WayOn.BY_HAND)


def _no(sentence: str, is_final: bool, way_on: WayOn) -> NotDelivered:  # noqa: FBT001  by position it reads well
    way_on, after = (way_on, timedelta(0)) if is_final else (WayOn.LATER, SOON)
    return NotDelivered(sentence, way_on, after, is_refused=True)


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
