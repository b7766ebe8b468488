"""Watches that ask the same share the answer, and nothing older than they may see."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import certifi
import pytest

from changewindow.errors import UnknownConnection
from changewindow.sources.base import SourceBase
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.shared_answers import FRESH, authorities, sharing

ASKED: list[str] = []


class Slow(SourceBase):
    """A source that counts who asks, and takes a moment."""

    query: str
    fails: bool = False

    async def ask(self, context: SourceContext) -> Answer:
        """Count."""
        ASKED.append(self.query)
        await asyncio.sleep(0.05)
        if self.fails:
            raise SourceError("no_data", "nothing there")
        return Answer(float(len(ASKED)), context.now(), self.query)


async def nowhere(name: str) -> Connection:
    """Know no connection."""
    raise UnknownConnection(name)


@pytest.fixture(autouse=True)
def _nobody_asked() -> None:
    ASKED.clear()


async def test_a_hundred_who_ask_the_same_ask_once() -> None:
    """One question for all, one for who asks something else."""
    async with sharing(nowhere) as context, sharing(nowhere) as other:
        answers = await asyncio.gather(
            *(replace(asker, kept={}).answer(Slow(query="q")) for asker in (context, other) for _ in range(50))
        )
        await context.answer(Slow(query="else"))
    assert {answer.value for answer in answers} == {1.0}
    assert ASKED == ["q", "else"]


async def test_who_asks_twice_gets_two_answers() -> None:
    """A watch that samples often counts no answer twice."""
    async with sharing(nowhere) as context:
        answers = [(await context.answer(Slow(query="q"))).value for _ in range(2)]
    assert answers == [1.0, 2.0]


async def test_an_error_is_shared_too() -> None:
    """Everybody hears the cause."""
    async with sharing(nowhere) as context:
        errors = await asyncio.gather(
            *(replace(context, kept={}).answer(Slow(query="q", fails=True)) for _ in range(3)), return_exceptions=True
        )
    assert [str(error) for error in errors] == ["nothing there"] * 3
    assert ASKED == ["q"]


async def test_an_answer_that_is_no_longer_fresh_is_asked_again() -> None:
    """A later sample has its own value."""
    async with sharing(nowhere) as context:
        await context.answer(Slow(query="q"))
        await asyncio.sleep(FRESH.total_seconds())
        await replace(context, kept={}).answer(Slow(query="q"))
    assert ASKED == ["q", "q"]


async def test_who_began_later_gets_no_answer_of_before() -> None:
    """A question asked before the last step of a change ended proves nothing about it."""
    async with sharing(nowhere) as context:
        await context.answer(Slow(query="q"))
        await replace(context, kept={}, since=SourceContext.now() + timedelta(milliseconds=1)).answer(Slow(query="q"))
    assert ASKED == ["q", "q"]


async def test_one_who_gives_up_does_not_end_the_question_of_others() -> None:
    """A shorter time-out is its own affair."""
    async with sharing(nowhere) as context:
        hasty = asyncio.create_task(asyncio.wait_for(context.answer(Slow(query="q")), 0.01))
        assert (await replace(context, kept={}).answer(Slow(query="q"))).value == 1.0
        with pytest.raises(TimeoutError):
            await hasty


def test_whom_to_trust_is_read_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To read it takes longer than a request; a company renews its authorities while watches go on."""
    (file := tmp_path / "authorities.pem").write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    before = authorities()
    assert authorities() is before
    os.utime(file, ns=(1, 1))
    assert authorities() is not before
