"""Writers of the folder of published changes: nothing there is executed, and nothing that we did not write counts."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.publication import path_of, text
from changewindow.cli.airflow_api import wait_for
from support.attack import Attempt, Ground

WRONG_SEAL = "00000000:" + 64 * "0"


@dataclass(frozen=True)
class Writer:
    """Somebody who may write the folder, and has a program that leaves a mark where it is executed."""

    ground: Ground
    name: str
    change: str
    """A change that there is not."""

    @property
    def folder(self) -> Path:
        """Return the folder of published changes."""
        return self.ground.airflow.bundle

    @property
    def mark(self) -> Path:
        """Return what appears when the program runs."""
        return self.ground.folder / f"executed {self.name}"

    @property
    def program(self) -> str:
        """Return Python that leaves the mark, and makes a DAG."""
        dag = f"from airflow.sdk import DAG\\nimport pathlib\\npathlib.Path({str(self.mark)!r}).touch()\\n"
        return dag.replace("\\n", "\n") + f"dag = DAG({self.change!r}, schedule=None)\n"

    @property
    def file(self) -> Path:
        """Return the file that this change would have."""
        return path_of(self.folder, self.change)

    def ticket(self) -> dict[str, Any]:
        """Return the ticket of the change that is approved, with a step that leaves the mark."""
        data: dict[str, Any] = json.loads(self.genuine())["ticket"]
        data["steps"][0]["run"] = ["touch", str(self.mark)]
        return data

    def genuine(self) -> str:
        """Return the file of the change that is approved, as it was published."""
        return path_of(self.folder, self.ground.names["approved"]).read_text()


def put(name: str, content: Callable[[Writer], str | bytes]) -> Callable[[Writer], Path]:
    """Return an attempt that writes a file; an empty name stands for that of a change."""

    def write(writer: Writer) -> Path:
        path = writer.folder / name if name else writer.file
        given = content(writer)
        path.write_bytes(given if isinstance(given, bytes) else given.encode())
        return path

    return write


def link(make: Callable[[Path, Path], None], content: Callable[[Writer], str]) -> Callable[[Writer], Path]:
    """Return an attempt that has a link for a file."""

    def write(writer: Writer) -> Path:
        elsewhere = writer.ground.folder / f"elsewhere {writer.name}"
        elsewhere.write_text(content(writer))
        make(elsewhere, writer.file)
        return writer.file

    return write


def pipe(writer: Writer) -> Path:
    """Leave a pipe, whose reader waits for ever."""
    os.mkfifo(writer.file)
    return writer.file


def folder(writer: Writer) -> Path:
    """Leave a folder with a program inside."""
    writer.file.mkdir()
    (writer.file / "__init__.py").write_text(writer.program)
    return writer.file


ATTEMPTS: dict[str, Callable[[Writer], Path]] = {
    "a program": put("evil.py", lambda writer: writer.program),
    "a program that is called like a change": put("CHG-9500.py", lambda writer: writer.program),
    "a program in the file of a change": put("", lambda writer: writer.program),
    "a hidden program": put(".evil.py", lambda writer: writer.program),
    "a module that another one imports": put("json.py", lambda writer: writer.program),
    "a module that python imports when it starts": put("sitecustomize.py", lambda writer: writer.program),
    "a file of paths that python executes": put("evil.pth", lambda w: f"import os; os.mknod({str(w.mark)!r})\n"),
    "a list of what airflow ignores": put(".airflowignore", lambda _: ".*\n"),
    "an archive of a program": put("evil.zip", lambda writer: b"PK\x03\x04" + writer.program.encode()),
    "a change without a seal": put("", lambda w: json.dumps({"form": 1, "change": w.change, "ticket": w.ticket()})),
    "a change with a seal of zeros": put("", lambda writer: text(writer.change, writer.ticket(), WRONG_SEAL)),
    "a change with an empty seal": put("", lambda writer: text(writer.change, writer.ticket(), "")),
    "a change with the seal of another one": put(
        "", lambda w: text(w.change, w.ticket(), json.loads(w.genuine())["seal"])
    ),
    "another change's file under a new name": put("", lambda writer: writer.genuine()),
    "another change's file with a new id": put("", lambda w: w.genuine().replace(w.ground.names["approved"], w.change)),
    "a change with a zero before its number": put("CHG-09500.json", lambda writer: writer.genuine()),
    "a change in capitals": put("CHG-9501.JSON", lambda writer: writer.genuine()),
    "a name that closes a string of python": put("CHG-9')\nimport os#.json", lambda writer: writer.genuine()),
    "a link to a genuine file": link(lambda there, here: here.symlink_to(there), lambda writer: writer.genuine()),
    "a link to a file of keys": link(lambda there, here: here.symlink_to(there), lambda _: "{}"),
    "a hard link to a genuine file": link(lambda there, here: here.hardlink_to(there), lambda w: w.genuine()),
    "a pipe": pipe,
    "a folder": folder,
    "a file without end": put("", lambda _: b"[" * 9_000_000),
    "a file nested 100000 times": put("", lambda _: "[" * 100_000),
    "no text at all": put("", lambda _: b"\xff\xfe\x00"),
    "an empty file": put("", lambda _: ""),
    "json of somebody else": put("package.json", lambda _: '{"name": "x"}'),
    "a list": put("", lambda _: "[]"),
}


@pytest.fixture(scope="module")
def written(ground: Ground) -> Iterator[dict[str, tuple[Writer, Path]]]:
    """Leave all of it at once, wait until Airflow has looked at everything, and take it away again."""
    made = {}
    for number, (name, write) in enumerate(ATTEMPTS.items()):
        writer = Writer(ground, re.sub("[^a-z0-9]", "_", name), f"CHG-{9000 + number}")
        made[name] = (writer, write(writer))
    expected = {path.name[:8] for _, path in made.values() if path.name.startswith("CHG-") and "\n" not in path.name}

    def missing() -> set[str]:
        said = errors(ground)
        return {name for name in expected if name not in said}

    wait_for(lambda: not missing(), "the dag processor to read all of it", 180)
    yield made
    for writer, path in made.values():
        if path == writer.file and path.is_dir():
            (path / "__init__.py").unlink()
            path.rmdir()
        else:
            path.unlink()


def errors(ground: Ground) -> str:
    """Return what Airflow says about files that it cannot load."""
    listed = ground.airflow.clients["admin"].get("/importErrors", limit=100)["import_errors"]
    return "\n".join(f"{error['filename']} {error['stack_trace']}" for error in listed)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_we_did_not_publish_is_no_change(
    ground: Ground, written: dict[str, tuple[Writer, Path]], name: str
) -> None:
    """It is not executed, and no DAG comes of it."""
    writer, path = written[name]
    assert not writer.mark.exists()
    for change in {writer.change, path.name.rpartition(".")[0]}:
        if change and "\n" not in change:
            status, _ = ground.send(Attempt("", "admin", "GET", f"/dags/{change}"))
            assert status == 404
    if path.name.startswith("CHG-"):
        assert path.name[:5] in errors(ground)


def test_an_edited_file_of_an_approved_change_is_replaced(ground: Ground) -> None:
    """With its step changed, its dag does not load; housekeeping publishes what was approved again."""
    airflow, approved = ground.airflow, ground.names["approved"]
    path = path_of(airflow.bundle, approved)
    genuine = path.read_text()
    edited = json.loads(genuine)
    edited["ticket"]["steps"][0]["run"] = ["touch", str(ground.folder / "edited")]
    path.write_text(text(approved, edited["ticket"], edited["seal"]))
    wait_for(lambda: approved in errors(ground), "the import error", 60)
    airflow.does("housekeeping")
    assert path.read_text() == genuine
    wait_for(lambda: approved not in errors(ground), "the dag to load again", 60)
    assert not (ground.folder / "edited").exists()


def test_a_program_appended_to_a_published_file_is_not_executed(ground: Ground) -> None:
    """Of a change that acts: its watch goes on, and what was published is put back."""
    airflow, acting = ground.airflow, ground.names["acting"]
    path, mark = path_of(airflow.bundle, acting), ground.folder / "appended"
    genuine = path.read_text()
    path.write_text(f"{genuine}\nimport pathlib; pathlib.Path({str(mark)!r}).touch()\n")
    wait_for(lambda: acting in errors(ground), "the import error", 60)
    path.write_text(genuine)
    wait_for(lambda: acting not in errors(ground), "the dag to load again", 60)
    assert not mark.exists()
    assert airflow.state(acting, ground.names["raw_run"], "watch") == "deferred"
