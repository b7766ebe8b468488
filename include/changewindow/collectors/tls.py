"""Shows servers whose certificate is no longer the one of the last look: issuer, dates, names and fingerprint.

Of each server the certificate that it shows is read, whether or not it can be trusted. A certificate does not say when
it was put there, so that changes are known from the first look on, to the time between two looks; the first look itself
shows none. Nor does a certificate tell who put it there.

Every address of a name is asked, those of IPv6 too where this machine has a network for them: up to eight of each
name, and 400 in all; how many are left out is said. An address that shows another certificate than the rest is named.
While one of them does not answer, what the others show counts only if it is new.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.types import Model
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from changewindow.systems.names import Host
from changewindow.systems.remembered import Difference, compared
from changewindow.systems.served_certificate import TlsServer
from changewindow.systems.shown_certificates import Shown, shown_by

EXAMPLE = {"kind": "tls", "servers": [{"host": "api.example.com"}], "service": "orders"}
NOBODY = "a certificate does not tell who put it there; the host's logs may"
PATIENCE = 0.8
"""The part of its time that a collector waits for a server."""
ADDRESSES, ASKED = 8, 400
"""How many addresses of a name are asked, and of all names together."""


class Server(Model):
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
    servers: Annotated[tuple[Server, ...], Field(min_length=1, max_length=200)]
    """The servers."""

    def put_back(self, entry: Entry) -> PutBack:
        """Say why no step can."""
        return "the former certificate and its key are not known here; whoever issues or installs it has them"

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Ask all servers at the same time, and compare."""
        began, most = context.now(), min(ADDRESSES, ASKED // len(self.servers))
        answers = await asyncio.gather(*(self._shown(server.server, most) for server in self.servers))
        shown = {name: answer for name, answer in answers if isinstance(answer, Shown)}
        blind = {name: str(answer) for name, answer in answers if isinstance(answer, SourceError)}
        if not shown:
            raise SourceError("unreachable", f"no certificate can be read. {'; '.join(blind.values())}")
        blind |= {f"{name} at {at}": str(error) for name, each in shown.items() for at, error in each.failed.items()}
        memory = compared(context.kept, _states(shown, context.kept), began)
        entries = [_entry(change, span) for change in memory.differences]
        remarks = (remark for name, each in shown.items() for remark in _remarks(name, each))
        coverage = memory.coverage(span, "changes of certificates", *blind.values(), *remarks, blind=blind)
        return Collected(tuple(entry for entry in entries if entry), coverage)

    async def _shown(self, server: TlsServer, most: int) -> tuple[str, Shown | SourceError]:
        try:
            return str(server), await shown_by(server, self.within.total_seconds() * PATIENCE, most)
        except SourceError as error:
            return str(server), error


def _states(shown: Mapping[str, Shown], kept: Mapping[str, Any]) -> dict[str, str]:
    """Return what is compared; who is only seen in part, and shows nothing new, stays as it was."""
    before = kept.get("objects") or {}
    return {
        name: each.state
        for name, each in shown.items()
        if not each.failed or not each.is_part_of(str(before.get(name, "")))
    }


def _remarks(name: str, shown: Shown) -> list[str]:
    """Return which addresses differ, and how many were not asked."""
    differ, more = shown.differing, shown.not_asked
    differing = f"{name} shows another certificate at {', '.join(differ)} than at its other addresses"
    return [*([differing] if differ else []), *([f"{more} more addresses of {name} are not asked"] if more else [])]


def _entry(change: Difference, span: Span) -> Entry | None:
    before, after = change.values
    fields = [name for name in ("issuer", "valid", "names") if _lines(before, name) != _lines(after, name)]
    same = "" if fields else ", with the same issuer, dates and names"
    told = "; ".join(line for name in ("at", *fields) for line in _lines(after, name))
    what = f"shows another certificate{same}: {told}; changed {change.when}"
    if (at := change.at(span)) is None:
        return None
    shown = what.replace(": ;", ";")
    return Entry(at, change.object, shown, before, after, known_by=NOBODY, earliest=change.earliest)


def _lines(state: str, name: str) -> list[str]:
    return list(dict.fromkeys(line for line in state.splitlines() if line.startswith(f"{name} ")))
