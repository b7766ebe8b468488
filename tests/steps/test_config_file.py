"""The step config_file, on a host with a real OpenSSH server and on the worker."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import StepFailed
from changewindow.steps.base import Memory
from changewindow.steps.config_file import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from servers.sshd import PASSWORD, Sshd, sshd
from step_fixtures import need
from step_fixtures.config_file import look, service

BEFORE, AFTER = "[pool]\nmax_idle = 1\n", "[pool]\nmax_idle = 10\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run one server for all tests here."""
    with sshd(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


@pytest.fixture
def here(logged: list[str]) -> Context:
    """Return what a step on the worker may use."""
    return Context("CHG-1", 1, lambda name: Connection(name, "ssh"), logged.append)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that is there."""
    file = tmp_path / "pool.ini"
    file.write_text(BEFORE)
    return file


def step(file: Path, **fields: Any) -> Step:
    """Return a step that writes a file on the worker."""
    return Step.model_validate({"name": "it", "path": str(file), "content": AFTER, **fields})


def applied(example: Step, context: Context) -> Memory:
    """Apply a step; return what it remembered."""
    remembered: Memory = json.loads(json.dumps(example.remember(context)))
    example.apply(context, remembered)
    return remembered


def test_it_acts_on_a_host_over_ssh(server: Sshd, logged: list[str], tmp_path: Path) -> None:
    """The example replaces, checks and reloads there, takes it back, and tells no secret."""
    fields = service(tmp_path / "there")
    example = Step.model_validate({key: value for key, value in fields.items() if key != "kind"})
    here = Context("CHG-1", 1, server.connection, logged.append)
    before = look(tmp_path / "there")
    assert len(example.missing_prerequisites(here)) == 0
    remembered = applied(example, here)
    assert look(tmp_path / "there") == {"pool.ini": (AFTER, "0o100604"), "loaded": (AFTER, "0o100644")}
    example.undo(here, remembered)
    assert look(tmp_path / "there") == before
    assert [line for line in [*logged, json.dumps(remembered)] if PASSWORD in line or "PRIVATE" in line] == []
    assert {"--- before", "-max_idle = 1", "+max_idle = 10"} <= set(logged)


def test_a_refused_file_is_never_used(file: Path, here: Context) -> None:
    """The check sees the new file beside the old one; when it refuses, nothing is left behind."""
    example = step(file, validate=["grep", "-q", "max_idle = 7", "{file}"], reload=["false"])
    with pytest.raises(StepFailed) as raised:
        applied(example, here)
    assert str(raised.value) == (
        f"'grep -q max_idle = 7 {{file}}' refused the new {file} on the worker with exit code 1; its output is in the "
        "log above. The old one was not touched."
    )
    assert look(file.parent) == {"pool.ini": (BEFORE, "0o100644")}


def test_a_check_by_a_shell_gets_the_file_too(file: Path, here: Context) -> None:
    """Whatever its path is made of."""
    odd = file.rename(file.with_name("a 'b' $c.ini"))
    applied(step(odd, validate={"shell": "grep -q 10 {file} && test -s {file}"}), here)
    assert odd.read_text() == AFTER


def test_a_failing_reload_fails_the_step(file: Path, here: Context) -> None:
    """The message says that the file lies there all the same."""
    with pytest.raises(
        StepFailed, match=r"'false' on the worker ended with exit code 1; .* in place, but may not count"
    ):
        applied(step(file, reload=["false"]), here)


def test_a_new_file_is_removed_again(tmp_path: Path, here: Context) -> None:
    """Where there was none, undo leaves none, also when apply never came that far."""
    file = tmp_path / "new.ini"
    example = step(file, mode="0640")
    example.undo(here, example.remember(here))
    remembered = applied(example, here)
    assert look(tmp_path) == {"new.ini": (AFTER, "0o100640")}
    example.undo(here, remembered)
    example.undo(here, remembered)
    assert look(tmp_path) == {}


def test_undo_brings_back_a_mode_and_bytes_that_are_no_text(file: Path, here: Context) -> None:
    """What is not UTF-8 is remembered as base64."""
    file.write_bytes(b"\xff\x00\r\n")
    example = step(file, mode="600")
    remembered = applied(example, here)
    assert (file.read_text(), file.stat().st_mode & 0o777) == (AFTER, 0o600)
    example.undo(here, remembered)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"\xff\x00\r\n", 0o644)


def test_a_link_stays_a_link(file: Path, here: Context) -> None:
    """The file it leads to is replaced."""
    link = file.with_name("link")
    link.symlink_to(file)
    example = step(link)
    remembered = applied(example, here)
    assert link.is_symlink()
    assert file.read_text() == AFTER
    example.undo(here, remembered)
    assert file.read_text() == BEFORE


@pytest.mark.parametrize("edit", ["changed", "removed"])
def test_undo_does_not_destroy_the_edit_of_somebody_else(
    file: Path, here: Context, logged: list[str], edit: str
) -> None:
    """It says what was edited, and leaves it."""
    example = step(file)
    remembered = applied(example, here)
    file.write_text(AFTER + "min_idle = 3\n") if edit == "changed" else file.unlink()
    with pytest.raises(StepFailed, match=f"{edit} by somebody else after this step .* Agree with them, then restore"):
        example.undo(here, remembered)
    assert file.exists() == (edit == "changed")
    assert ("+min_idle = 3" if edit == "changed" else "-max_idle = 10") in logged


def test_apply_does_not_destroy_the_edit_of_somebody_else(file: Path, here: Context) -> None:
    """What was remembered is no longer what is there."""
    example = step(file)
    remembered = example.remember(here)
    file.write_text("theirs")
    with pytest.raises(StepFailed, match=r"changed by somebody else just now\. It was left as it is; ask again"):
        example.apply(here, remembered)
    assert look(file.parent) == {"pool.ini": ("theirs", "0o100644")}


def test_a_file_of_several_names_is_refused_at_the_gate(file: Path, here: Context) -> None:
    """A move leaves the old content under its other names, and no undo makes them one file again."""
    (file.parent / "other").hardlink_to(file)
    (missing,) = step(file).missing_prerequisites(here)
    assert missing.startswith(
        f"{file} on the worker is one file with 2 names (hard links), and a move would part them."
    )
    with pytest.raises(StepFailed, match="would part them"):
        step(file).remember(here)


def test_what_cannot_be_remembered_is_refused_at_the_gate(file: Path, here: Context) -> None:
    """Too large a file, and one that may hold secrets, unless the ticket says that it holds none."""
    file.write_bytes(b"x" * 65537)
    large = f"{file} on the worker has 65537 bytes; 65536 at most can be remembered for undo. "
    assert step(file).missing_prerequisites(here) == [large + "Change it by git_change or ansible instead."]
    file.write_text("password=s3cret")
    file.chmod(0o640)
    secret = f"Not everybody may read {file} on the worker (mode 640), so it may hold secrets"
    assert step(file).missing_prerequisites(here)[0].startswith(secret)
    with pytest.raises(StepFailed, match="may hold secrets"):
        step(file).remember(here)
    assert step(file, holds_no_secret=True).missing_prerequisites(here) == []


def test_what_is_not_there_is_refused_at_the_gate(file: Path, here: Context) -> None:
    """A folder, a program of check or reload; and a folder is no file."""
    with pytest.raises(StepFailed, match="cannot be read: there is no folder for it"):
        step(file / "x" / "y.ini").missing_prerequisites(here)
    with pytest.raises(StepFailed, match="cannot be read: it is not a regular file"):
        step(file.parent).missing_prerequisites(here)
    missing = step(file, validate=["frobnicate"], reload=["/x/y"]).missing_prerequisites(here)
    assert missing == [
        f"the worker has no program {name}. Install it there, or correct the ticket." for name in ("frobnicate", "/x/y")
    ]


def test_a_relative_path_is_refused() -> None:
    """Nobody knows where it would lead."""
    with pytest.raises(ValidationError):
        step(Path("etc/pool.ini"))


def test_a_full_file_fits_through(file: Path, here: Context) -> None:
    """The largest file that is allowed comes and goes whole."""
    old, new = "ä" * 32768, "b" * 65536
    file.write_text(old)
    example = step(file, content=new)
    remembered = applied(example, here)
    assert file.read_text() == new
    example.undo(here, remembered)
    assert file.read_text() == old


def test_what_is_too_large_to_be_undone_is_refused() -> None:
    """Bytes count, not characters: undo has to read it again."""
    with pytest.raises(ValidationError, match=r"it has 65538 bytes, 65536 at most\. Use git_change or ansible"):
        step(Path("/x"), content="ä" * 32769)


def test_a_check_that_changes_the_file_is_told(file: Path, here: Context) -> None:
    """What was not approved is not put in place, and undo finds what it left."""
    example = step(file, validate=["sed", "-i", "s/10/11/", "{file}"])
    remembered = example.remember(here)
    with pytest.raises(StepFailed) as raised:
        example.apply(here, remembered)
    assert str(raised.value) == (
        f"The new {file} on the worker was not used: it is no longer what was written. Does its check change it? "
        "A check may only read. The old one was not touched."
    )
    assert look(file.parent) == {"pool.ini": (BEFORE, "0o100644")}
    example.undo(here, remembered)


def test_programs_that_look_at_the_time_see_the_new_file(file: Path, here: Context) -> None:
    """It has the attributes of the old one, but not its age; the same holds for what undo brings back."""
    os.utime(file, (0, 0))
    example = step(file)
    remembered = applied(example, here)
    assert file.stat().st_mtime > 0
    os.utime(file, (0, 0))
    example.undo(here, remembered)
    assert file.stat().st_mtime > 0


def test_a_large_edit_of_somebody_else_is_no_empty_file(file: Path, here: Context) -> None:
    """Where the file was empty before, undo does not take one that is too large to be read for it."""
    file.write_text("")
    example = step(file)
    remembered = applied(example, here)
    file.write_text("x" * 65537)
    with pytest.raises(StepFailed, match="was changed by somebody else after this step"):
        example.undo(here, remembered)
    assert file.stat().st_size == 65537


def test_what_comes_in_part_is_not_remembered(here: Context) -> None:
    """A file whose size is not that of its content, as of one that may not be read."""
    with pytest.raises(
        StepFailed, match=r"cannot be read: its size is 0 bytes, and [1-9]\d* arrived\. May the account read it\?"
    ):
        step(Path("/proc/version")).remember(here)


def test_what_cannot_be_replaced_is_refused_at_the_gate(tmp_path: Path, here: Context) -> None:
    """The gate hears of a folder that is read-only, and of a file that is immutable, before anything is touched."""
    need("chattr", "mount")
    if os.geteuid() != 0:
        pytest.skip("only root can mount, and make a file immutable")
    file = tmp_path / "pool.ini"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        file.write_text(BEFORE)
        subprocess.run(["chattr", "+i", file], check=True)
        message = f"{file} on the worker cannot be replaced: "
        assert step(file).missing_prerequisites(here) == [message + "it is immutable. Let the account do it."]
        subprocess.run(["chattr", "-i", file], check=True)
        assert step(file).missing_prerequisites(here) == []
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        read_only = "the account may not write in its folder, or that is read-only. Let the account do it."
        assert step(file).missing_prerequisites(here) == [message + read_only]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_failing_reload_of_undo_is_told_as_such(file: Path, here: Context) -> None:
    """Who is called knows which of the two contents lies there."""
    example = step(file, reload=["grep", "-q", "max_idle = 10", "{file}"])
    remembered = applied(example, here)
    with pytest.raises(StepFailed, match=r"The file is as it was before this step, but may not count yet\."):
        example.undo(here, remembered)
    assert file.read_text() == BEFORE


def test_undo_on_another_worker_is_not_content_with_a_file_of_its_own(file: Path, here: Context) -> None:
    """There it is as it was, and where it was written it is not; on a shared volume it is brought back."""
    example = step(file)
    remembered = {**applied(example, here), "worker": "worker-1"}
    file.write_text(BEFORE)
    with pytest.raises(
        StepFailed, match=r"was to be written on worker worker-1, and this is worker .*which has nothing"
    ):
        example.undo(here, remembered)
    file.write_text(AFTER)
    example.undo(here, remembered)
    assert file.read_text() == BEFORE
