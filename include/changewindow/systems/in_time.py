"""Limits the time of what blocks: however slowly a service answers, whoever asked goes on."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_time(do: Callable[[], T], seconds: float) -> T:
    """Return what a function returns, or raise what it raises.

    Raises:
        TimeoutError: it was not done in time; its thread ends when it is done, and keeps no process alive.
    """
    return begun(do).result(seconds)


def begun(do: Callable[[], T]) -> Future[T]:
    """Begin what blocks in a thread of its own; return what will hold its result."""
    future: Future[T] = Future()
    Thread(target=_settle, args=(do, future), daemon=True).start()
    return future


def _settle(do: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(do())
    except BaseException as error:  # noqa: BLE001  whoever waits raises it
        future.set_exception(error)
