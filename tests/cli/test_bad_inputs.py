"""Every command with every input that is none: a message that says what is wrong and what to do, never a traceback."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from changewindow.cli.main import main
from changewindow.ledger.database import Ledger
from support.tampering import tamper
from support.tickets import EXAMPLES, TESTS

RELEASE = str(EXAMPLES[1])
Capture = pytest.CaptureFixture[str]
RECORD = ("record", "--target", "production/orders", "--why", "It hung.")
BAD = ("missing", "below a file", "folder", "empty", "binary", "garbage", "forbidden")
"""What may stand where a file is expected."""
BAD_FOLDERS = ("missing", "below a file", "empty", "binary", "garbage", "forbidden folder")
OF_FILES = (
    ["lint", "{bad}"],
    ["lint", "{bad}", "--json"],
    ["plan", "{bad}"],
    ["plan", "{bad}", "--json"],
    ["submit", "{bad}", "--url", "http://127.0.0.1:9", "--user", "alice"],
    [*RECORD, "--file", "{bad}", "--url", "http://127.0.0.1:9", "--user", "alice"],
    ["submit", RELEASE, "--url", "https://127.0.0.1:9", "--user", "alice", "--ca-file", "{bad}"],
)
OF_FOLDERS = (
    ["lint", RELEASE, "--policy", "{bad}"],
    ["plan", RELEASE, "--policy", "{bad}"],
    ["policy", "lint", "--policy", "{bad}"],
    ["calendar", "lint", "--policy", "{bad}"],
    ["calendar", "next", "orders", "--policy", "{bad}"],
)
OF_LEDGERS = (
    ["history"],
    ["history", "CHG-1"],
    ["history", "CHG-1", "--json"],
    ["verify", "CHG-1"],
    ["verify", "--all"],
    ["follow", "CHG-1"],
    ["follow", "CHG-1", "--json"],
    ["explain", "CHG-1"],
)
ADDRESSES = ("nonsense://", "foo://bar", "mysql://x/y", "sqlite://", "postgresql://u:secret@127.0.0.1:9/x", "://")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Return a folder of what nobody can read."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "forbidden folder").mkdir(mode=0)
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "garbage").write_text("{{{{ not: [yaml\n\t%%%")
    (tmp_path / "forbidden").write_text("a: b")
    (tmp_path / "forbidden").chmod(0)
    return tmp_path


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `submit` have one."""
    monkeypatch.setenv("CHANGEWINDOW_PASSWORD", "a password")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run as somebody to whom permissions apply."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def know_all_modules(capsys: Capture, *arguments: str) -> None:
    """Have imported what a command needs: nobody may read Python's own files, and half a library would stay."""
    for name in ("concurrent.futures.thread", "concurrent.futures.process", "psycopg"):
        importlib.import_module(name)
    with suppress(SystemExit):
        main([argument.replace("forbidden", "nowhere") for argument in arguments])
    capsys.readouterr()


def place(bad: Path, name: str) -> str:
    """Return the path of an input."""
    return str(bad / "empty" / "x.yaml" if name == "below a file" else bad / name)


def refused(capsys: Capture, *arguments: str, is_forbidden: bool = False) -> str:
    """Return what a command says that cannot be carried out; nothing is raised, and its exit code is 1 or 2."""
    try:
        if is_forbidden:
            know_all_modules(capsys, *arguments)
            with as_nobody():
                code = main(arguments)
        else:
            code = main(arguments)
    except SystemExit as misuse:
        code = misuse.code if isinstance(misuse.code, int) else 1
    text = "".join(capsys.readouterr())
    assert code in {1, 2}, text
    assert len(text) > 20
    assert "Error" not in text.replace("ConnectionError. Is Airflow running there?", ""), "that is a name of ours"
    return text


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("arguments", OF_FILES, ids=" ".join)
@pytest.mark.usefixtures("password")
def test_a_file_that_is_none(arguments: list[str], name: str, bad: Path, capsys: Capture) -> None:
    """Where a ticket is expected, or the authorities to trust."""
    given = [argument.format(bad=place(bad, name)) for argument in arguments]
    refused(capsys, *given, is_forbidden=name == "forbidden")


@pytest.mark.parametrize("name", BAD_FOLDERS)
@pytest.mark.parametrize("arguments", OF_FOLDERS, ids=" ".join)
def test_a_policy_that_is_none(arguments: list[str], name: str, bad: Path, capsys: Capture) -> None:
    """Where a folder of policy is expected."""
    given = [argument.format(bad=place(bad, name)) for argument in arguments]
    text = refused(capsys, *given, is_forbidden="forbidden" in name)
    assert str(bad) in text


@pytest.mark.parametrize("name", ["below a file", "empty", "binary", "forbidden folder"])
def test_dags_are_installed_nowhere_else_than_in_a_folder(name: str, bad: Path, capsys: Capture) -> None:
    """The folder is named."""
    text = refused(capsys, "dags", "install", place(bad, name), is_forbidden="forbidden" in name)
    assert str(bad) in text


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("arguments", OF_LEDGERS, ids=" ".join)
def test_a_ledger_that_is_none(arguments: list[str], name: str, bad: Path, capsys: Capture) -> None:
    """As an address and as a file; nothing is made where nothing was."""
    before = sorted(bad.iterdir())
    for address in (place(bad, name), f"sqlite:///{place(bad, name)}"):
        text = refused(capsys, *arguments, "--ledger", address, is_forbidden=name == "forbidden")
        assert str(bad) in text
    assert sorted(bad.iterdir()) == before


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("arguments", [*OF_LEDGERS, ["ledger", "upgrade"]], ids=" ".join)
def test_an_address_that_is_none(arguments: list[str], address: str, capsys: Capture) -> None:
    """No password of it is shown."""
    assert "secret" not in refused(capsys, *arguments, "--ledger", address)


@pytest.mark.parametrize("name", ["below a file", "folder", "binary", "garbage", "forbidden"])
def test_what_is_no_ledger_is_not_upgraded(name: str, bad: Path, capsys: Capture) -> None:
    """A file of something else stays as it is."""
    before = (bad / "binary").read_bytes()
    refused(capsys, "ledger", "upgrade", "--ledger", place(bad, name), is_forbidden=name == "forbidden")
    assert (bad / "binary").read_bytes() == before


@pytest.mark.parametrize("change", ["CHG-77", "CHG-", "77x", "", "CHG-99999999999999999999", "CHG--1", "../etc"])
@pytest.mark.parametrize("command", ["history", "verify", "follow", "explain"])
def test_a_change_that_there_is_not(command: str, change: str, ledger: Ledger, capsys: Capture) -> None:
    """The ledger was read, so the number is wrong."""
    refused(capsys, command, f"--ledger={ledger.url}", *(["--", change] if change else [""]))


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0003", "has the tables of an earlier version (0003). Run `changewindow ledger upgrade`."),
        ("9999", "was upgraded by a later version (9999). Install that version."),
    ],
)
def test_a_ledger_of_another_version(version: str, message: str, ledger: Ledger, capsys: Capture) -> None:
    """It says which side is to be upgraded."""
    tamper(ledger, f"UPDATE alembic_version SET version_num = '{version}'")  # noqa: S608  of the test
    assert message in refused(capsys, "history", "--ledger", str(ledger.url))


@pytest.mark.integration
@pytest.mark.parametrize("arguments", [["kinds"], ["lint", RELEASE]], ids=" ".join)
@pytest.mark.parametrize("redirection", ["| true", "| head -1", ">&-", "2>&-", "> /dev/full"])
def test_a_reader_that_is_gone(arguments: list[str], redirection: str) -> None:
    """A pipe, a closed stream or a full disk ends a command without a traceback."""
    command = f"{sys.executable} -m changewindow {' '.join(arguments)} {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "include")}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
