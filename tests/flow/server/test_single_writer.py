"""One writing request at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from changewindow.flow.server.asked import Refused
from changewindow.flow.server.single_writer import SingleWriter


class Application:
    """An application that counts how many requests are in it at once."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds
        self.inside = self.most = 0
        self.order: list[str] = []

    def call(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        """Return a request, which takes a moment."""

        async def ask() -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.order.append(name)
            await asyncio.sleep(self.seconds)
            self.inside -= 1
            if name == "fails":
                raise ValueError(name)

        return ask


async def test_writes_wait_for_each_other() -> None:
    """Those of people and those of tasks."""
    app, writer = Application(), SingleWriter()
    await asyncio.gather(*(writer.write(app.call("x"), is_task=number % 2 == 0) for number in range(6)))
    assert (app.most, len(app.order)) == (1, 6)


async def test_a_failing_write_lets_the_next_one_in() -> None:
    """A request that fails does not keep the lock."""
    app, writer = Application(), SingleWriter()
    with pytest.raises(ValueError, match="fails"):
        await writer.write(app.call("fails"), is_task=False)
    await asyncio.wait_for(writer.write(app.call("x"), is_task=False), 60)


async def test_a_task_waits_for_one_person_at_most() -> None:
    """However many people are in the queue before it."""
    app, writer = Application(), SingleWriter()
    people = [asyncio.create_task(writer.write(app.call("person"), is_task=False)) for _ in range(20)]
    await asyncio.sleep(0.005)
    await writer.write(app.call("task"), is_task=True)
    assert app.order.index("task") <= 2
    await asyncio.gather(*people)


async def test_a_write_that_never_ends_keeps_nobody_for_ever() -> None:
    """The next one begins once the first has had its time; the first goes on."""
    app, writer = Application(seconds=0.5), SingleWriter(hold=0.05)
    first = asyncio.create_task(writer.write(app.call("slow"), is_task=False))
    await asyncio.sleep(0.01)
    app.seconds = 0.01
    await asyncio.wait_for(writer.write(app.call("next"), is_task=False), 0.3)
    assert not first.done()
    await first


async def test_who_waits_too_long_is_told_so() -> None:
    """And does nothing later."""
    app, writer = Application(seconds=0.3), SingleWriter(wait=0.05)
    first = asyncio.create_task(writer.write(app.call("slow"), is_task=False))
    await asyncio.sleep(0.01)
    with pytest.raises(Refused, match=r"Others have been writing for 0.05 s. Try again."):
        await writer.write(app.call("late"), is_task=False)
    await first
    assert app.order == ["slow"]


async def test_a_write_that_is_given_up_ends() -> None:
    """When the server ends a request, what it does ends too, and the turn is free."""
    application, writer = Application(seconds=5), SingleWriter()
    first = asyncio.create_task(writer.write(application.call("given up"), is_task=False))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    application.seconds = 0.01
    await asyncio.wait_for(writer.write(application.call("next"), is_task=True), 60)
