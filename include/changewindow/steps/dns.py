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
from typing import ClassVar, Literal, Self

import dns.name
import dns.rcode
import dns.update
from pydantic import model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.dns.propagation import answer_of, until_answered
from changewindow.systems.dns.records import RecordChange, RecordSet, Zone, shown
from changewindow.systems.dns.servers import (
    PORT,
    NoAnswer,
    Server,
    address,
    answer,
    answers,
    authoritative,
    listed,
    named,
)
from changewindow.systems.dns.updates import CHANGED, send, updating

EXAMPLE = {
    "name": "Point api at the new load balancer",
    "kind": "dns",
    "connection": "example_dns",
    "zone": "example.com",
    "record": "api.example.com",
    "type": "A",
    "values": ["192.0.2.20"],
}


class Step(StepBase, RecordChange):
    """A record set, and its new values."""

    kind: Literal["dns"] = "dns"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection of the primary server."""
    zone: Zone
    """The zone that holds the record, like `example.com`."""
    servers: tuple[str, ...] = ()
    """The servers to wait for, instead of those in the zone's NS records: `192.0.2.1`, `ns1.example.com:5353`."""

    @model_validator(mode="after")
    def _record_is_in_the_zone(self) -> Self:
        if not dns.name.from_text(self.record).is_subdomain(dns.name.from_text(self.zone)):
            raise refusal(f"{self.record} is not within the zone {self.zone}", "Write its full name.")
        for server in self.servers:
            address(server)
        return self

    def does(self) -> str:
        """Describe the record set."""
        return f"set {self.type} {self.record} to {', '.join(self.values)} at {self.connection}, wait for all servers"

    def undoes(self) -> str:
        """Describe what is restored."""
        return f"set {self.type} {self.record} back to what it was, if it is still what this step wrote"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return which servers do not answer or do not agree, and why the update would be refused."""
        primary = self._primary(context)
        now = self._now(context)
        servers = self._servers(context)
        replies = asyncio.run(answers(servers, self.record, self.type))
        missing = [str(reply) for reply in replies if isinstance(reply, NoAnswer)]
        missing += [
            f"{server.name} answers {shown(reply)}, the primary server {shown(now)}; repair the zone transfer first"
            for server, reply in zip(servers, replies, strict=True)
            if not isinstance(reply, NoAnswer) and reply != now
        ]
        alias = None if self.type == "CNAME" else answer_of(answer(primary, self.record, "CNAME"))
        if alias:
            missing.append(f"{self.record} is a CNAME, beside which no {self.type} can stand; remove it first")
        return [*missing, *self._refusal(context, now)]

    def remember(self, context: Context) -> Memory:
        """Return the record set as the primary server holds it."""
        now = self._now(context)
        return {"before": {"values": list(now.values), "ttl": now.ttl} if now else None}

    def restored(self, remembered: Memory) -> str:
        """Return the previous record set."""
        return shown(RecordSet.from_json(remembered["before"]))

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

    def _refusal(self, context: Context, now: RecordSet | None) -> list[str]:
        """Return why the server would not take the update: it is sent one with the same condition that changes nothing.

        That deletes a value which is not there, as the condition makes sure: the key must be allowed to do it.
        """
        update, name = self._update(context, now), dns.name.from_text(self.record)
        if now is None and self.type == "CNAME":
            update.absent(name)
        new = self.wanted(now)
        absent = RecordSet(tuple(set(new.values) - set(now.values if now else ())), 0)
        if absent.values:
            update.delete(name, absent.rdataset(self.type))
        try:
            code = self._send(context, update)
        except StepFailed as error:
            return [str(error)]
        if code == dns.rcode.NXRRSET:
            problem = f"{self.record} has no {self.type} record of its own; a wildcard answers {shown(now)}"
            return [f"{problem}, which undo could not bring back. Add this as a record of {self.record} first"]
        if code == dns.rcode.YXDOMAIN:
            return [f"{self.record} has other records, beside which no CNAME can stand; remove them first"]
        return [] if code == dns.rcode.NOERROR else [f"{self.type} {self.record} is being changed; ask again"]

    def _change(self, context: Context, old: RecordSet | None, new: RecordSet | None, before: RecordSet | None) -> None:
        update, name = self._update(context, old), dns.name.from_text(self.record)
        if new:
            update.replace(name, new.rdataset(self.type))
        else:
            update.delete(name, self.type)
        description = f"update {self.type} {self.record} at {self._primary(context).name}: {shown(old)} -> {shown(new)}"
        if context.act(description, lambda: self._send(context, update)) not in CHANGED:
            return
        if (now := self._now(context)) != new:
            raise StepFailed(self._conflict(now, before))
        context.log("already done, by an earlier attempt whose reply was lost")

    def _conflict(self, now: RecordSet | None, before: RecordSet | None) -> str:
        return self.conflict(now=shown(now), ours=shown(self.wanted(before)), before=shown(before))

    def _until_everywhere(self, context: Context, wanted: RecordSet | None) -> None:
        until_answered(context, self._servers(context), self, wanted, within=self.timeout * 0.8)

    def _now(self, context: Context) -> RecordSet | None:
        return answer_of(answer(self._primary(context), self.record, self.type))

    def _servers(self, context: Context) -> list[Server]:
        return answer_of(listed(self.servers) if self.servers else authoritative(self.zone, self._primary(context)))

    def _primary(self, context: Context) -> Server:
        connection = context.connection(self.connection)
        if not connection.host:
            raise UnusableConnection(connection.name, "host (the primary server)")
        return answer_of(named(connection.server_name, connection.port or PORT))

    def _update(self, context: Context, old: RecordSet | None) -> dns.update.UpdateMessage:
        """Return an update that changes nothing yet, on the condition that the record set is still the old one."""
        update, name = updating(self.zone, context.connection(self.connection)), dns.name.from_text(self.record)
        if old:
            update.present(name, RecordSet(old.values, 0).rdataset(self.type))
        else:
            update.absent(name, self.type)
        return update

    def _send(self, context: Context, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        return send(update, self._primary(context), context.connection(self.connection))
