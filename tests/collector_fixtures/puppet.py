"""A world for `puppet`: events as PuppetDB documents them, recorded; no PuppetDB runs here.

Source: https://www.puppet.com/docs/puppetdb/latest/api/query/v4/events.html
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.documents.moments import utc
from changewindow.systems.connection import Connection
from collector_fixtures import Made, World
from support.recording_server import Reply, Request, recording_server

TOKEN = "t0ken-of-puppetdb"
OLD = timedelta(days=14)


@dataclass
class PuppetDB:
    """The events of some hosts."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def changed(self, at: datetime | None = None, **fields: Any) -> None:
        """Add the event of a file that was changed."""
        moment = f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        event = {"certname": "web-3", "status": "success", "timestamp": moment, "property": "content"}
        event |= {"resource_type": "File", "resource_title": "/etc/pool.ini", "containing_class": "Pool"}
        event |= {"old_value": "{sha256}aa", "new_value": "{sha256}bb", "message": "content changed '{sha256}aa'"}
        event |= {"file": "/etc/puppetlabs/code/pool.pp", "line": 7, "corrective_change": False}
        self.events.append({**event, "environment": "production", "run_start_time": moment, **fields})

    def reply(self, request: Request) -> Reply:
        """Answer a query, page by page."""
        if request.headers.get("X-Authentication") != TOKEN:
            return Reply(401, "not allowed")
        query = {name: values[0] for name, values in request.query.items()}
        wanted = json.loads(query.get("query", '["and"]'))
        events = [event for event in self.events if _is_wanted(wanted, event)]
        is_newest_first = json.loads(query["order_by"])[0]["order"] == "desc"
        events.sort(key=lambda event: str(event["timestamp"]), reverse=is_newest_first)
        start = int(query["offset"])
        return Reply(200, json.dumps(events[start : start + int(query["limit"])]))


def _is_wanted(query: list[Any], event: dict[str, Any]) -> bool:
    """Return whether an event is what is asked for, in PuppetDB's query language."""
    operator, *parts = query
    if operator in {"and", "or"}:
        return (all if operator == "and" else any)(_is_wanted(part, event) for part in parts)
    name, bound = parts
    if name not in event:
        return False
    return utc(event[name]) >= utc(bound) if operator == ">=" else utc(event[name]) <= utc(bound)


@contextmanager
def serving() -> Iterator[tuple[PuppetDB, Connection]]:
    """Serve events, of which one is two weeks old."""
    known = PuppetDB()
    known.changed(datetime.now(UTC) - OLD)
    with recording_server(known.reply) as server:
        header = {"header": "X-Authentication"}
        yield known, Connection("puppetdb", "http", "127.0.0.1", server.port, password=TOKEN, extra=header)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve them."""
    with serving() as (known, connection):
        asked = {"kind": "puppet", "puppetdb": "puppetdb"}
        blind = {"kind": "puppet", "report": f"{folder}/gone.yaml"}
        yield World(asked, lambda: made(known), lambda text: hostile(known, text), blind, (connection,))


def made(known: PuppetDB) -> Made:
    """Let a run change a file."""
    known.changed()
    return Made("web-3:File[/etc/pool.ini]", "Puppet", "Puppet changed content: content changed")


def hostile(known: PuppetDB, text: str) -> None:
    """Let a host report what it wants."""
    known.changed(certname=text, resource_title=text, message=text, new_value=[text])
    known.changed(resource_type=None, status=None)
