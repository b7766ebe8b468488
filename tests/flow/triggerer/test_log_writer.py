"""Lines of triggers reach the log in their order, and nobody waits for it."""

import asyncio
import contextvars
import logging
import threading

from changewindow.flow.triggerer import log_writer

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who")


class Slow(logging.Handler):
    """A log that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.seen = threading.Event(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, with who wrote it."""
        self.go.wait(10)
        self.seen.append(f"{WHO.get()}: {record.getMessage()}")


async def test_a_log_that_is_stuck_holds_up_no_trigger() -> None:
    """All lines are written once it goes on: in order, and as of the trigger that wrote them."""
    slow = Slow()
    log_writer.log.addHandler(slow)
    log_writer.log.setLevel(logging.INFO)
    try:
        for who in ("one", "two"):
            contextvars.copy_context().run(
                lambda who=who: (WHO.set(who), [log_writer.write_line(str(n)) for n in range(50)])
            )
        assert slow.seen == []
        slow.go.set()
        await log_writer.flush()
        assert slow.seen == [f"{who}: {n}" for who in ("one", "two") for n in range(50)]
    finally:
        log_writer.log.removeHandler(slow)


def test_a_loop_that_ended_takes_no_log_with_it() -> None:
    """Who waited for the last lines is gone; the next one's lines are written all the same."""
    slow, loop = Slow(), asyncio.new_event_loop()
    slow.go.clear()
    log_writer.log.addHandler(slow)
    log_writer.log.setLevel(logging.INFO)
    try:
        contextvars.copy_context().run(lambda: (WHO.set("one"), log_writer.write_line("stuck")))
        waiting = loop.create_task(log_writer.flush())
        loop.run_until_complete(asyncio.sleep(0))
        waiting.cancel()
        loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
        loop.close()
        slow.go.set()
        contextvars.copy_context().run(lambda: (WHO.set("two"), log_writer.write_line("on")))
        asyncio.run(log_writer.flush())
        assert slow.seen == ["one: stuck", "two: on"]
    finally:
        log_writer.log.removeHandler(slow)
