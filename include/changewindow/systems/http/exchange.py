"""Sends one HTTP request for a step: the whole exchange, not only a silence in it, is limited in time and in bytes."""

import asyncio
import json
import os
import ssl
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from changewindow.errors import StepFailed
from changewindow.systems.quiet import quiet

if TYPE_CHECKING:
    import httpx

WITHIN = 30.0
"""Seconds until the last byte of the reply must be there."""
LONGEST_QUIET = 3600
LARGEST = 16 << 20
"""How many bytes of a reply are read at most."""


@dataclass(frozen=True)
class Replied:
    """A reply to an HTTP request."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """By their names in lower case."""

    def wanted_quiet(self, now: datetime) -> timedelta:
        """Return for how long the server wants to be left alone (RFC 9110, 10.2.3); an hour at most."""
        after = self.headers.get("retry-after", "").strip()
        try:
            seconds = float(after) if after.isdecimal() else (parsedate_to_datetime(after) - now).total_seconds()
        except (ValueError, TypeError):
            return timedelta(0)
        return timedelta(seconds=min(max(seconds, 0), LONGEST_QUIET))


@dataclass(frozen=True)
class Request:
    """One request, with its credentials: `login`, or in the headers."""

    method: str
    url: str
    body: Any = None
    """Sent as JSON, bytes as they are; None for none."""
    headers: Mapping[str, str] | None = None
    login: tuple[str, str] | None = None
    within: float = WITHIN
    """Seconds."""
    shown_as: str = ""
    """What messages say in place of an address that is a secret; then no library logs it either."""

    def send(self) -> Replied:
        """Send it, and return the reply; no redirect is followed, and nothing is read from a .netrc.

        Raises:
            StepFailed: no whole reply came in time; whether the request had an effect is unknown.
        """
        import httpx  # noqa: PLC0415  takes long to import, and few steps need it

        try:
            with quiet("httpx") if self.shown_as else nullcontext():
                return asyncio.run(self._replied())
        except TimeoutError as error:
            problem = f"{self._shown} got no whole reply within {self.within:g} s"
            raise StepFailed(f"{problem}. Is the service up, and not overloaded?") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise StepFailed(f"{self._shown} got no reply: {_why(error).rstrip('.')}. Is the service up?") from error

    @property
    def _shown(self) -> str:
        return f"{self.method} {self.shown_as or self.url}"

    async def _replied(self) -> Replied:
        import httpx  # noqa: PLC0415  see above

        verify = _authorities() if self.url.startswith("https://") else False
        is_ready = self.body is None or isinstance(self.body, bytes)
        content = self.body if is_ready else json.dumps(self.body, allow_nan=False)
        headers = {"Content-Type": "application/json"} if content else {}
        async with (
            asyncio.timeout(self.within),
            httpx.AsyncClient(verify=verify, timeout=self.within, follow_redirects=False) as client,
            client.stream(
                self.method, self.url, content=content, headers={**headers, **(self.headers or {})}, auth=self.login
            ) as reply,
        ):
            body = await self._body(reply)
            encoding = reply.charset_encoding or "utf-8"  # as JSON is
        return Replied(reply.status_code, _decoded(body, encoding), dict(reply.headers))

    async def _body(self, reply: "httpx.Response") -> bytes:
        """Return the content, unpacked; with a little too much of it in memory, never with all."""
        body = bytearray()
        async for part in reply.aiter_bytes():
            body += part
            if len(body) > LARGEST:
                problem = f"{self._shown} answered {reply.status_code} with more than {LARGEST >> 20} MiB"
                raise StepFailed(f"{problem}, which is not read. Ask for less; what the request did stays done.")
        return bytes(body)


def _authorities() -> ssl.SSLContext:
    """Return what says whom to trust: what the environment names as for `requests`, else the usual authorities."""
    import certifi  # noqa: PLC0415  its file is read with https only

    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    is_folder = Path(named).is_dir()
    return ssl.create_default_context(cafile=None if is_folder else named, capath=named if is_folder else None)


def _decoded(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding, errors="replace")
    except LookupError:  # no such encoding
        return body.decode(errors="replace")


def _why(error: BaseException) -> str:
    """Return the innermost reason that the system or TLS gave for a failed request, such as an expired certificate."""
    cause: BaseException | None = error
    while cause is not None:
        error = cause if isinstance(cause, OSError) else error
        of_several = cause.exceptions[0] if isinstance(cause, ExceptionGroup) else None  # the addresses of one name
        cause = of_several or cause.__cause__ or cause.__context__
    if isinstance(error, ConnectionError) and error.errno:
        error = type(error)(error.errno, os.strerror(error.errno))  # asyncio writes "Connect call failed" for all
    return f"{type(error).__name__}: {error}"
