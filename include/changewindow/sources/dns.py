"""Asks every authoritative server of a name, past all caches, and reads how many of them answer what is wanted.

The servers are those in the zone's NS records, found by this machine's resolver, or those in `servers`. `read: share`
is the part of them that answers exactly `values`, so 1 means all; one that does not answer counts as one that does not
have it. `read: text` is the record set itself, its values separated by spaces, and `read: ttl` its time to live in
seconds; both need all servers to agree. It measures what is published, not what a resolver still caches.
"""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from changewindow.documents.refusal import refusal
from changewindow.sources.base import SourceBase
from changewindow.systems.dns.records import Record, RecordSet, shown, wanted_values
from changewindow.systems.dns.servers import NoAnswer, Server, address, answers, listed, of_name
from changewindow.systems.measurement import Answer, SourceContext, SourceError

EXAMPLE = {"kind": "dns", "record": "api.example.com", "type": "A", "values": ["192.0.2.20"], "read": "share"}


class Source(SourceBase, Record):
    """A record set, and what is read of it."""

    kind: Literal["dns"] = "dns"
    why_not_before_approval: ClassVar[str] = ""
    read: Literal["share", "text", "ttl"] = "share"
    """How many have it (0 to 1), the values, or their time to live."""
    values: tuple[str, ...] = ()
    """For a share: the whole record set that is wanted, in any order."""
    servers: tuple[str, ...] = ()
    """The servers to ask, instead of those in the zone's NS records: `192.0.2.1`, `ns1.example.com:5353`."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        wanted_values(self.type, self.values)
        if bool(self.values) != (self.read == "share"):
            raise refusal("`values` belongs to `read: share`, and to nothing else", "Correct one of them.")
        for server in self.servers:
            address(server)
        return self

    def description(self) -> str:
        """Return the record set and what is read of it."""
        wanted = f" with {', '.join(self.values)}" if self.values else ""
        return f"{self.read} of {self.type} {self.record}{wanted} at {', '.join(self.servers) or 'each name server'}"

    async def ask(self, context: SourceContext) -> Answer:
        """Ask all servers at the same time."""
        started = context.now()
        try:
            servers = await (listed(self.servers) if self.servers else of_name(self.record))
        except NoAnswer as error:
            raise SourceError("unreachable", str(error)) from error
        replies = await answers(servers, self.record, self.type)
        if all(isinstance(reply, NoAnswer) for reply in replies):
            raise SourceError("unreachable", "; ".join(map(str, replies)))
        summary = "; ".join(map(_summary, servers, replies))
        if self.read == "share":
            wanted = wanted_values(self.type, self.values)
            having = [reply for reply in replies if isinstance(reply, RecordSet) and reply.values == wanted]
            return Answer(len(having) / len(replies), started, f"{self.type} {self.record}: {summary}")
        return Answer(self._same(replies, summary), started, f"{self.type} {self.record}: {summary}")

    def _same(self, replies: list[RecordSet | NoAnswer | None], summary: str) -> float | str:
        """Return what all servers agree on."""
        if any(isinstance(reply, NoAnswer) for reply in replies):
            raise SourceError("unreachable", f"not every server answers: {summary}")
        first = replies[0]
        if any(reply != first for reply in replies):
            raise SourceError("invalid", f"the servers do not agree: {summary}")
        if not isinstance(first, RecordSet):
            raise SourceError("no_data", f"there is no {self.type} record of {self.record}: {summary}")
        return " ".join(first.values) if self.read == "text" else first.ttl


def _summary(server: Server, reply: RecordSet | NoAnswer | None) -> str:
    return str(reply) if isinstance(reply, NoAnswer) else f"{server.name} answers {shown(reply)}"
