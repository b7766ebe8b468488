"""Queries DNS servers for a step, and waits until all of them serve a record set."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from changewindow.errors import StepFailed
from changewindow.systems.context import Context
from changewindow.systems.dns.records import Record, RecordSet, shown
from changewindow.systems.dns.servers import NoAnswer, Server, answers

T = TypeVar("T")


def answer_of(question: Coroutine[Any, Any, T]) -> T:
    """Return what a server answers.

    Raises:
        StepFailed: it does not answer.
    """
    try:
        return asyncio.run(question)
    except NoAnswer as error:
        raise StepFailed(f"{error}.") from error


def behind(servers: Sequence[Server], asked: Record, wanted: RecordSet | None) -> list[str]:
    """Return the servers that do not serve the wanted record set yet, and what they answer instead."""
    replies = zip(servers, asyncio.run(answers(servers, asked.record, asked.type)), strict=True)
    return [
        str(reply) if isinstance(reply, NoAnswer) else f"{server.name} answers {shown(reply)}"
        for server, reply in replies
        if reply != wanted
    ]


def until_answered(
    context: Context, servers: Sequence[Server], asked: Record, wanted: RecordSet | None, *, within: timedelta
) -> None:
    """Wait until all servers serve the wanted record set.

    Raises:
        StepFailed: they did not in time; the text says which, and what they answer instead.
    """
    late: list[str] = []

    def are_current() -> bool:
        late[:] = behind(servers, asked, wanted)
        return not late

    answering = f"all {len(servers)} servers answer" if len(servers) > 1 else "the server answers"
    try:
        context.until(f"{answering} {shown(wanted)} for {asked.type} {asked.record}", are_current, within=within)
    except StepFailed as error:
        raise StepFailed(f"{error} {'; '.join(late)}.") from error
