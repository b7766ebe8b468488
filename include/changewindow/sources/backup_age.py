"""Measures the age of the newest backup in seconds: by a file, by an HTTP object, or by a query.

`files` takes the newest file that matches a pattern, on the host that asks; empty files do not count, so let the
pattern match finished backups only. `path` asks the HTTP service of `connection` with HEAD for Last-Modified, and
measures by that server's own clock where it sends one. `query` asks the database of `connection` for one moment: a
timestamp with time zone, ISO 8601 text with an offset, or seconds since 1970. A moment without a zone, or one in the
future, is `invalid`; no backup is `no_data`.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from glob import glob
from pathlib import Path
from stat import S_ISREG
from typing import Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.text import shown
from changewindow.documents.types import ConnectionName
from changewindow.sources.base import SourceBase
from changewindow.systems.databases.query import one_value
from changewindow.systems.http.cache import age
from changewindow.systems.measurement import Answer, SourceContext, SourceError

EXAMPLE = {"kind": "backup_age", "connection": "example_backups", "path": "/orders/latest.dump"}
SKEW = timedelta(minutes=1)
"""How far clocks may differ."""


class Source(SourceBase):
    """Where the backup is, or who knows of it."""

    kind: Literal["backup_age"] = "backup_age"
    why_not_before_approval: ClassVar[str] = "it may run the ticket's query, or search the files of the worker"
    files: str = ""
    """Pattern of the files, as `/backup/orders-*.dump`; `**` for folders in between."""
    connection: ConnectionName = ""
    """The Airflow Connection of the HTTP service that holds it, or of the database that knows of it."""
    path: str = Field(default="", pattern="^(/.*)?$")
    """Path of the object at the HTTP service."""
    query: str = ""
    """A SELECT that returns the moment of the newest good backup."""

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = [name for name in ("files", "path", "query") if getattr(self, name)]
        if len(given) != 1 or bool(self.connection) == bool(self.files):
            raise refusal("it looks in one place", "Write files; or connection with path; or connection with query.")
        return self

    def description(self) -> str:
        """Return where the moment of the backup comes from."""
        where = f" at {self.connection}" if self.connection else ""
        return f"age of the backup by {self.files or self.path or self.query}{where}"

    async def ask(self, context: SourceContext) -> Answer:
        """Find the moment of the newest backup, and return how long ago that is."""
        if self.query:
            return await self._queried(context)
        made, now = await self._moment(context)
        return self._aged(made, now, now)

    async def _queried(self, context: SourceContext) -> Answer:
        answered = await one_value(await context.connection(self.connection), self.query, timedelta(seconds=10))
        now = context.now()
        return self._aged(_moment(answered.value), now, answered.at(now, context))

    def _aged(self, made: datetime, now: datetime, at: datetime) -> Answer:
        if made > now + SKEW:
            raise SourceError("invalid", f"the {self.description()} is none: {made.isoformat()} is in the future")
        return Answer(max(0.0, (now - made).total_seconds()), at, self.description())

    async def _moment(self, context: SourceContext) -> tuple[datetime, datetime]:
        """Return when the backup was made, and what time it is by the same clock."""
        if self.files:
            return await asyncio.to_thread(_newest, self.files), context.now()
        return await self._modified(context)

    async def _modified(self, context: SourceContext) -> tuple[datetime, datetime]:
        reply = await context.head(self.connection, self.path)
        url = reply.url
        if reply.status_code == httpx.codes.NOT_FOUND:
            raise SourceError("no_data", f"there is no backup at {url}")
        if reply.status_code != httpx.codes.OK:
            raise SourceError("unreachable", f"HEAD {url} answered {reply.status_code}{_advice(reply)}")
        if "last-modified" not in reply.headers:
            raise SourceError("no_data", f"{url} does not tell when it was modified (no Last-Modified)")
        if reply.headers.get("content-length") == "0":
            raise SourceError("invalid", f"the backup at {url} is empty")
        return _http_date(reply, "last-modified"), _answered(reply) or context.now()


def _advice(reply: httpx.Response) -> str:
    """Return what to do about an answer that is no object."""
    if reply.has_redirect_location:
        return f": it has moved to {reply.headers['location']}. Correct connection or path"
    advice: dict[int, str] = {
        httpx.codes.UNAUTHORIZED: ". Correct login or password of the connection",
        httpx.codes.FORBIDDEN: ". It is not there, or the account of the connection may not read it",
        httpx.codes.METHOD_NOT_ALLOWED: ". It does not answer HEAD: let files or a query tell the age",
    }
    return advice.get(reply.status_code, "")


def _answered(reply: httpx.Response) -> datetime | None:
    """Return the time by the server's clock; a cache says how long ago it asked the server."""
    if "date" not in reply.headers:
        return None
    return _http_date(reply, "date") + age(reply)


def _newest(pattern: str) -> datetime:
    try:
        files = list(_stats(pattern))
    except OSError as error:
        raise SourceError("unreachable", f"files of {pattern} on this host cannot be looked at: {error}") from error
    if not files:
        raise SourceError("no_data", f"no file matches {pattern} on this host")
    times = [stat.st_mtime for stat in files if stat.st_size]
    if not times:
        raise SourceError("invalid", f"every file that matches {pattern} is empty")
    return datetime.fromtimestamp(max(times), UTC)


def _stats(pattern: str) -> Iterator[os.stat_result]:
    for name in glob(pattern, recursive=True):  # noqa: PTH207
        with suppress(FileNotFoundError):  # an old backup that is being removed
            stat = Path(name).stat()
            if S_ISREG(stat.st_mode):
                yield stat


def _http_date(reply: httpx.Response, name: str) -> datetime:
    try:
        moment = parsedate_to_datetime(reply.headers[name])
    except ValueError as error:
        raise SourceError("invalid", f"{reply.url} has a {name} that is no date: {reply.headers[name]!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromtimestamp(float(value), UTC) if _is_number(value) else value
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except (ValueError, OverflowError, OSError) as error:
        raise SourceError("invalid", f"the query returned {shown(value)}, which is no moment") from error
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        fault = f"the query returned {shown(str(value))}, which is no moment with a time zone"
        raise SourceError("invalid", f"{fault}; PostgreSQL: made AT TIME ZONE 'UTC'")
    return moment


def _is_number(value: Any) -> bool:
    if isinstance(value, str) and not re.fullmatch(r"(?i)[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", value):
        return False  # Python also reads 2026_11 as a number
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)
