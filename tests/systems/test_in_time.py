"""Who asks what blocks goes on in time; what libraries would log of a secret address is taken."""

import logging
from threading import Event, Thread

import pytest

from changewindow.systems.in_time import in_time
from changewindow.systems.quiet import quiet


def test_a_result_and_an_error_arrive() -> None:
    """As if it had been called."""
    assert in_time(lambda: 5, 30) == 5
    with pytest.raises(KeyError, match="missing"):
        in_time(lambda: {}["missing"], 30)


def test_what_takes_too_long_is_left_behind() -> None:
    """It goes on by itself, and keeps nothing alive."""
    go_on, done = Event(), Event()

    def late() -> None:
        go_on.wait(30)
        done.set()

    with pytest.raises(TimeoutError):
        in_time(late, 0.05)
    go_on.set()
    assert done.wait(30)


def test_only_one_thread_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Others log what they would, of the same library."""
    caplog.set_level("INFO")
    library = logging.getLogger("a-library")
    with quiet("a-library") as said:
        library.info("POST %s", "https://secret")
        other = Thread(target=library.info, args=("POST https://public",))
        other.start()
        other.join()
    library.info("afterwards")
    assert said == ["POST https://secret"]
    assert caplog.messages == ["POST https://public", "afterwards"]
