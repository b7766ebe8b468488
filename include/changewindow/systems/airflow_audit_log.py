"""Reads the audit log of an Airflow through its REST API, page by page.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.http.clock import ahead_by_date
from changewindow.systems.measurement import SourceContext, SourceError, content_of

PATH, TOKEN = "/api/v2/eventLogs", "/auth/token"
PAGE = 100
"""Airflow gives no more at a time unless it is set up to."""
LARGEST = 1 << 20
"""In bytes: an answer with a token."""
OF_TASKS = [
    *("running", "success", "failed", "queued", "scheduled", "skipped", "deferred", "up_for_retry"),
    *("up_for_reschedule", "upstream_failed", "restarting", "removed", "cli_task_run"),
]
"""What Airflow writes itself while tasks run."""


@dataclass(frozen=True)
class Rows:
    """Rows of the audit log, the latest first."""

    rows: tuple[dict[str, Any], ...]
    total: int
    """How many there are."""
    ahead: timedelta | None
    """How far the clock of Airflow is ahead."""


@dataclass(frozen=True)
class AuditLog:
    """The audit log of the Airflow behind a connection."""

    context: SourceContext
    connection: str
    authentication: Mapping[str, str] | None
    """None where the connection itself says how its requests are signed."""

    async def rows(self, since: datetime, until: datetime, most: int) -> Rows:
        """Return what people did in a span, and no more than so many rows.

        Raises:
            SourceError: Airflow does not answer, refuses, or answers something else.
        """
        rows: dict[Any, dict[str, Any]] = {}
        span = {"after": since.isoformat(), "before": until.isoformat(), "excluded_events": OF_TASKS}
        total, offset, ahead = 0, 0, None
        while offset < most:
            document, ahead = await self._page({**span, "order_by": "-event_log_id", "offset": str(offset)})
            total, page = document["total_entries"], document["event_logs"]
            rows |= {row.get("event_log_id", (offset, place)): row for place, row in enumerate(page)}
            offset += len(page)
            if not page or offset >= total:
                break
        return Rows(tuple(rows.values())[:most], total, ahead)

    async def oldest(self) -> Any:
        """Return when the oldest row is from, which shows since when the log is kept; None in an empty log."""
        document, _ = await self._page({"order_by": "event_log_id"}, limit=1)
        return document["event_logs"][0].get("when") if document["event_logs"] else None

    async def _page(self, parameters: Mapping[str, Any], limit: int = PAGE) -> tuple[dict[str, Any], timedelta | None]:
        asked = self.context.now()
        signed = self.authentication
        sign = (lambda _: signed) if signed is not None else None
        reply = await self.context.get(self.connection, PATH, {**parameters, "limit": str(limit)}, headers=sign)
        if reply.status_code != 200:
            raise _refused(self.connection, PATH, reply.status_code)
        try:
            document = reply.json()
            rows, total = document["event_logs"], document["total_entries"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"what answers at {reply.url.copy_with(query=None)} is no audit log of Airflow"
            raise SourceError("invalid", f"{problem}. Correct the host of the connection {self.connection}") from error
        if not isinstance(total, int) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise SourceError("invalid", f"the audit log at {reply.url.host} has another form. Is it Airflow 3?")
        return document, ahead_by_date(reply.headers.get("date", ""), asked, self.context.now())


async def audit_log(context: SourceContext, name: str) -> AuditLog:
    """Return the audit log of the Airflow behind a connection, after a login if it has login and password.

    Raises:
        SourceError: Airflow does not let it in, or does not answer.
        UnusableConnection: it has no password, and names no header.
    """
    connection = await context.connection(name)
    if connection.extra.get("header") or connection.extra.get("scheme"):
        return AuditLog(context, name, None)
    if not connection.password:
        raise UnusableConnection(name, "password")
    token = await _token(context, connection) if connection.login else connection.password.strip()
    context.secrets.learn(token)
    return AuditLog(context, name, {"Authorization": f"Bearer {token}"})


async def _token(context: SourceContext, connection: Connection) -> str:
    import aiohttp  # noqa: PLC0415  both take long to import, and only who asks needs them
    import httpx  # noqa: PLC0415  same

    url = f"{connection.base_url}{TOKEN}"
    body = {"username": connection.login, "password": connection.password}
    try:
        async with context.http.stream("POST", url, json=body) as reply:
            content = await content_of(reply, url, LARGEST)
        document = json.loads(content) if reply.is_success else {}
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
        reason = f"{url}: {type(error).__name__} {error}".rstrip()
        raise SourceError("unreachable", f"{reason}. Is Airflow running there?") from error
    except ValueError:
        document = {}
    if not reply.is_success:
        raise _refused(connection.name, TOKEN, reply.status_code)
    token = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise SourceError("invalid", f"there is no token in the answer of {url}. Is that Airflow?")
    return token


def _refused(connection: str, path: str, status: int) -> SourceError:
    if status in {401, 403}:
        need = "the right to read the audit log (GET on Audit Logs), in the Airflow that it leads to"
        return SourceError(
            "unreachable", f"Airflow refused {path} ({status}). The account of {connection} needs {need}"
        )
    return SourceError("unreachable", f"Airflow answered {path} with {status}. Correct the host of {connection}")
