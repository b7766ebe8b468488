"""Shows servers whose certificate is no longer the one of the last look: issuer, dates, names and fingerprint.

Of each server the certificate that it shows is read, whether or not it can be trusted. A certificate does not say when
it was put there, so that changes are known from the first look on, to the time between two looks; the first look itself
shows none. Only one server behind a name is asked at each look: where several show different certificates, they seem to
change to and fro. Nor does a certificate tell who put it there.
"""

import asyncio
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.types import Model
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from changewindow.systems.names import Host
from changewindow.systems.remembered import Difference, compared
from changewindow.systems.served_certificate import TlsServer, trusting

EXAMPLE = {"kind": "tls", "servers": [{"host": "api.example.com"}], "service": "orders"}
NOBODY = "a certificate does not tell who put it there; the host's logs may"
PATIENCE = 0.8
"""The part of its time that a collector waits for a server."""
NAMED = 20


class Shown(Model):
    """A server that shows a certificate."""

    host: Host
    """Its name or address."""
    port: int = Field(default=443, ge=1, le=65535)
    name: Host | Literal[""] = ""
    """The name that is asked for, where it is not `host`."""

    @property
    def server(self) -> TlsServer:
        """Return it as it is asked."""
        return TlsServer(self.host, self.port, self.name)


class Collector(CollectorBase):
    """Servers whose certificates are watched."""

    kind: Literal["tls"] = "tls"
    servers: Annotated[tuple[Shown, ...], Field(min_length=1, max_length=200)]
    """The servers."""

    def put_back(self, entry: Entry) -> PutBack:
        """Say why no step can."""
        return "the former certificate and its key are not known here; whoever issues or installs it has them"

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Ask all servers at the same time, and compare."""
        began = context.now()
        answers = await asyncio.gather(*(self._state(shown.server) for shown in self.servers))
        states = {name: state for name, state in answers if isinstance(state, str)}
        blind = {name: str(state) for name, state in answers if isinstance(state, SourceError)}
        if not states:
            raise SourceError("unreachable", f"no certificate can be read. {'; '.join(blind.values())}")
        memory = compared(context.kept, states, began)
        entries = [_entry(change, span) for change in memory.differences]
        coverage = memory.coverage(span, "changes of certificates", *blind.values(), blind=blind)
        return Collected(tuple(entry for entry in entries if entry), coverage)

    async def _state(self, server: TlsServer) -> tuple[str, str | SourceError]:
        try:
            certificate = await server.certificate(trusting(), self.within.total_seconds() * PATIENCE)
        except SourceError as error:
            return str(server), error
        return str(server), _described(certificate)


def _described(certificate: x509.Certificate) -> str:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    lines = (
        f"fingerprint {certificate.fingerprint(hashes.SHA256()).hex()}",
        f"issuer {_name(certificate)}",
        f"valid {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC",
        f"names {_names(certificate)}",
    )
    return "\n".join(lines)


def _name(certificate: x509.Certificate) -> str:
    try:
        return certificate.issuer.rfc4514_string()[:200]
    except ValueError:
        return "that cannot be read"


def _names(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "none"
    except ValueError:
        return "that cannot be read"
    texts = [str(name.value) for name in names]
    more = [f"and {len(texts) - NAMED} more"] if len(texts) > NAMED else []
    return " ".join([*texts[:NAMED], *more])


def _entry(change: Difference, span: Span) -> Entry | None:
    before, after = change.values
    fields = [name for name in ("issuer", "valid", "names") if _line(before, name) != _line(after, name)]
    same = "" if fields else ", with the same issuer, dates and names"
    what = f"shows another certificate{same}: {'; '.join(_line(after, name) for name in fields)}; changed {change.when}"
    if (at := change.at(span)) is None:
        return None
    shown = what.replace(": ;", ";")
    return Entry(at, change.object, shown, before, after, known_by=NOBODY, earliest=change.earliest)


def _line(state: str, name: str) -> str:
    return next((line for line in state.splitlines() if line.startswith(f"{name} ")), "")
