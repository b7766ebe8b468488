"""The step git_change over ssh, on a real sshd."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.errors import LockRevoked, StepFailed
from changewindow.steps.git_change import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from servers.sshd import Sshd, sshd
from step_fixtures.git_change import git
from step_fixtures.git_change import repository as made

STEP = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Serve ssh."""
    with sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a release on a branch of its own."""
    return made(tmp_path / "config")


def context(server: Sshd, repository: Path, logged: list[str], **extra: Any) -> Context:
    """Return what a step may use; the host key is known."""
    known = repository.parent / "known_hosts"
    known.write_text(extra.pop("known", server.known_hosts))
    options = {"strict_host_key_checking": "yes", "known_hosts_file": str(known), **extra}
    host = f"ssh://{server.user}@{server.host}:{server.port}{repository}"
    return Context("CHG-1001", 1, lambda name: Connection(name, "git", host=host, extra=options), logged.append)


def test_with_a_key_file(server: Sshd, repository: Path) -> None:
    """Merge and revert, without shallow tricks."""
    here = context(server, repository, [], key_file=str(server.key_file))
    assert STEP.missing_prerequisites(here) == []
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    assert git(repository, "show", "main:version") == "2"
    STEP.undo(here, remembered)
    assert git(repository, "show", "main:version") == "1"


def test_with_a_private_key_and_its_passphrase(server: Sshd, repository: Path) -> None:
    """Neither is told to anybody but ssh."""
    locked, logged = repository.parent / "locked", list[str]()
    locked.write_bytes(server.key_file.read_bytes())
    locked.chmod(0o600)
    subprocess.check_call(["ssh-keygen", "-q", "-p", "-P", "", "-N", "s3cret-phrase", "-f", str(locked)])
    key = locked.read_text()
    here = context(server, repository, logged, private_key=key, private_key_passphrase="s3cret-phrase")
    STEP.apply(here, STEP.remember(here))
    assert git(repository, "show", "main:version") == "2"
    assert not [line for line in logged if "s3cret" in line or key.splitlines()[1] in line]


def test_another_host_key_is_refused(server: Sshd, repository: Path) -> None:
    """Who answers there is not who was known."""
    wrong = server.known_hosts.replace(server.host_key, (server.key_file.with_suffix(".pub")).read_text().strip())
    here = context(server, repository, [], key_file=str(server.key_file), known=wrong)
    with pytest.raises(StepFailed, match="The repository of connection example_config cannot be read: ") as raised:
        STEP.remember(here)
    assert "Host key verification failed" in str(raised.value)


def test_a_key_that_may_not_log_in(server: Sshd, repository: Path) -> None:
    """Nothing is asked at a prompt that nobody sees."""
    other = server.key_file.with_name("host")
    here = context(server, repository, [], key_file=str(other))
    with pytest.raises(StepFailed, match="Permission denied"):
        STEP.remember(here)


HOOK = """#!/bin/sh
mkdir busy 2> /dev/null || exit 0
echo $PPID > pid.new && mv pid.new pid
until test -e go; do sleep 0.05; done
"""


def test_a_push_that_the_server_is_still_busy_with_lands_no_more(server: Sshd, repository: Path) -> None:
    """Its hook goes on though apply was killed; undo, run twice, keeps it out, and what others push stays."""
    at = repository / ".git"
    (at / "hooks/pre-receive").write_text(HOOK)
    (at / "hooks/pre-receive").chmod(0o755)
    here = context(server, repository, [], key_file=str(server.key_file))
    remembered = STEP.remember(here)

    def apply() -> None:
        with pytest.raises(LockRevoked):
            STEP.apply(here, remembered)

    applying = threading.Thread(target=apply)
    applying.start()
    pid = wait_for(lambda: (at / "pid").exists() and (at / "pid").read_text().strip(), "the hook", 30, 0.05)
    here.stop()
    applying.join()
    for _ in range(2):
        again = context(server, repository, [], key_file=str(server.key_file))
        again.apply_ended = "cut_short"
        STEP.undo(again, remembered)
    (at / "go").touch()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the push", 30, 0.05)
    assert git(repository, "show", "main:version") == "1"
    assert git(repository, "log", "--format=%s", "main").splitlines() == [
        "CHG-1001: rolled back: Merge the release",
        "first",
    ]
