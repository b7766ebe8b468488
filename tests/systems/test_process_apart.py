"""What takes long is computed in a process of its own, and does not outlive who waits for it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from changewindow.systems.measurement import SourceError
from changewindow.systems.process import apart as module
from changewindow.systems.process.apart import AT_ONCE, SMALL, apart

LARGE = SMALL + 1


@pytest.fixture(autouse=True)
async def end() -> AsyncIterator[None]:
    """End what a test has started."""
    yield
    await module.end()


async def test_what_is_small_is_computed_at_once() -> None:
    """A process would only make it slower."""
    assert await apart(os.getpid, SMALL) == os.getpid()


async def test_what_is_large_is_computed_elsewhere_by_a_process_that_is_kept() -> None:
    """Starting one takes longer than computing."""
    first, second = await apart(os.getpid, LARGE), await apart(os.getpid, LARGE)
    assert first == second != os.getpid()


async def test_an_error_arrives_as_it_was_raised() -> None:
    """Also ours, with its cause."""
    with pytest.raises(ZeroDivisionError):
        await apart(divmod, LARGE, 1, 0)
    with pytest.raises(SourceError, match="there is none") as raised:
        await apart(_refuse, LARGE)
    assert raised.value.cause == "no_data"
    assert await apart(divmod, LARGE, 7, 2) == (3, 1), "the process goes on"


def _refuse() -> None:
    raise SourceError("no_data", "there is none")


async def test_the_loop_goes_on_meanwhile_and_who_gives_up_ends_it(tmp_path: Path) -> None:
    """The process that still computes is killed."""
    pid = await apart(os.getpid, LARGE)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await apart(time.sleep, LARGE, 60)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(pid)


async def test_what_takes_too_much_memory_is_given_up() -> None:
    """The machine, and all other watches on it, keep theirs."""
    with pytest.raises(SourceError, match=r"to read an answer of 32 KiB takes too much memory\. Ask for less"):
        await apart(bytearray, LARGE, 8 << 30)


async def test_one_change_takes_no_more_than_one_process() -> None:
    """However many large answers it reads: others are not made to wait for all of them."""

    async def of(change: str) -> None:
        module.asker.set(change)
        await asyncio.gather(*(apart(time.sleep, LARGE, 0.7) for _ in range(AT_ONCE)))

    busy = asyncio.create_task(of("CHG-1"))
    await asyncio.sleep(0)
    await asyncio.create_task(_of_another())
    assert not busy.done()
    await busy


async def test_who_must_wait_for_others_is_late_and_blames_no_service() -> None:
    """Large answers of some changes must not take another one back."""

    async def of(change: int) -> None:
        module.asker.set(f"CHG-{change}")
        await apart(time.sleep, LARGE, 2)

    busy = [asyncio.create_task(of(change)) for change in range(AT_ONCE)]
    await asyncio.sleep(0)
    module.asker.set("CHG-99")
    with pytest.raises(SourceError, match="which says nothing about the service") as raised:
        await apart(os.getpid, LARGE)
    assert raised.value.cause == "late"
    await asyncio.gather(*busy)
    assert await apart(os.getpid, LARGE)


async def _of_another() -> None:
    module.asker.set("CHG-2")
    await apart(os.getpid, LARGE)


async def test_what_it_is_given_of_our_environment_is_nothing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads what strangers send."""
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "canary")
    environment = await apart(_environment, LARGE)
    assert "PYTHONPATH" in environment
    assert "canary" not in environment.values()


def _environment() -> dict[str, str]:
    return dict(os.environ)
