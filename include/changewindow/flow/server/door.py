"""The door of Airflow's API server: first who, then what, then one at a time, then what became of it.

A stranger's body is never read, except a small one at the log-in. Reading requests pass.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from starlette._utils import get_route_path
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from changewindow.flow.runtime import log
from changewindow.flow.server import audit, next_run, single_writer
from changewindow.flow.server.asked import CHANGE, Asked, Person, Refused, ours, route_of
from changewindow.flow.server.judge import judge
from changewindow.flow.server.limits import LOGIN, MOST_CHANGES, OTHERS, OURS, Limit, body_of, replayed
from changewindow.flow.server.next_run import END_RUNS, ended_task
from changewindow.flow.server.pasted import without_secrets
from changewindow.flow.server.who import TASKS, person_of, require_task
from changewindow.settings import PAGES

READING = {"GET", "HEAD", "OPTIONS"}
PEOPLE = ("/api/v2", "/ui")
LOG_IN = "/auth"
NOTHING_HAPPENED = {401, 403, 404}
"""Answers that leave no event."""
FORBIDDEN = {"detail": "Forbidden"}
"""What Airflow itself answers about a DAG that somebody may not see, whether there is such a one or not."""


class Door:
    """ASGI middleware for every writing request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        who: Callable[[Scope], Awaitable[Person]] = person_of,
        decide: Callable[[Asked], None] = judge,
        record: Callable[[Asked, int, str], None] = audit.record,
        look_next: Callable[[UUID], None] = next_run.look_next,
        let_begin: Callable[[Sequence[str]], None] = next_run.let_begin,
        ours_limit: Limit = OURS,
    ) -> None:
        self.app = app
        self.ours_limit = ours_limit
        self.who, self.decide, self.record = who, decide, record
        self.look_next, self.let_begin = look_next, let_begin
        self.writer = single_writer.for_this_database()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why it goes no further."""
        if scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
            return
        try:
            await self._write(scope, receive, send)
        except Refused as refused:
            await _answer(refused, scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = get_route_path(scope)
        if _is_below(path, TASKS):
            await require_task(scope)
            body = await body_of(receive, OTHERS)
            status = await self._pass(scope, body, receive, send, is_task=True)
            task = ended_task(path, body) if status < 300 else None
            if task:
                await self._go_on(partial(self.look_next, task), is_task=True)
        elif _is_below(path, LOG_IN):
            limit = self.ours_limit if await self._is_known(scope) else LOGIN
            await self._pass(scope, await body_of(receive, limit), receive, send)
        elif _is_below(path, *PEOPLE):
            await self._judged(scope, receive, send)
        elif _is_below(path, f"/{PAGES}"):
            await self.app(scope, replayed(await self._pasted(scope, receive), receive), send)
        else:
            await self.app(scope, receive, send)  # pages of another plugin, which has a door of its own

    async def _go_on(self, what: Callable[[], None], *, is_task: bool) -> None:
        """Have the scheduler go on with what follows; without that, it does so a little later."""

        async def call() -> None:
            await asyncio.to_thread(what)

        try:
            await (self.writer.write(call, is_task=is_task) if self.writer else call())
        except (Refused, SQLAlchemyError) as error:
            log.warning("what follows is scheduled in its turn: %s", error)

    async def _pasted(self, scope: Scope, receive: Receive) -> bytes:
        """Return what somebody sends to our pages; of a stranger nothing, whom the pages lead to the log-in."""
        return await body_of(receive, self.ours_limit) if await self._is_known(scope) else b""

    async def _is_known(self, scope: Scope) -> bool:
        try:
            await self.who(scope)
        except Refused:
            return False
        return True

    async def _judged(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read what a person asks for, decide, pass it on, and record what became of it."""
        asked, reason = await asyncio.to_thread(without_secrets, await self._asked(scope, receive)), ""
        try:
            await asyncio.to_thread(self.decide, asked)
        except Refused as refused:
            status, reason = refused.status if asked.person.may_act else 403, str(refused)
            if await asyncio.to_thread(_is_told, refused, asked):
                await _answer(refused, scope, receive, send)
            else:
                await JSONResponse(FORBIDDEN, 403)(scope, receive, send)
        else:
            status = await self._pass(scope, asked.body, receive, send)
            if asked.key in END_RUNS and asked.dags:
                await self._go_on(partial(self.let_begin, asked.dags), is_task=False)
        if asked.changes and not asked.is_dry and status not in NOTHING_HAPPENED:
            await asyncio.to_thread(self.record, asked, status, reason)

    async def _asked(self, scope: Scope, receive: Receive) -> Asked:
        """Return what a person asks for.

        Raises:
            Refused: nobody knows them, or it is too much.
        """
        person = await self.who(scope)
        route, parameters = route_of(scope)
        query = QueryParams(scope.get("query_string", b""))
        empty = Asked(scope["method"], get_route_path(scope), route, parameters, query, person=person)
        dag = parameters.get("dag_id", "~")
        is_elsewhere = dag != "~" and not ours([dag])
        asked = replace(empty, body=await body_of(receive, OTHERS if is_elsewhere else self.ours_limit))
        most = self.ours_limit.bytes
        if asked.dags and len(asked.body) > most:
            raise Refused(413, f"{asked.dags[0]}: a request about it may have {most} bytes. Send less.")
        if len(asked.changes) > MOST_CHANGES:
            sentence = f"It names {len(asked.changes)} changes, {MOST_CHANGES} allowed. Send several requests."
            raise Refused(413, sentence)
        return asked

    async def _pass(self, scope: Scope, body: bytes, receive: Receive, send: Send, *, is_task: bool = False) -> int:
        """Let Airflow answer, then send its answer; return the status. Whoever reads slowly keeps nobody waiting."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        def call() -> Any:
            return self.app(scope, replayed(body, receive), keep)

        await (self.writer.write(call, is_task=is_task) if self.writer else call())
        for message in messages:
            await send(message)
        return next((int(message["status"]) for message in messages if "status" in message), 500)


def _is_told(refused: Refused, asked: Asked) -> bool:
    """Return whether who asks may see every change that they would be told about."""
    named = {*asked.changes, *(name.upper() for name in CHANGE.findall(str(refused)))}
    return all(map(asked.person.may_see, named))


def _is_below(path: str, *places: str) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


async def _answer(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Say why; what was not read of the body is never read, for the connection ends."""
    answer = JSONResponse({"detail": str(refused)}, refused.status, {"Connection": "close"})
    await answer(scope, receive, send)
