"""Queries DNS servers directly, one by one, bypassing every cache."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from changewindow.documents.refusal import refusal
from changewindow.systems.dns.records import RecordSet, canonical_name
from changewindow.systems.names import host_name, is_address

PORT = 53
PATIENCE = 1.5
"""Seconds to wait for a server, for each of the two attempts."""
UNREACHABLE = (dns.exception.Timeout, OSError, EOFError)


class NoAnswer(Exception):
    """A server gave no usable answer; the message says which server, and why."""


@dataclass(frozen=True)
class Server:
    """A DNS server: its name as people know it, and where it can be reached."""

    name: str
    addresses: tuple[str, ...]
    port: int = PORT


async def answer(server: Server, record: str, kind: str) -> RecordSet | None:
    """Return the record set that a server holds, or None when it holds none.

    Raises:
        NoAnswer: it cannot be reached, or it is not authoritative for this name.
    """
    query = dns.message.make_query(record, kind, flags=0)
    reply = await _reply(server, query)
    if reply.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} or not reply.flags & dns.flags.AA:
        reason = "not authoritative" if reply.rcode() == dns.rcode.NOERROR else dns.rcode.to_text(reply.rcode())
        raise NoAnswer(
            f"{server.name} does not serve {record} ({reason}); correct the zone's NS records, or that server"
        )
    rrset = reply.get_rrset(reply.answer, query.question[0].name, dns.rdataclass.IN, dns.rdatatype.from_text(kind))
    return RecordSet.of(rrset) if rrset else None


async def answers(servers: Sequence[Server], record: str, kind: str) -> list[RecordSet | NoAnswer | None]:
    """Return what each server holds, or why it gave no answer; all are queried at the same time."""

    async def ask(server: Server) -> RecordSet | NoAnswer | None:
        try:
            return await answer(server, record, kind)
        except NoAnswer as error:
            return error

    return list(await asyncio.gather(*map(ask, servers)))


async def serial(server: Server, record: str) -> tuple[str, int]:
    """Return the zone in which a name lies, according to its server, and how often that zone has changed.

    Raises:
        NoAnswer: it cannot be reached, or it is not authoritative for this name.
    """
    reply = await _reply(server, dns.message.make_query(record, "SOA", flags=0))
    starts = [rrset for rrset in (*reply.answer, *reply.authority) if rrset.rdtype == dns.rdatatype.SOA]
    if not starts or not reply.flags & dns.flags.AA:
        raise NoAnswer(f"{server.name} names no zone for {record}; correct the zone's NS records, or that server")
    return canonical_name(starts[0].name.to_text()), int(starts[0][0].serial)


async def authoritative(zone: str, via: Server) -> list[Server]:
    """Return the servers in the zone's NS records, according to one of them; all are assumed to use its port.

    Raises:
        NoAnswer: that server does not serve the zone, or the address of a server cannot be found.
    """
    names = await answer(via, zone, "NS")
    if names is None:
        raise NoAnswer(f"{via.name} has no NS records for {zone}: no zone begins there; correct the name of the zone")
    return [await _within(zone, canonical_name(host), via) for host in names.values]


async def listed(texts: Iterable[str]) -> list[Server]:
    """Return the servers that a ticket lists, like `192.0.2.1`, `ns1.example.com` or `[2001:db8::1]:5353`.

    Raises:
        NoAnswer: the address of one cannot be found.
    """
    return [await named(*address(text), name=text) for text in texts]


async def of_name(record: str) -> list[Server]:
    """Return the authoritative servers of a name's zone, looked up with this machine's resolver.

    Raises:
        NoAnswer: they cannot be found.
    """
    try:
        zone = await dns.asyncresolver.zone_for_name(record)
        names = await dns.asyncresolver.resolve(zone, "NS")
    except dns.exception.DNSException as error:
        raise NoAnswer(f"the zone of {record} cannot be found by this machine's resolver: {error}") from error
    return [await named(canonical_name(host.to_text())) for host in names]


async def named(host: str, port: int = PORT, *, name: str = "") -> Server:
    """Return the server at a host, whose address is looked up with this machine's resolver.

    Raises:
        NoAnswer: it does not find it.
    """
    if is_address(host):
        return Server(name or host, (host,), port)
    try:
        resolved = await dns.asyncresolver.resolve_name(host)
    except (dns.exception.DNSException, OSError) as error:
        raise NoAnswer(f"the address of the name server {host} cannot be found: {error}") from error
    return Server(name or host, tuple(resolved.addresses()), port)


def address(text: str) -> tuple[str, int]:
    """Return host and port of a server, as a ticket writes it.

    Raises:
        ValueError: it is neither an address nor a name.
    """
    host, port = text, str(PORT)
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or str(PORT)
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise refusal(f"{text!r} is not a server", "Write it like 192.0.2.1, ns1.example.com or [2001:db8::1]:53.")
    return (host if is_address(host) else canonical_name(host_name(host))), int(port)


async def _reply(server: Server, query: dns.message.Message) -> dns.message.Message:
    """Try each address in turn, twice: one lost packet does not mean that the server is down."""
    reason = "it has no address"
    for where in server.addresses * 2:
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(query, where, timeout=PATIENCE, port=server.port)
        except UNREACHABLE as error:
            reason = "no answer in time" if isinstance(error, dns.exception.Timeout) else str(error)
        except dns.exception.DNSException as error:
            raise NoAnswer(f"{server.name} does not speak DNS at port {server.port}: {error}") from error
        else:
            return reply
    raise NoAnswer(f"{server.name} cannot be reached at port {server.port}: {reason}")


async def _within(zone: str, host: str, via: Server) -> Server:
    """Return a server of a zone; if its name lies within that zone, its address is asked of the zone itself."""
    if not dns.name.from_text(host).is_subdomain(dns.name.from_text(zone)):
        return await named(host, via.port)
    replies = [await answer(via, host, kind) for kind in ("A", "AAAA")]
    addresses = tuple(value for reply in replies if reply for value in reply.values)
    if not addresses:
        raise NoAnswer(f"the name server {host} of {zone} has no address; add one, or correct the zone's NS records")
    return Server(host, addresses, via.port)
