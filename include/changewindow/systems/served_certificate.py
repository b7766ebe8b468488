"""Shakes hands with a TLS server, and returns the certificate that it shows."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from changewindow.systems.measurement import SourceError
from changewindow.systems.names import a_labels, as_server_name

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


@dataclass(frozen=True)
class TlsServer:
    """Where a server is, and which name is asked for if it is not its host."""

    host: str
    port: int
    name: str = ""

    def __str__(self) -> str:
        """Return both."""
        return f"{self.host}:{self.port}" + (f" as {self.name}" if self.name else "")

    async def addresses(self) -> tuple[str, ...]:
        """Return every address that the host has here, those of IPv4 first; none where its name leads nowhere."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                a_labels(self.host), self.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, ValueError):
            return ()
        return tuple(sorted({str(address[0]) for *_, address in found}, key=lambda each: (":" in each, each)))

    async def certificate(self, context: ssl.SSLContext, within: float, *, at: str = "") -> x509.Certificate:
        """Return the certificate that is shown within so many seconds, by any address of the host or by one of them.

        Raises:
            SSLCertVerificationError: the context does not trust it.
            SourceError: no certificate is shown, or none that can be read.
        """
        where = f"{self} at {at}" if at not in {"", self.host} else str(self)
        host, name = at or a_labels(self.host), as_server_name(self.name or self.host)
        try:
            async with asyncio.timeout(within):
                _, writer = await asyncio.open_connection(
                    host, self.port, ssl=context, server_hostname=name, happy_eyeballs_delay=NEXT_ADDRESS
                )
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            meaning = f" ({MEANINGS[error.reason]})" if error.reason in MEANINGS else ""
            fault = f"{where} does not agree on TLS: {error.reason or error}{meaning}"
            raise SourceError("invalid", fault) from error
        except (TimeoutError, OSError, ValueError) as error:
            silent = "no answer in time" if isinstance(error, TimeoutError) else "it hung up while shaking hands"
            reason = getattr(error, "strerror", None) or str(error) or silent
            raise SourceError("unreachable", f"{where} does not connect: {reason}") from error
        served: Any = writer.get_extra_info("ssl_object")
        writer.transport.abort()
        try:
            return x509.load_der_x509_certificate(served.getpeercert(binary_form=True))
        except ValueError as error:
            raise SourceError("invalid", f"the certificate of {where} cannot be read: {error}") from error


def trusting() -> ssl.SSLContext:
    """Return what shakes hands with anybody: here a certificate is read, and nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
