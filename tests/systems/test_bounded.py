"""What may take long is computed in a process of its own, and for a limited time."""

import gc
import os
import threading
import time
from collections.abc import Iterator
from math import sqrt

import pytest

from changewindow.systems.process.bounded import TooLong, Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Return processes that have half a second."""
    made = Workers(gc.collect, at_once=1, within=0.5)
    yield made
    made.end()


def test_a_process_answers_again_and_again(workers: Workers) -> None:
    """It is another one than ours, and the same for the next question."""
    first = workers.compute("alice", os.getpid)
    assert first not in {os.getpid(), 0}
    assert workers.compute("bob", os.getpid) == first


def test_what_is_raised_there_is_raised_here(workers: Workers) -> None:
    """The process goes on."""
    with pytest.raises(ValueError, match="math domain error"):
        workers.compute("alice", sqrt, -1)
    assert workers.compute("alice", sqrt, 4) == 2


def test_what_takes_too_long_is_killed(workers: Workers) -> None:
    """The next question has a process of its own."""
    before = workers.compute("alice", os.getpid)
    with pytest.raises(TooLong, match=r"it takes longer than 0\.5 s, or too much memory"):
        workers.compute("alice", time.sleep, 60)
    assert workers.compute("alice", os.getpid) != before


def test_a_process_that_was_killed_meanwhile_is_replaced(workers: Workers) -> None:
    """Whoever asks next does not notice."""
    os.kill(workers.compute("alice", os.getpid), 9)
    time.sleep(0.2)
    assert workers.compute("alice", sqrt, 4) == 2


def test_one_person_asks_one_thing_at_a_time(workers: Workers) -> None:
    """The second question is refused at once; the first goes on."""
    workers.prepare()
    asking = threading.Thread(target=workers.compute, args=("alice", time.sleep, 0.3))
    asking.start()
    time.sleep(0.1)
    with pytest.raises(TooLong, match="something else that you have asked for is not ready yet"):
        workers.compute("alice", sqrt, 4)
    assert workers.compute("bob", sqrt, 4) == 2
    asking.join()


def test_it_inherits_nothing_of_our_environment(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of ours is not to be found there."""
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "secret")
    assert workers.compute("alice", os.getenv, "CHANGEWINDOW_SEAL_KEY") is None
