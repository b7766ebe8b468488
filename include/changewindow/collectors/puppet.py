r"""Shows what Puppet changed on hosts, by the events of PuppetDB or by the report of a host's last run.

With `puppetdb`, a connection to PuppetDB's API, the events of all hosts are asked for, as far back as it keeps reports
(`report-ttl`, 14 days by default); what a long run did early counts when its report came. A token goes into the
connection's password, with `header: X-Authentication` in its extra. Without it, `last_run_report.yaml` is read on a
host, which knows its last run and none before. An event that is corrective tells that something else had changed the
resource since the run before; who wrote the catalog Puppet does not say. Values that are `Sensitive` in Puppet are
redacted by it.

On a host, the report belongs to root. Where the account of the connection is not root, write `sudo: true` here, and
give it this command and no other, as a file in /etc/sudoers.d:

    changewindow ALL=(root) NOPASSWD: \
      /usr/bin/cat -- /opt/puppetlabs/puppet/cache/state/last_run_report.yaml
"""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.moments import utc
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import MOST, Collected, Coverage, Entry, Span
from changewindow.systems.hosts.machine import Line, machine
from changewindow.systems.measurement import SourceError
from changewindow.systems.puppet_report import last_run, of_puppetdb

EXAMPLE = {"kind": "puppet", "puppetdb": "puppetdb", "service": "orders"}
REPORT = "/opt/puppetlabs/puppet/cache/state/last_run_report.yaml"
EVENTS = "/pdb/query/v4/events"
PAGE = 500
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


class Collector(CollectorBase):
    """PuppetDB, or the last run on a host."""

    kind: Literal["puppet"] = "puppet"
    puppetdb: ConnectionName | None = None
    """The Airflow Connection of PuppetDB's API, of type HTTP."""
    connection: ConnectionName | None = None
    """Without PuppetDB: the SSH connection of the host; without it, this machine."""
    report: str = Field(default=REPORT, pattern="^/")
    """Without PuppetDB: the report on the host."""
    sudo: bool = False
    """Whether the report is read as root by sudo; see above."""

    @property
    def by_sudo(self) -> tuple[Line, ...]:
        """Return what runs as root."""
        return (("cat", "--", self.report),) if self.sudo else ()

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Ask PuppetDB, or read the report."""
        if self.puppetdb:
            return await self._events(self.puppetdb, span, context)
        on = await machine(context.connection, context.run, self.connection, by_sudo=self.by_sudo, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        content = await on.read("cat", "--", self.report)
        try:
            run = await asyncio.to_thread(last_run, content)
        except ValueError as error:
            problem = f"{self.report} of {on.name} cannot be read: {error}"
            raise SourceError("invalid", f"{problem}. Correct `report`") from error
        begun = run.at - ahead
        reasons = [f"the report knows the last run, of {begun:%Y-%m-%d %H:%M} UTC, and none before"]
        if run.unreadable:
            reasons.append(f"{run.unreadable} events cannot be read")
        since = min(max(span.since, begun), span.until)
        why = "; ".join(reasons) if begun > span.since or run.unreadable else ""
        return Collected(run.entries, Coverage(since, span.until, lost=run.unreadable, clock_off=ahead, why=why))

    async def _events(self, name: str, span: Span, context: CollectorContext) -> Collected:
        """Return the events of a span, page by page."""
        rows: list[Any] = []
        wanted = ["or", *(_within(field, span) for field in ("timestamp", "report_receive_time"))]
        while len(rows) <= MOST:
            page = await _page(name, context, query=json.dumps(wanted), order="desc", offset=len(rows), limit=PAGE)
            rows += page
            if len(page) < PAGE:
                break
        oldest = await _page(name, context, query="", order="asc", offset=0, limit=1)
        read = [_read(row, span) for row in rows]
        entries = [entry for entry in read if isinstance(entry, Entry)]
        lost = len([entry for entry in read if entry is False])
        return Collected(tuple(entries), _coverage(span, entries, _oldest(oldest), lost=lost, is_cut=len(rows) > MOST))


def _coverage(span: Span, entries: list[Entry], oldest: datetime | None, *, lost: int, is_cut: bool) -> Coverage:
    since, reasons = span.since, []
    if oldest is None:
        since, reasons = span.until, ["PuppetDB has no event at all: does any host report to it?"]
    elif oldest > span.since:
        since = min(oldest, span.until)
        reasons.append(f"PuppetDB's oldest event is of {oldest:%Y-%m-%d %H:%M} UTC; it keeps them for its report-ttl")
    if is_cut:
        since = max(since, min((entry.at for entry in entries), default=span.until))
        reasons.append(f"more than {MOST} events; the newest are shown")
    if lost:
        reasons.append(f"{lost} events cannot be read")
    return Coverage(min(since, span.until), span.until, lost=lost, why="; ".join(reasons))


async def _page(name: str, context: CollectorContext, *, query: str, order: str, offset: int, limit: int) -> list[Any]:
    by = json.dumps([{"field": "timestamp", "order": order}])
    parameters = {"order_by": by, "offset": str(offset), "limit": str(limit), **({"query": query} if query else {})}
    reply = await context.get(name, EVENTS, parameters)
    if reply.status_code != 200:
        problem = f"PuppetDB answered {EVENTS} with {reply.status_code}"
        raise SourceError("unreachable", f"{problem}. Correct the host, or the token, of the connection {name}")
    try:
        rows = reply.json()
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        problem = f"what answers at {reply.url.copy_with(query=None)} is not PuppetDB"
        raise SourceError("invalid", f"{problem}. Correct the host of the connection {name}")
    return rows[:limit]


def _within(field: str, span: Span) -> list[Any]:
    return ["and", [">=", field, span.since.isoformat()], ["<=", field, span.until.isoformat()]]


def _read(row: Any, span: Span) -> Entry | bool | None:
    """Return the entry of an event; one of before the span, of a run that was long, counts when its report came."""
    try:
        entry = of_puppetdb(row)
        if entry is None or not row.get("report_receive_time"):
            return entry
        came = utc(row["report_receive_time"])
        return replace(entry, at=entry.at if entry.at in span else max(entry.at, came), earliest=entry.at)
    except UNREADABLE:
        return False


def _oldest(rows: list[Any]) -> datetime | None:
    try:
        return utc(rows[0]["timestamp"])
    except (*UNREADABLE, IndexError):
        return None
