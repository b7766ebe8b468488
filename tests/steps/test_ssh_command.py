"""The step ssh_command, on a real OpenSSH server."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import LockRevoked, StepFailed, UnusableConnection
from changewindow.steps.ssh_command import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.hosts.host import WATCHED
from servers.sshd import PASSWORD, Sshd, between, hanging_up, keygen, sshd, with_password


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run one server for all tests here."""
    with sshd(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


def context(connection: Connection, logged: list[str], **others: Connection) -> Context:
    """Return what a step may use."""
    return Context("CHG-1", 1, lambda name: {"app_1": connection, **others}[name], logged.append)


def step(*run: str, **fields: Any) -> Step:
    """Return a step with a program that is not taken back."""
    return Step.model_validate({"name": "it", "connection": "app_1", "run": run, "undo": "nothing", **fields})


def run(connection: Connection) -> None:
    """Run a program that does nothing."""
    step("true").apply(context(connection, []), {})


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait until something holds."""
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_arguments_arrive_as_they_are(server: Sshd, logged: list[str]) -> None:
    """No shell on the way reads them, and a shell does where the ticket asks for one."""
    odd = ["a b", "$HOME", "*", "'", '"', "\\", ";touch /x", "`id`", "-n", "ü", "!!", "~"]
    step("printf", "<%s>\n", *odd).apply(context(server.connection("app_1"), logged), {})
    assert [f"<{part}>" for part in odd] == [line for line in logged if line.startswith("<")]
    step(run={"shell": "echo a | tr a b"}).apply(context(server.connection("app_1"), logged), {})
    assert "b" in logged


def test_the_log_names_host_program_and_result(server: Sshd, logged: list[str]) -> None:
    """It shows neither our wrapping nor a secret; an exit code fails the step, 255 too, which is ssh's own."""
    here = context(server.connection("app_1"), logged)
    with pytest.raises(StepFailed, match=r"'sh -c exit 3' on root@127\.0\.0\.1 ended with exit code 3"):
        step("sh", "-c", "exit 3").apply(here, {})
    assert logged == ["$ root@127.0.0.1: sh -c 'exit 3'", "exit code 3"]
    with pytest.raises(StepFailed, match="ended with exit code 254"):
        step("sh", "-c", "echo 'Permission denied (publickey)'; exit 255").apply(here, {})


def test_a_secret_comes_by_standard_input_only(
    server: Sshd, logged: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in no argument and no line of the log, and nothing of ours is left in the temporary folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    vault = Connection("vault", "generic", password="s3cret-of-sudo")
    here = context(server.connection("app_1"), logged, vault=vault)
    script = f"cat > {tmp_path}/got; cat /proc/[0-9]*/cmdline > {tmp_path}/arguments 2> /dev/null; true"
    step(run={"shell": script}, secret="vault").apply(here, {})
    assert (tmp_path / "got").read_text() == "s3cret-of-sudo\n"
    seen = (tmp_path / "arguments").read_bytes().decode(errors="replace") + "\n".join(logged)
    assert [part for part in ("s3cret-of-sudo", PASSWORD, "PRIVATE KEY") if part in seen] == []
    assert list(temporary.iterdir()) == []


def test_a_changed_host_key_is_refused(server: Sshd, tmp_path: Path) -> None:
    """Nothing is run, also when only the known kind of key changed."""
    other = keygen(tmp_path / "other").with_suffix(".pub").read_text()
    with pytest.raises(StepFailed, match=r"shows another host key than the one known for it\. Either"):
        run(server.connection("app_1", host_key=other))


def test_an_unknown_host_key_is_refused(server: Sshd) -> None:
    """The message says how to get and confirm it."""
    with pytest.raises(StepFailed, match=rf"is not known. Read it with `ssh-keyscan -p {server.port} 127.0.0.1`"):
        run(server.connection("app_1", host_key=None))


def test_a_host_key_counts_without_its_kind_too(server: Sshd, logged: list[str]) -> None:
    """Airflow's own hook takes the bare key as well; a check is off only if it says so."""
    run(server.connection("app_1", host_key=server.host_key.split()[1]))
    unchecked = server.connection("app_1", host_key=None, no_host_key_check="true")
    step("true").apply(context(unchecked, logged), {})
    assert "the host key of 127.0.0.1 is not checked: app_1 says no_host_key_check" in logged


def test_contradictions_are_refused(server: Sshd) -> None:
    """What the connection does not say clearly is not guessed."""
    for extra, message in (
        ({"no_host_key_check": True}, "both host_key and no_host_key_check"),
        ({"key_file": "/x"}, "both key_file and private_key"),
        ({"host_key": "rubbish"}, "no readable host_key"),
        ({"conn_timeout": "soon"}, "no number as conn_timeout"),
        ({"disabled_algorithms": {"pubkey": ["ssh-rsa"]}}, "unknown: pubkey"),
    ):
        with pytest.raises(UnusableConnection, match=message):
            run(server.connection("app_1", **extra))


def test_a_refused_key_is_told(server: Sshd, tmp_path: Path) -> None:
    """Whether key, password or both were tried stands in the message."""
    other = keygen(tmp_path / "other")
    with pytest.raises(
        StepFailed, match=r"root at 127.0.0.1:\d+ refused the key in its extra field \(connection app_1"
    ):
        run(server.connection("app_1", password="", private_key=other.read_text()))
    with pytest.raises(StepFailed, match=rf"refused the key {other} and its password"):
        run(server.connection("app_1", password="wrong", private_key=None, key_file=str(other)))
    with pytest.raises(StepFailed, match="has neither password nor key"):
        run(server.connection("app_1", password="", private_key=None, look_for_keys=False))


def test_a_key_that_cannot_be_used_is_told(server: Sshd, tmp_path: Path) -> None:
    """Rubbish, a file that is not there, and a wrong passphrase, which ssh does not tell from a refused key."""
    key = keygen(tmp_path / "key", passphrase="s3cret-phrase").read_text()
    with pytest.raises(StepFailed, match="private key of the connection app_1 cannot be used"):
        run(server.connection("app_1", password="", private_key="rubbish"))
    with pytest.raises(StepFailed, match="see that its passphrase fits"):
        run(server.connection("app_1", password="", private_key=key, private_key_passphrase="wrong"))
    with pytest.raises(UnusableConnection, match="no key_file that is on this worker: /nowhere is not there"):
        run(server.connection("app_1", password="", private_key=None, key_file="/nowhere"))


def test_a_key_with_a_passphrase_and_a_password_let_in(server: Sshd, tmp_path: Path) -> None:
    """Both are asked for by ssh, and answered by us; a wrong password is told."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    keygen(folder / "client", passphrase="s3cret-phrase")
    with sshd(folder, inside=with_password(folder)) as other:
        run(other.connection("app_1", password="", private_key_passphrase="s3cret-phrase"))
        run(other.connection("app_1", password=PASSWORD, private_key=None))
        for extra in ({}, {"host_key": None, "no_host_key_check": True}):
            run(replace(other.connection("app_1", private_key=None, **extra), host="LocalHost"))
        with pytest.raises(StepFailed, match=r"root at 127.0.0.1:\d+ refused its password"):
            run(other.connection("app_1", password="wrong", private_key=None))


def test_nobody_there_is_told(server: Sshd) -> None:
    """The gate hears it before anything is touched."""
    known = server.connection("app_1")
    gone = Connection("app_1", "ssh", host="127.0.0.1", port=1, login="root", extra=known.extra)
    with pytest.raises(StepFailed, match=r"No ssh server answers at 127\.0\.0\.1:1 "):
        step("true").missing_prerequisites(context(gone, []))


def test_a_missing_program_of_undo_is_refused_at_the_gate(server: Sshd) -> None:
    """Rollback readiness is checked on the host."""
    running = step("true", undo=["frobnicate", "-x"]).missing_prerequisites(context(server.connection("app_1"), []))
    assert running[0].startswith(
        "root@127.0.0.1 has no program frobnicate, which undo needs. Install it there, or write"
    )


@pytest.mark.parametrize("ends", ["lock", "connection"])
def test_the_program_dies_with_the_turn_and_with_the_connection(
    server: Sshd, tmp_path: Path, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed on the host with what it started, so that undo finds nobody acting."""
    monkeypatch.setattr("changewindow.systems.hosts.host.PATIENCE", 4.0)
    here, pids = context(server.connection("app_1"), []), tmp_path / "pids"
    forever = step(run={"shell": f"sleep 1000 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"})
    raised: list[BaseException] = []

    def apply() -> None:
        try:
            forever.apply(here, {})
        except (LockRevoked, StepFailed) as error:
            raised.append(error)

    acting = threading.Thread(target=apply)
    acting.start()
    assert eventually(pids.exists)
    here.stop() if ends == "lock" else server.drop()
    acting.join(10)
    assert eventually(lambda: not any(is_alive(int(pid)) for pid in pids.read_text().split()))
    assert isinstance(raised[0], LockRevoked if ends == "lock" else StepFailed)
    if ends == "connection":
        assert "was lost while the program ran. The host kills it within 20 s" in str(raised[0])


def test_silence_kills_the_program() -> None:
    """The network may be gone without a word: the host does not wait for ever."""
    arguments = ["sh", "-c", WATCHED, "sh", "0.2", "sleep", "1000"]
    quiet = subprocess.Popen(arguments, stdin=subprocess.PIPE, start_new_session=True)
    try:
        assert quiet.stdin
        quiet.stdin.write(b"\n")
        quiet.stdin.flush()
        assert quiet.wait(10) == -signal.SIGKILL
    finally:
        quiet.stdin.close()
        if quiet.returncode is None:
            os.killpg(quiet.pid, signal.SIGKILL)


def test_the_example_as_it_is_written(server: Sshd) -> None:
    """It leaves its marker, and undo removes it, twice."""
    known = context(server.connection("app_1"), [])
    marker = Path(str(EXAMPLE["run"][1]))
    marker.unlink(missing_ok=True)
    example = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})
    example.apply(known, {})
    assert marker.exists()
    for _ in range(2):
        example.undo(known, {})
        assert not marker.exists()


def test_a_host_that_does_not_hear_of_the_loss_is_waited_for(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall cut us off, and the host's side stays open: the step fails when the host has killed the program."""
    monkeypatch.setattr("changewindow.systems.hosts.host.PATIENCE", 4.0)
    pid = tmp_path / "pid"
    with between(server.port) as (port, cut):
        known = replace(server.connection("app_1"), port=port)
        forever = step(run={"shell": f"echo 'Permission denied (publickey)'; echo $$ > {pid}; exec sleep 1000"})
        cutting = threading.Thread(target=lambda: eventually(lambda: pid.exists() and pid.read_text() != "") and cut())
        cutting.start()
        with pytest.raises(StepFailed, match="was lost while the program ran"):
            forever.apply(context(known, []), {})
        assert not is_alive(int(pid.read_text()))
        cutting.join()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"Exceeded MaxStartups\r\n", r"hung up before it let anybody in .* \(MaxStartups\).* ssh says: kex_exchange"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"hung up before it let anybody in .* Is an ssh server there\?"),
    ],
)
def test_who_hangs_up_is_told_from_nobody(server: Sshd, text: bytes, message: str) -> None:
    """Something answers at that address, and its log says why it does not let us in."""
    with hanging_up(text) as port, pytest.raises(StepFailed, match=message):
        run(replace(server.connection("app_1"), port=port))


def test_host_keys_count_as_keyscan_prints_them(server: Sshd, tmp_path: Path) -> None:
    """Its lines can be put into the connection as they are, and any of its keys counts."""
    printed = subprocess.check_output(["ssh-keyscan", "-p", str(server.port), server.host], text=True)
    other = keygen(tmp_path / "other", kind="rsa").with_suffix(".pub").read_text()
    run(server.connection("app_1", host_key=f"# a comment\n{other}{printed}"))


def test_a_revoked_host_key_is_not_to_be_trusted(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told to put it into the connection."""
    real, known = shutil.which("ssh"), tmp_path / "known_hosts"
    known.write_text(f"@revoked {server.known_hosts}")
    (tmp_path / "ssh").write_text(f'#!/bin/sh\nexec {real} -o "UserKnownHostsFile={known}" "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(StepFailed, match=r"says is revoked \(connection app_1\)\. Do not go on"):
        run(server.connection("app_1", host_key=None))


def test_content_that_comes_in_part_starts_nothing(tmp_path: Path) -> None:
    """The connection may end while a secret is on its way."""
    touching = ["sh", "-c", WATCHED, "sh", "20", "touch", str(tmp_path / "touched")]
    subprocess.run(touching, input=b"c2Vjcm", check=False, start_new_session=True)
    assert not (tmp_path / "touched").exists()


def test_an_account_that_may_not_log_in_is_told(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its shell says stands in the message, instead of a program that is missing."""
    (tmp_path / "ssh").write_text("#!/bin/sh\necho This account is currently not available.\nexit 1\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(
        StepFailed, match=r"^No program can be run on .*: This account is currently not available\.\. Can"
    ):
        step("true").missing_prerequisites(context(server.connection("app_1"), []))


def test_a_worker_without_ssh_is_told(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the worker that lacks a program, not the host."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepFailed, match=r"^The worker has no program ssh\. Install the OpenSSH client on every"):
        step("true").missing_prerequisites(context(server.connection("app_1"), []))
