"""Shows records whose values are no longer what they were at the last look, or not what they should be.

Every authoritative server is asked, past all caches, for each record and for the serial of its zone (SOA): those in the
zone's NS records, found by this machine's resolver, or those in `servers`. DNS keeps no history, so that changes are
known from the first look on, to the time between two looks; the first look itself shows only what is not as `expected`.
Who did it DNS does not know either; the zone's repository, or the log of its server, does.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.dns.records import Record, RecordSet, shown, values_shown, wanted_values
from changewindow.systems.dns.servers import NoAnswer, Server, address, answer, listed, of_name, serial
from changewindow.systems.measurement import SourceError
from changewindow.systems.remembered import Difference, as_now, compared

EXAMPLE = {
    "kind": "dns",
    "records": [{"record": "api.example.com", "type": "A", "expected": ["192.0.2.20"]}],
    "service": "orders",
}
NOBODY = "DNS does not record who changes it; the log of the server, or the zone's repository, may"
SERIAL = "SOA "
"""How the serial of a zone is named."""
AT_ONCE = 50
"""Queries."""
PATIENCE = 0.6
"""The part of its time that a collector waits for a server."""


class Watched(Record):
    """A record that is watched."""

    expected: tuple[str, ...] = ()
    """All its values as they should be, in any order; without them, those of the last look."""

    @model_validator(mode="after")
    def _is_of_its_type(self) -> Self:
        wanted_values(self.type, self.expected)
        return self

    @property
    def name(self) -> str:
        """Return how entries name it."""
        return f"{self.type} {self.record}"


@dataclass(frozen=True)
class _Looked:
    """What servers hold of a record, and of its zone."""

    record: Watched
    held: tuple[tuple[Server, "_Held"], ...]
    serials: tuple[tuple[str, int], ...]
    problems: Mapping[str, str]
    """What cannot be seen, and why."""

    @property
    def states(self) -> dict[str, str]:
        """Return the values as text, of the record and of the serial, which the other servers are about to have too."""
        texts = {held.text for _, held in self.held}
        differing = "; ".join(f"{server.name}: {held.text}" for server, held in self.held)
        known = {self.record.name: texts.pop() if len(texts) == 1 else differing} if self.held else {}
        return known | {f"{SERIAL}{zone}": f"serial {number}" for zone, number in sorted(self.serials)}

    @property
    def is_unexpected(self) -> bool:
        """Return whether a server holds something else than it should."""
        wanted = wanted_values(self.record.type, self.record.expected)
        return bool(wanted) and any((held.values.values if held.values else ()) != wanted for _, held in self.held)


class Collector(CollectorBase):
    """Records that are watched."""

    kind: Literal["dns"] = "dns"
    records: tuple[Watched, ...] = Field(min_length=1, max_length=200)
    """The records."""
    servers: tuple[str, ...] = ()
    """The servers to ask, instead of those in the zone's NS records: `192.0.2.1`, `ns1.example.com:5353`."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        for server in self.servers:
            address(server)
        return self

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Ask all servers at the same time, and compare."""
        began, gate = context.now(), asyncio.Semaphore(AT_ONCE)
        looks = await asyncio.gather(*(self._look_at(record, gate) for record in self.records))
        blind = {part: reason for look in looks for part, reason in look.problems.items()}
        problems = list(dict.fromkeys(blind.values()))
        if not any(look.held for look in looks):
            raise SourceError("unreachable", f"no record can be read. {'; '.join(problems)}")
        states = {name: state for look in looks for name, state in look.states.items()}
        memory = compared(context.kept, states, began)
        changed = [_changed(change, at) for change in memory.differences if (at := change.at(span))]
        at, known = as_now(span, began), {entry.object for entry in changed}
        unexpected = [look for look in looks if look.is_unexpected and look.record.name not in known]
        wrong = [_unexpected(look, at, memory.since) for look in unexpected if at]
        coverage = memory.coverage(span, "changes of records", *problems, blind=blind)
        return Collected((*changed, *wrong), coverage)

    def put_back(self, entry: Entry) -> PutBack:
        """Write the values that were there, or that should be there."""
        kind, _, record = entry.object.partition(" ")
        if entry.object.startswith(SERIAL):
            return "the serial of a zone only counts upwards"
        watched = next((each for each in self.records if each.name == entry.object), None)
        known = values_shown(entry.before)
        values, ttl = known or (watched.expected if watched else (), None)
        if not values:
            return "there was no record before, or its servers did not agree; a step `dns` only writes records"
        zone = record.partition(".")[2] or record
        step = {"kind": "dns", "connection": "<airflow_connection>", "zone": zone, "record": record, "type": kind}
        return [{"name": f"Put {entry.object} back", **step, "values": list(values), **({"ttl": ttl} if ttl else {})}]

    async def _look_at(self, record: Watched, gate: asyncio.Semaphore) -> _Looked:
        patience = self.within.total_seconds() * PATIENCE
        try:
            async with asyncio.timeout(patience):
                servers = await (listed(self.servers) if self.servers else of_name(record.record))
        except (NoAnswer, TimeoutError) as error:
            reason = str(error) or f"the servers of {record.record} are not found in time"
            return _Looked(record, (), (), {record.name: reason})
        asked = await asyncio.gather(*(_at(server, record, gate, patience) for server in servers))
        answered = [(server, reply) for server, reply in zip(servers, asked, strict=True) if isinstance(reply, _Held)]
        return _Looked(
            record,
            tuple(answered),
            tuple(reply.serial for _, reply in answered if reply.serial),
            {
                f"{record.name} at {server.name}": str(reply)
                for server, reply in zip(servers, asked, strict=True)
                if isinstance(reply, NoAnswer)
            },
        )


@dataclass(frozen=True)
class _Held:
    """What a server holds."""

    values: RecordSet | None
    alias: RecordSet | None
    """Where the name leads to, if it has no such record of its own."""
    serial: tuple[str, int] | None

    @property
    def text(self) -> str:
        """Return it as states have it."""
        if self.values or self.alias is None:
            return shown(self.values)
        return f"no record, but an alias of {', '.join(self.alias.values)}"


async def _at(server: Server, record: Watched, gate: asyncio.Semaphore, patience: float) -> _Held | NoAnswer:
    try:
        async with gate, asyncio.timeout(patience):
            values = await answer(server, record.record, record.type)
            is_alias = values is None and record.type != "CNAME"
            alias = await answer(server, record.record, "CNAME") if is_alias else None
            with suppress(NoAnswer):
                return _Held(values, alias, await serial(server, record.record))
            return _Held(values, alias, None)
    except TimeoutError:
        return NoAnswer(f"{server.name} does not answer in time")
    except NoAnswer as error:
        return error


def _changed(change: Difference, at: datetime) -> Entry:
    """Return the entry of a difference; no change announces a serial, which any change of the zone raises."""
    entry = partial(Entry, at, change.object, f"is {change.after}, changed {change.when}", known_by=NOBODY)
    if change.object.startswith(SERIAL):
        return entry(known_as=change.when, earliest=change.earliest)
    return entry(before=change.values[0], after=change.values[1], earliest=change.earliest)


def _unexpected(look: _Looked, at: datetime, since: datetime) -> Entry:
    name, expected, state = look.record.name, ", ".join(look.record.expected), look.states[look.record.name]
    return Entry(at, name, f"is not as expected: {state}", expected, state, known_by=NOBODY, earliest=since)
