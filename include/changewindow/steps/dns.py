"""Changes one DNS record set by a signed update (RFC 2136) and waits for every server; undo restores the previous one.

For BIND, Knot, PowerDNS and whatever else takes dynamic updates signed by TSIG. The server takes the update only if the
record set still is what was remembered, so nothing that somebody else wrote meanwhile is overwritten. Undo restores the
values and the TTL that were there, or removes the record set where there was none, on the same condition; it waits for
all servers too. Both wait for at most four fifths of `timeout`. Resolvers keep the old answer until its TTL is over:
lower the TTL in an earlier change.

The Airflow Connection (type `generic`): host and port of the primary server; login and password are name and secret
(base64) of the TSIG key, and extra `algorithm` is the key's, `hmac-sha256` by default. Without a login, updates are not
signed. The servers to wait for are those in the zone's NS records, at the connection's port, or those in `servers`.
"""

import asyncio
import binascii
from collections.abc import Coroutine
from typing import Any, ClassVar, Self, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
from pydantic import model_validator

from changewindow.context import Context
from changewindow.dnsrecords import Name, RecordChange, RecordSet, shown
from changewindow.dnsservers import PORT, NoAnswer, Server, address, answer, answers, authoritative, listed, named
from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.base import Memory, StepBase

EXAMPLE = {
    "name": "Point api at the new load balancer",
    "kind": "dns",
    "connection": "example_dns",
    "zone": "example.com",
    "record": "api.example.com",
    "type": "A",
    "values": ["192.0.2.20"],
}
T = TypeVar("T")
PATIENCE = 10.0
"""Seconds to wait for the reply to an update."""
CHANGED = {dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN}
KEYS = {
    dns.tsig.PeerBadKey: "does not know the key {key} (BADKEY). Correct the connection's login, or extra `algorithm`",
    dns.tsig.PeerBadSignature: "does not accept the signature of the key {key} (BADSIG). Correct the connection's "
    "password, or extra `algorithm`",
    dns.tsig.PeerBadTime: "says that this machine's clock or its own is wrong (BADTIME). Set both clocks right",
}
REFUSALS = {
    dns.rcode.REFUSED: "refuses updates of {zone} by the key {key} (REFUSED). Allow that key this record in its update "
    "policy, or see in its log why not",
    dns.rcode.NOTAUTH: "is not authoritative for a zone {zone} (NOTAUTH). Correct `zone`, or the connection's host",
    dns.rcode.NOTZONE: "says that the record is not within the zone {zone} (NOTZONE). Correct `zone`",
    dns.rcode.NOTIMP: "takes no dynamic updates (NOTIMP). Correct the connection's host",
    dns.rcode.SERVFAIL: "failed at the update of {zone} (SERVFAIL). Its log says why",
}


class Step(StepBase, RecordChange):
    """A record set, and what it shall be."""

    is_configuration: ClassVar[bool] = True

    connection: str
    """The Airflow Connection of the primary server."""
    zone: Name
    """The zone that holds the record, like `example.com`."""
    servers: tuple[str, ...] = ()
    """The servers to wait for, instead of those in the zone's NS records: `192.0.2.1`, `ns1.example.com:5353`."""

    @model_validator(mode="after")
    def _record_is_in_the_zone(self) -> Self:
        if not dns.name.from_text(self.record).is_subdomain(dns.name.from_text(self.zone)):
            raise ValueError(f"{self.record} is not within the zone {self.zone}; write its full name")
        for server in self.servers:
            address(server)
        return self

    def does(self) -> str:
        """Say the record set."""
        return f"set {self.type} {self.record} to {', '.join(self.values)} at {self.connection}, wait for all servers"

    def undoes(self) -> str:
        """Say what is restored."""
        return f"set {self.type} {self.record} back to what it was, if it is still what this step wrote"

    def lacks(self, context: Context) -> list[str]:
        """Return which servers do not answer or not agree, and whether the update would be refused."""
        primary = self._primary(context)
        now = self._now(context)
        servers = self._servers(context)
        found = asyncio.run(answers(servers, self.record, self.type))
        missing = [str(one) for one in found if isinstance(one, NoAnswer)]
        missing += [
            f"{server.name} answers {shown(one)}, the primary server {shown(now)}; repair the zone transfer first"
            for server, one in zip(servers, found, strict=True)
            if not isinstance(one, NoAnswer) and one != now
        ]
        alias = None if self.type == "CNAME" else _read(answer(primary, self.record, "CNAME"))
        if alias:
            missing.append(f"{self.record} is a CNAME, beside which no {self.type} can stand; remove it first")
        try:
            self._send(context, self._update(context))
        except StepFailed as error:
            missing.append(str(error))
        return missing

    def remember(self, context: Context) -> Memory:
        """Return the record set as the primary server holds it."""
        now = self._now(context)
        return {"before": {"values": list(now.values), "ttl": now.ttl} if now else None}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Change what was remembered into what the ticket says, and wait."""
        before = RecordSet.from_json(remembered["before"])
        self._change(context, before, self.wanted(before), before)
        self._until_everywhere(context, self.wanted(before))

    def undo(self, context: Context, remembered: Memory) -> None:
        """Change what apply wrote into what was remembered, and wait."""
        before = RecordSet.from_json(remembered["before"])
        ours, now = self.wanted(before), self._now(context)
        if now == before:
            context.log(f"nothing to undo: {self.type} {self.record} is {shown(before)}")
        elif now == ours:
            self._change(context, ours, before, before)
        else:
            raise StepFailed(self._conflict(now, before))
        self._until_everywhere(context, before)

    def _change(self, context: Context, old: RecordSet | None, new: RecordSet | None, before: RecordSet | None) -> None:
        update, name = self._update(context), dns.name.from_text(self.record)
        if old:
            update.present(name, RecordSet(old.values, 0).rdataset(self.type))
        else:
            update.absent(name, self.type)
        if new:
            update.replace(name, new.rdataset(self.type))
        else:
            update.delete(name, self.type)
        says = f"update {self.type} {self.record} at {self._primary(context).name}: {shown(old)} -> {shown(new)}"
        if context.act(says, lambda: self._send(context, update)) in CHANGED:
            raise StepFailed(self._conflict(self._now(context), before))

    def _conflict(self, now: RecordSet | None, before: RecordSet | None) -> str:
        return self.conflict(now=shown(now), ours=shown(self.wanted(before)), before=shown(before))

    def _until_everywhere(self, context: Context, wanted: RecordSet | None) -> None:
        servers = self._servers(context)
        latest: list[RecordSet | NoAnswer | None] = []

        def found() -> bool:
            latest[:] = asyncio.run(answers(servers, self.record, self.type))
            return all(one == wanted for one in latest)

        says = f"all {len(servers)} servers answer {shown(wanted)} for {self.type} {self.record}"
        try:
            context.until(says, found, within=self.timeout * 0.8)
        except StepFailed as error:
            late = [
                str(one) if isinstance(one, NoAnswer) else f"{server.name} answers {shown(one)}"
                for server, one in zip(servers, latest, strict=True)
                if one != wanted
            ]
            raise StepFailed(f"{error} {'; '.join(late)}.") from error

    def _now(self, context: Context) -> RecordSet | None:
        return _read(answer(self._primary(context), self.record, self.type))

    def _servers(self, context: Context) -> list[Server]:
        return _read(listed(self.servers) if self.servers else authoritative(self.zone, self._primary(context)))

    def _primary(self, context: Context) -> Server:
        connection = context.connection(self.connection)
        if not connection.host:
            raise UnusableConnection(connection.name, "host (the primary server)")
        return _read(named(connection.host, connection.port or PORT))

    def _update(self, context: Context) -> dns.update.UpdateMessage:
        connection = context.connection(self.connection)
        update = dns.update.UpdateMessage(self.zone)
        if connection.login:
            try:
                algorithm = str(connection.extra.get("algorithm", "hmac-sha256"))
                update.use_tsig(dns.tsig.Key(connection.login, connection.password, algorithm))
            except (binascii.Error, ValueError) as error:
                raise UnusableConnection(connection.name, "password that is a TSIG secret (base64)") from error
        return update

    def _send(self, context: Context, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        """Return the server's reply to an update: done, or one of `CHANGED`."""
        primary, key = self._primary(context), context.connection(self.connection).login or "(none)"
        try:
            reply = dns.query.tcp(update, primary.addresses[0], timeout=PATIENCE, port=primary.port)
        except tuple(KEYS) as error:
            raise StepFailed(f"{primary.name} {KEYS[type(error)].format(key=key)}.") from error
        except (dns.exception.DNSException, OSError, EOFError, NotImplementedError) as error:
            says = f"{type(error).__name__} {error}".rstrip()
            raise StepFailed(f"{primary.name} gave no valid reply to the update ({says}). Is it up?") from error
        code = reply.rcode()
        if code not in {dns.rcode.NOERROR, *CHANGED}:
            says = REFUSALS.get(code, "refused the update ({code})")
            raise StepFailed(f"{primary.name} {says.format(zone=self.zone, key=key, code=dns.rcode.to_text(code))}.")
        return code


def _read(asked: Coroutine[Any, Any, T]) -> T:
    """Return what a server answers; without an answer, the step cannot go on."""
    try:
        return asyncio.run(asked)
    except NoAnswer as error:
        raise StepFailed(f"{error}.") from error
