"""Opens a TLS connection and reads the certificate that is served: days left, validity, issuer, names or fingerprint.

`read: valid` is true when chain, time and name are all right, as a client that verifies sees it; otherwise false, with
the reason beside the reading. Everything else is read from the server's own certificate whether or not it is valid, so
`days_left` (with a fraction, negative when it has expired) also works with a private or untrusted chain. `names` are
all names it is made for, separated by spaces; `fingerprint` is its SHA-256. Only one server behind a name is asked.
"""

import asyncio
import ssl
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import Field

from changewindow.documents.types import Duration
from changewindow.sources.base import SourceBase
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.names import Host, a_labels, as_server_name

EXAMPLE = {"kind": "tls", "host": "api.example.com", "read": "days_left"}
NO_TLS = "it speaks no TLS at this port, or only after STARTTLS, which is not supported here"
TOO_OLD = "it only speaks versions of TLS before 1.2"
MEANINGS = {
    "WRONG_VERSION_NUMBER": NO_TLS,
    "RECORD_LAYER_FAILURE": NO_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": TOO_OLD,
    "UNSUPPORTED_PROTOCOL": TOO_OLD,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it may want a client certificate, or other ciphers",
    "TLSV1_UNRECOGNIZED_NAME": "it does not know this name; correct `name`",
}
"""What OpenSSL's reasons mean."""
NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a host is tried as well."""


class Source(SourceBase):
    """A server, and what is read of its certificate."""

    kind: Literal["tls"] = "tls"
    why_not_before_approval: ClassVar[str] = ""
    host: Host
    """The name or address of the server."""
    port: int = Field(default=443, ge=1, le=65535)
    name: Host | Literal[""] = ""
    """The name that is asked for and that the certificate must have, where it is not `host`."""
    ca_file: str = ""
    """A file with the root certificates to trust, on the machine that asks; without it, those of that machine."""
    read: Literal["days_left", "valid", "issuer", "names", "fingerprint"] = "days_left"
    """What is read of the certificate."""
    within: Duration = Field(default=timedelta(seconds=3), gt=timedelta(0))
    """How long it may take to connect."""

    def description(self) -> str:
        """Return the server and what is read."""
        return f"{self.read} of the certificate of {self._server}"

    @property
    def _server(self) -> str:
        return f"{self.host}:{self.port}" + (f" as {self.name}" if self.name else "")

    async def ask(self, context: SourceContext) -> Answer:
        """Shake hands, and read."""
        started = context.now()
        query = f"TLS {self._server}"
        if self.read != "valid":
            certificate = await self._certificate(_trusting())
            return Answer(_read(self.read, certificate, started), started, query)
        try:
            await self._certificate(self._checking())
        except ssl.SSLCertVerificationError as error:
            return Answer(False, started, f"{query}: {error.verify_message}")
        return Answer(True, started, query)

    async def _certificate(self, context: ssl.SSLContext) -> x509.Certificate:
        host, name = a_labels(self.host), as_server_name(self.name or self.host)
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                _, writer = await asyncio.open_connection(
                    host, self.port, ssl=context, server_hostname=name, happy_eyeballs_delay=NEXT_ADDRESS
                )
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            meaning = f" ({MEANINGS[error.reason]})" if error.reason in MEANINGS else ""
            fault = f"{self._server} does not agree on TLS: {error.reason or error}{meaning}"
            raise SourceError("invalid", fault) from error
        except (TimeoutError, OSError, ValueError) as error:
            silent = "no answer in time" if isinstance(error, TimeoutError) else "it hung up while shaking hands"
            reason = getattr(error, "strerror", None) or str(error) or silent
            raise SourceError("unreachable", f"{self._server} does not connect: {reason}") from error
        served: Any = writer.get_extra_info("ssl_object")
        writer.transport.abort()
        try:
            return x509.load_der_x509_certificate(served.getpeercert(binary_form=True))
        except ValueError as error:
            raise SourceError("invalid", f"the certificate of {self._server} cannot be read: {error}") from error

    def _checking(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise SourceError("invalid", f"the root certificates in {self.ca_file} cannot be read: {error}") from error


def _trusting() -> ssl.SSLContext:
    """Return what shakes hands with anybody: here a certificate is read, and nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _read(what: str, certificate: x509.Certificate, now: datetime) -> float | str:
    if what == "days_left":
        return (certificate.not_valid_after_utc - now) / timedelta(days=1)
    if what == "issuer":
        return certificate.issuer.rfc4514_string()
    if what == "fingerprint":
        return certificate.fingerprint(hashes.SHA256()).hex()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise SourceError("no_data", "the certificate is made for no name (no subjectAltName)") from error
    return " ".join(str(name.value) for name in names)
