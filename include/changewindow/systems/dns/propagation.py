"""Lets a step ask DNS servers, and wait until all of them answer a record set."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from changewindow.errors import StepFailed
from changewindow.systems.context import Context
from changewindow.systems.dns.records import Record, RecordSet, shown
from changewindow.systems.dns.servers import NoAnswer, Server, answers

T = TypeVar("T")


def told(asked: Coroutine[Any, Any, T]) -> T:
    """Return what a server answers.

    Raises:
        StepFailed: it does not answer.
    """
    try:
        return asyncio.run(asked)
    except NoAnswer as error:
        raise StepFailed(f"{error}.") from error


def behind(servers: Sequence[Server], asked: Record, wanted: RecordSet | None) -> list[str]:
    """Return which servers do not answer what is wanted, and what they answer instead."""
    found = zip(servers, asyncio.run(answers(servers, asked.record, asked.type)), strict=True)
    return [
        str(one) if isinstance(one, NoAnswer) else f"{server.name} answers {shown(one)}"
        for server, one in found
        if one != wanted
    ]


def until_answered(
    context: Context, servers: Sequence[Server], asked: Record, wanted: RecordSet | None, *, within: timedelta
) -> None:
    """Wait until all servers answer what is wanted.

    Raises:
        StepFailed: not in time; says which do not, and what they answer instead.
    """
    late: list[str] = []

    def found() -> bool:
        late[:] = behind(servers, asked, wanted)
        return not late

    says = f"all {len(servers)} servers answer {shown(wanted)} for {asked.type} {asked.record}"
    try:
        context.until(says, found, within=within)
    except StepFailed as error:
        raise StepFailed(f"{error} {'; '.join(late)}.") from error
