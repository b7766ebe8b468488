"""A mail server of this machine, by aiosmtpd: it takes mails or refuses them, as a test wants."""

import asyncio
import email
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from changewindow.systems.connection import Connection

PASSWORD = "correct horse battery staple"


@dataclass
class Mailbox:
    """What came, and what is answered."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    """What is answered instead, by the command: `RCPT`, `DATA` …, or by a recipient."""
    delay: float = 0
    """Seconds until a mail is taken."""
    was_encrypted: bool = False
    """Whether the last mail came by TLS."""

    def connection(self, name: str = "smtp_default", **changed: Any) -> Connection:
        """Return the connection to it, as Airflow keeps it."""
        extra = {"from_email": "Change Windows <cw@example.org>", "disable_ssl": True, "disable_tls": True}
        extra |= changed.pop("extra", {})
        return Connection(name, **{"kind": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra, **changed})

    async def handle_MAIL(self, server: SMTP, session: Session, *given: Any) -> str:  # noqa: N802  as aiosmtpd wants it
        """Take the sender."""
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope, address, _ = given
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, *given: Any) -> str:  # noqa: N802  same
        """Take a recipient."""
        envelope, address, _ = given
        if refusal := self.answers.get(address) or self.answers.get("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  same
        """Take the mail."""
        await asyncio.sleep(self.delay)
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self.envelopes.append(envelope)
        self.was_encrypted = server.transport.get_extra_info("ssl_object") is not None
        return "250 OK"

    def authenticate(self, *given: Any) -> AuthResult:
        """Know one person."""
        data = given[-1]
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD, handled=False)


@contextmanager
def mailbox(*, certificate: Path | None = None, is_smtps: bool = False, wants_login: bool = False) -> Iterator[Mailbox]:
    """Serve on this machine until the block ends; a certificate is for STARTTLS, or for TLS from the first byte on."""
    box, context = Mailbox(), None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def protocol() -> SMTP:
        return SMTP(
            box,
            tls_context=None if is_smtps else context,
            require_starttls=bool(context) and not is_smtps,
            auth_required=wants_login,
            auth_require_tls=False,
            authenticator=box.authenticate,
            hostname="mail.example.org",
            loop=loop,
        )

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, ssl=context if is_smtps else None))
    box.port = server.sockets[0].getsockname()[1]
    serving = threading.Thread(target=loop.run_forever, daemon=True)
    serving.start()
    try:
        yield box
    finally:
        loop.call_soon_threadsafe(loop.stop)
        serving.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
