"""Whoever starts Airflow waits while something of it moves, is told for what, and gets a sentence when nothing does."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from changewindow.cli import start_up
from changewindow.cli.standalone import Place
from changewindow.cli.start_up import awaited, wait_until_healthy
from changewindow.cli.supervisor import PID_FILE
from changewindow.errors import PlatformError
from support.recording_server import Reply, Request, recording_server

COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """Return a process that stands for Airflow."""
    started = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
    yield started
    started.kill()
    started.wait()


def health(**states: str | None) -> Reply:
    """Return what Airflow's API says of its components, healthy but for some."""
    known = {name: {"status": "healthy"} for name in COMPONENTS}
    return Reply(200, json.dumps(known | {name: {"status": state} for name, state in states.items()}))


def test_it_waits_for_what_does_not_answer_and_says_so(tmp_path: Path, process: "subprocess.Popen[bytes]") -> None:
    """First the API, then what the API says of the others."""
    replies = iter(
        [
            Reply(503, "not yet"),
            health(metadatabase="unhealthy"),
            health(scheduler=None, triggerer=None, dag_processor="unhealthy"),
            health(triggerer="unhealthy"),
            health(),
        ]
    )

    def answer(request: Request) -> Reply:
        return next(replies)

    said: list[str] = []
    with recording_server(answer) as server:
        wait_until_healthy(Place(tmp_path, server.port, {}), process, said.append)
    assert [text.partition(" (")[0] for text in said] == [
        "waiting for the api-server",
        "waiting for the api-server, scheduler, triggerer and dag-processor",
        "waiting for the scheduler, triggerer and dag-processor",
        "waiting for the triggerer",
    ]


def test_it_waits_as_long_as_something_moves(
    tmp_path: Path, process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow machine that still writes its log, or computes, is waited for; then not for ever."""
    monkeypatch.setattr(start_up, "STILL", 1.0)
    log = tmp_path / "triggerer.log"
    asked = 0

    def answer(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        if asked < 6:
            with log.open("a") as file:
                file.write("migrating\n")
        return health(triggerer="unhealthy")

    with recording_server(answer) as server:
        place = Place(tmp_path, server.port, {})
        assert awaited(place) == ("triggerer",)
        with pytest.raises(PlatformError) as gave_up:
            wait_until_healthy(place, process)
    assert asked >= 7
    sentence = str(gave_up.value)
    assert sentence.startswith("The triggerer of Airflow did not answer in ")
    assert sentence.endswith(f" s and nothing of it moved for 1 s; see {log}.")


def test_who_computes_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU time of the components counts, with that of all they have started; of other processes it does not."""
    monkeypatch.setattr(start_up, "BUSY", 0.2)
    burn = "while True: pass"
    busy = subprocess.Popen([sys.executable, "-S", "-c", burn], start_new_session=True)
    try:
        before = start_up.Progress.of(tmp_path, ("scheduler",))
        (tmp_path / PID_FILE).write_text(f"{busy.pid}\n")
        while not start_up.Progress.of(tmp_path, ("scheduler",)).is_more_than(before):
            assert busy.poll() is None
            time.sleep(0.05)
    finally:
        busy.kill()
        busy.wait()


def test_an_airflow_that_has_ended_says_why(tmp_path: Path, process: "subprocess.Popen[bytes]") -> None:
    """The last sentence of its supervisor is passed on."""
    (tmp_path / "standalone.log").write_text("first\n12:00 standalone: the scheduler ended again and again.\n\n")
    process.kill()
    process.wait()
    with pytest.raises(PlatformError) as ended:
        wait_until_healthy(Place(tmp_path, 9, {}), process)
    assert str(ended.value) == (
        "Airflow ended while it was starting: 12:00 standalone: the scheduler ended again and again."
    )
