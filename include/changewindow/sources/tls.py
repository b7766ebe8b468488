"""Opens a TLS connection and reads the certificate that is served: days left, validity, issuer, names or fingerprint.

`read: valid` is true when chain, time and name are all right, as a client that verifies sees it; otherwise false, with
the reason beside the reading. Everything else is read from the server's own certificate whether or not it is valid, so
`days_left` (with a fraction, negative when it has expired) also works with a private or untrusted chain. `names` are
all names it is made for, separated by spaces; `fingerprint` is its SHA-256. Only one server behind a name is asked.
"""

import ssl
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import Field

from changewindow.documents.types import Duration
from changewindow.sources.base import SourceBase
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.names import Host
from changewindow.systems.served_certificate import TlsServer, trusting

EXAMPLE = {"kind": "tls", "host": "api.example.com", "read": "days_left"}


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
    def _server(self) -> TlsServer:
        return TlsServer(self.host, self.port, self.name)

    async def ask(self, context: SourceContext) -> Answer:
        """Shake hands, and read."""
        started = context.now()
        query = f"TLS {self._server}"
        if self.read != "valid":
            certificate = await self._certificate(trusting())
            return Answer(_read(self.read, certificate, started), started, query)
        try:
            await self._certificate(self._checking())
        except ssl.SSLCertVerificationError as error:
            return Answer(False, started, f"{query}: {error.verify_message}")
        return Answer(True, started, query)

    async def _certificate(self, context: ssl.SSLContext) -> x509.Certificate:
        return await self._server.certificate(context, self.within.total_seconds())

    def _checking(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise SourceError("invalid", f"the root certificates in {self.ca_file} cannot be read: {error}") from error


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
