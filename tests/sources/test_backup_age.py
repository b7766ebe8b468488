"""The source backup_age, on files and on a real file server; by a query: see test_sql_query."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from answers.backup_age import backup, served
from changewindow.connection import Connection
from changewindow.sharing import client
from changewindow.sources.backup_age import Source
from changewindow.sources.base import Answer, Asking, SourceError


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Serve the folder; return its address."""
    with served(tmp_path) as found:
        yield found


async def ask(url: str = "", **fields: Any) -> Answer:
    """Return what a source answers."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=url)

    async with client() as http:
        return await Source(**fields).ask(Asking(http, connect))


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
    with pytest.raises(ValidationError, match="write files; or connection with path; or connection with query"):
        Source.model_validate(fields)
