"""Serves an audit log as the REST API of Airflow 3.3 does, as far as it is documented and its source shows.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html#operation/get_event_logs
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from changewindow.systems.connection import Connection
from support.recording_server import Reply, Request, recording_server

PASSWORD, TOKEN = "s3cret-of-the-reader", "t0ken-of-the-reader"
FIELDS = ("dag_id", "task_id", "run_id", "map_index", "try_number", "logical_date", "owner", "extra")
LARGEST = 100
"""Rows of a page, as `[api] maximum_page_limit` has it."""


@dataclass
class Log:
    """Rows of a log, and what goes wrong with it."""

    port: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    hides: int = 0
    """How many rows it counts and does not show."""

    def write(self, event: str, **fields: Any) -> None:
        """Write a row, as the API does when somebody does something."""
        row = {"when": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "event": event, **dict.fromkeys(FIELDS), **fields}
        self.rows.append({"event_log_id": len(self.rows) + 1, **row})

    def connection(self) -> Connection:
        """Return a connection of somebody who may read it."""
        return Connection("orders_airflow", "http", "127.0.0.1", self.port, "reader", PASSWORD)

    def reply(self, request: Request) -> Reply:
        """Answer, page by page."""
        if request.path == "/auth/token":
            is_known = json.loads(request.body) == {"username": "reader", "password": PASSWORD}
            return Reply(201, json.dumps({"access_token": TOKEN})) if is_known else Reply(401, '{"detail": "wrong"}')
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Reply(401, '{"detail": "Not authenticated"}')
        query = request.query
        hidden = query.get("excluded_events", [])
        after, before = (query.get(name, [""])[0] for name in ("after", "before"))
        rows = [row for row in self.rows if row["event"] not in hidden and _lies(row["when"], after, before)]
        rows.sort(key=lambda row: row["event_log_id"], reverse=query["order_by"][0].startswith("-"))
        start = int(query.get("offset", ["0"])[0])
        end = min(start + min(int(query["limit"][0]), LARGEST), len(rows) - self.hides)
        return Reply(200, json.dumps({"event_logs": rows[start:end], "total_entries": len(rows)}))


def _lies(when: str, after: str, before: str) -> bool:
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return True
    return not (
        (after and moment <= datetime.fromisoformat(after)) or (before and moment >= datetime.fromisoformat(before))
    )


@contextmanager
def serving() -> Iterator[Log]:
    """Serve a log that is older than any span of a test."""
    log = Log()
    log.write("trigger_dag_run", when="2020-01-01T00:00:00Z", owner="founder")
    with recording_server(log.reply) as server:
        log.port = server.port
        yield log
