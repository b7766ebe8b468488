"""The source command, on programs that do not end well."""

import asyncio
from pathlib import Path
from typing import Any

import psutil

from changewindow.cli.airflow_api import wait_for
from changewindow.watch.reading import Reading
from support.ask_source import asked


async def reading_of(*run: str, **fields: Any) -> Reading:
    """Return the reading of a program."""
    return await asked({"kind": "command", "run": run, **fields})


async def test_a_program_that_prints_without_end_is_killed(tmp_path: Path) -> None:
    """It does not take the memory of all the other watches."""
    file = tmp_path / "pid"
    reading = await reading_of("sh", "-c", f"echo $$ > {file}; exec yes")
    assert (reading.value, reading.cause) == (None, "invalid")
    assert reading.detail == "'sh' printed more than 64 MiB, and was killed"
    await asyncio.to_thread(wait_for, lambda: not _is_alive(file), "its end")


async def test_a_slow_program_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """Nothing stays behind from one reading to the next."""
    file = tmp_path / "pid"
    reading = asyncio.create_task(reading_of("sh", "-c", f"sleep 600 & echo $! > {file}; wait"))
    await asyncio.to_thread(wait_for, lambda: file.exists() and file.read_text(), "its start")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await asyncio.to_thread(wait_for, lambda: not _is_alive(file), "its end")


def _is_alive(file: Path) -> bool:
    pid = int(file.read_text())
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
