"""The source command, on programs that do not end well."""

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

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


@pytest.mark.parametrize("read", ["output", "exit_code"])
async def test_a_program_that_is_killed_has_no_value(read: str) -> None:
    """Its exit code would be -9, which is below every limit."""
    reading = await reading_of("sh", "-c", "echo 1; kill -9 $$", read=read)
    assert (reading.value, reading.cause) == (None, "unreachable")
    assert reading.detail == "'sh -c echo 1; kill -9 $$' was killed (Killed) before it ended by itself"


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        (" 1.5 ", 1.5),
        ("-2", -2.0),
        (".5e3", 500.0),
        ("1_000", "1_000"),
        ("١٢", "١٢"),
        ("12 ms", "12 ms"),
        ("9007199254740993", 9007199254740993),
        ("0x1F", "0x1F"),
    ],
)
async def test_only_what_everybody_reads_as_a_number_is_one(printed: str, value: float | str) -> None:
    """The rest is text."""
    assert (await reading_of("echo", printed)).value == value


def _is_alive(file: Path) -> bool:
    try:
        return psutil.Process(int(file.read_text())).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
