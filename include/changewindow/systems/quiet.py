"""Takes what libraries would log while an address is a secret: they log addresses."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_taken: ContextVar[list[str] | None] = ContextVar("taken", default=None)


@contextmanager
def quiet(*loggers: str) -> Iterator[list[str]]:
    """Give what loggers say in this thread until the block ends, and log none of it; other threads log as ever."""
    for name in loggers:
        logging.getLogger(name).addFilter(_passes)  # the second time, it changes nothing
    said: list[str] = []
    token = _taken.set(said)
    try:
        yield said
    finally:
        _taken.reset(token)


def _passes(record: logging.LogRecord) -> bool:
    taken = _taken.get()
    if taken is not None:
        taken.append(record.getMessage())
    return taken is None
