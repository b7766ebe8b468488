"""Lets all watches of one process share a client, and the answers to questions they ask at the same time."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from weakref import WeakKeyDictionary

import httpx
from httpx_aiohttp import HttpxAiohttpClient

from changewindow.systems.measurement import Answer, Connections, Measurable, PastOf, SourceContext
from changewindow.systems.process import apart
from changewindow.systems.secrecy import Secrets

FRESH = timedelta(seconds=0.5)
"""How long an answer serves others who ask the same."""


@dataclass
class Asked:
    """A question that was asked, and its pending answer."""

    at: datetime
    answer: "asyncio.Task[Answer]"
    served: set[int] = field(default_factory=set)
    """Who has received it; whoever asks twice wants two answers."""
    waiting: int = 0
    """How many wait for it."""

    def serves(self, context: SourceContext) -> bool:
        """Return whether the answer is new, and recent enough, for somebody who asks now."""
        is_fresh = context.now() - self.at < FRESH
        return (
            is_fresh
            and not self.answer.cancelling()
            and id(context.kept) not in self.served
            and (context.since is None or self.at > context.since)
        )

    async def awaited(self) -> Answer:
        """Return the answer; an answer that nobody waits for any more is not read to its end.

        Raises:
            SourceError: there is none.
        """
        self.waiting += 1
        try:
            return await asyncio.shield(self.answer)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.answer.cancel()


@dataclass
class Shared:
    """What the watches of one event loop share; it lives as long as one of them uses it."""

    http: httpx.AsyncClient
    users: int = 0
    asked: dict[str, Asked] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)

    async def answer(self, source: Measurable, context: SourceContext) -> Answer:
        """Return the answer of a source, or the one that somebody else is getting to the same question.

        Raises:
            SourceError: there is none.
        """
        asker = f"{context.change} {context.since}" if source.is_about_the_asker else ""
        question = f"{type(source).__module__} {source.model_dump_json()} {asker}"
        pending = self.asked.get(question)
        if pending is None or not pending.serves(context):
            pending = Asked(context.now(), asyncio.create_task(source.ask(context)))
            pending.answer.add_done_callback(lambda done: self._forget(question, done))
            self.asked[question] = pending
        pending.served.add(id(context.kept))
        return await pending.awaited()

    def _forget(self, question: str, done: "asyncio.Task[Answer]") -> None:
        """Forget an answer when it is no longer fresh, and an error that nobody waited for."""
        if not done.cancelled():
            done.exception()
        later = asyncio.get_running_loop().call_later
        later(FRESH.total_seconds(), lambda: self._is_newest(question, done) and self.asked.pop(question))

    def _is_newest(self, question: str, done: "asyncio.Task[Answer]") -> bool:
        pending = self.asked.get(question)
        return pending is not None and pending.answer is done


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, Shared] = WeakKeyDictionary()


@asynccontextmanager
async def sharing(
    connections: Connections, change: str | None = None, *, past: PastOf | None = None
) -> AsyncIterator[SourceContext]:
    """Give a change what its sources ask with: its connections, and what it shares with others of its loop."""
    loop = asyncio.get_running_loop()
    shared = _shared.get(loop) or _shared.setdefault(loop, Shared(client()))
    shared.users += 1
    apart.asker.set(change or "")
    try:
        yield SourceContext(shared.http, connections, shared.answer, change=change, past=past, secrets=shared.secrets)
    finally:
        shared.users -= 1
        if not shared.users:
            del _shared[loop]
            for asked in shared.asked.values():
                asked.answer.cancel()
            await shared.http.aclose()
            await apart.end()


def client() -> httpx.AsyncClient:
    """Return a client that opens as many connections as needed, follows no redirects and keeps no cookies.

    A cookie would sign in a change whose own credentials are bad, or pin it to one of several servers.
    """
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    limits = httpx.Limits(max_connections=0)  # to aiohttp, 0 is without a limit
    return HttpxAiohttpClient(
        follow_redirects=False, timeout=httpx.Timeout(30.0), limits=limits, cookies=cookies, verify=authorities()
    )


def authorities() -> ssl.SSLContext:
    """Return what says whom to trust, read once: to read it takes longer than a request."""
    return _authorities(*map(_version, filter(None, map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))))


def _version(name: str) -> tuple[str, int]:
    """Return a file or folder with when it was last written."""
    path = Path(name)
    return name, path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=1)
def _authorities(*_named: tuple[str, int]) -> ssl.SSLContext:
    return httpx.create_ssl_context()
