"""Runs what blocks in threads for which nobody waits."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class LeftBehind(ThreadPoolExecutor):
    """Runs what blocks in threads for which nobody waits, not even the end of the process."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Run a function in a thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            future.set_running_or_notify_cancel()  # from here on, nobody can take it back
            try:
                result = function(*arguments, **named)
            except BaseException as error:  # noqa: BLE001  it is raised where the result is awaited
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=run, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  as it is
        """Leave behind what still runs."""


def run_alone(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own, whose end waits for no thread, such as one that looks up a name."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(LeftBehind())
        return runner.run(coroutine)
