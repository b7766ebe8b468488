"""The source backup_age, on files and on a real file server; by a query: see test_sql_query."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.backup_age import Source
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.shared_answers import client
from source_fixtures.backup_age import backup, served
from support.recording_server import Reply, recording_server


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Serve the folder; return its address."""
    with served(tmp_path) as store:
        yield store


async def ask(url: str = "", **fields: Any) -> Answer:
    """Return what a source answers."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=url)

    async with client() as http:
        return await Source(**fields).ask(SourceContext(http, connect))


async def test_the_newest_file_counts(tmp_path: Path) -> None:
    """Older ones, folders, and those that match no pattern do not, nor do empty ones."""
    backup(tmp_path, "orders-1.dump", age=7200)
    backup(tmp_path, "orders-2.dump", age=3600)
    backup(tmp_path, "orders-3.dump", age=1, content="")
    backup(tmp_path, "orders-4.dump.part", age=1)
    (tmp_path / "orders-5.dump").mkdir()
    answer = await ask(files=f"{tmp_path}/orders-*.dump")
    assert answer.value == pytest.approx(3600, abs=30)


async def test_an_object_tells_when_it_was_modified(tmp_path: Path, url: str) -> None:
    """By the server's clock."""
    backup(tmp_path, "latest.dump", age=3600)
    answer = await ask(url, connection="backups", path="/latest.dump")
    assert answer.value == pytest.approx(3600, abs=30)


async def test_no_backup_is_no_data(tmp_path: Path, url: str) -> None:
    """Neither as a file nor as an object."""
    for where in ({"files": f"{tmp_path}/*.dump"}, {"connection": "backups", "path": "/latest.dump"}):
        with pytest.raises(SourceError, match=r"no file matches|there is no backup at") as failed:
            await ask(url, **where)
        assert failed.value.cause == "no_data"


async def test_an_empty_backup_or_one_from_the_future_is_invalid(tmp_path: Path, url: str) -> None:
    """The job that died at once, and the clock that is wrong, do not make a good backup."""
    backup(tmp_path, "latest.dump", age=0, content="")
    for where in ({"files": f"{tmp_path}/*.dump"}, {"connection": "backups", "path": "/latest.dump"}):
        with pytest.raises(SourceError, match="empty") as failed:
            await ask(url, **where)
        assert failed.value.cause == "invalid"
    backup(tmp_path, "latest.dump", age=-3600)
    with pytest.raises(SourceError, match="is in the future"):
        await ask(files=f"{tmp_path}/*.dump")


ANSWERS = {
    "/moved": (301, {"Location": "/elsewhere"}),
    "/secret": (403, {}),
    "/nobody": (401, {}),
    "/get-only": (405, {}),
    "/broken": (503, {}),
    "/cached": (200, {"Date": "Tue, 18 Mar 2031 12:00:00 GMT", "Age": "259200"}),
}


@pytest.fixture
def store() -> Iterator[str]:
    """Serve answers as stores of objects give them; return the address."""
    modified = {"Last-Modified": "Tue, 18 Mar 2031 11:00:00 GMT"}
    with recording_server() as server:
        for path, (status, headers) in ANSWERS.items():
            server.answers[f"HEAD {path}"] = Reply(status, headers={**modified, **headers}, length=4)
        yield server.url


async def test_what_a_cache_kept_is_as_old_as_it_is(store: str) -> None:
    """An answer of three days ago does not make a backup of that day young."""
    assert (await ask(store, connection="backups", path="/cached")).value == 3600 + 259200


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/moved", "301: it has moved to /elsewhere. Correct connection or path"),
        ("/secret", "403. It is not there, or the account of the connection may not read it"),
        ("/nobody", "401. Correct login or password of the connection"),
        ("/get-only", "405. It does not answer HEAD: let files or a query tell the age"),
        ("/broken", "503"),
    ],
)
async def test_an_answer_that_is_no_object_says_what_to_do(store: str, path: str, message: str) -> None:
    """Nothing is known of the backup then."""
    with pytest.raises(SourceError) as failed:
        await ask(store, connection="backups", path=path)
    assert (failed.value.cause, str(failed.value)) == ("unreachable", f"HEAD {store}{path} answered {message}")


async def test_a_folder_that_may_not_be_entered_is_unreachable() -> None:
    """Not no backup: there may be one."""
    nobody, me = 65534, os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        closed = Path(folder) / "closed"
        closed.mkdir(mode=0o744)
        backup(closed, "orders.dump", age=60)
        closed.chmod(0o744 if me == 0 else 0o444)
        try:
            os.seteuid(nobody if me == 0 else me)
            with pytest.raises(SourceError, match=r"cannot be looked at: .*Permission denied") as failed:
                await ask(files=f"{closed}/*.dump")
        finally:
            os.seteuid(me)
            closed.chmod(0o755)
    assert failed.value.cause == "unreachable"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"connection": "backups"},
        {"path": "/latest.dump"},
        {"files": "/backup/*", "connection": "backups"},
        {"connection": "backups", "path": "/latest.dump", "query": "SELECT now()"},
    ],
)
def test_exactly_one_origin_is_given(fields: dict[str, str]) -> None:
    """The message names the three ways."""
    with pytest.raises(ValidationError, match="Write files; or connection with path; or connection with query"):
        Source.model_validate(fields)
