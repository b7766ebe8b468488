"""Lines of triggers reach the log in their order, and nobody waits for it."""

import contextvars
import logging
import threading

from changewindow.flow import telling

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who")


class Slow(logging.Handler):
    """A log that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.seen = threading.Event(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, with who told it."""
        self.go.wait(10)
        self.seen.append(f"{WHO.get()}: {record.getMessage()}")


async def test_a_log_that_is_stuck_holds_up_no_trigger() -> None:
    """All lines are written once it goes on: in order, and as of the trigger that told them."""
    slow = Slow()
    telling.log.addHandler(slow)
    telling.log.setLevel(logging.INFO)
    try:
        for who in ("one", "two"):
            contextvars.copy_context().run(lambda who=who: (WHO.set(who), [telling.tell(str(n)) for n in range(50)]))
        assert slow.seen == []
        slow.go.set()
        await telling.told()
        assert slow.seen == [f"{who}: {n}" for who in ("one", "two") for n in range(50)]
    finally:
        telling.log.removeHandler(slow)
