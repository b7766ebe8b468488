"""The step ansible, on this machine and over a real OpenSSH server."""

from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.ansible import Step
from changewindow.systems.ansible import Playbooks
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from servers.sshd import sshd
from step_fixtures.ansible import inventory, project
from step_fixtures.git_change import git

LEAVE_OUT = "See that it is up and lets the account in, or leave it out by `limit`."
LOCAL = {"ansible_connection": "local"}
BY_FILE = {"ansible_pipelining": False}
"""As Ansible is set up without a word of anybody's: each module is put on the host first."""
FAILS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: not needed
      ansible.builtin.command: "false"
      ignore_errors: true
    - name: open the shop
      ansible.builtin.fail: {msg: "the shop is on fire"}
      when: inventory_hostname == 'app-2'
"""


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project."""
    made = project(tmp_path / "project")
    (made / "fails.yml").write_text(FAILS)
    return made


def context(logged: list[str], account: Connection | None = None, **options: Any) -> Context:
    """Return what a step may use."""
    return Context("CHG-1", 1, lambda name: account or Connection(name, "ssh"), logged.append, **options)


def step(folder: Path, playbook: str, hosts: dict[str, Any], **fields: Any) -> Step:
    """Return a step that runs a playbook on hosts."""
    given = {"name": "it", "project": str(folder), "inventory": hosts, "playbook": playbook, "undo": "nothing"}
    return Step.model_validate({**given, **fields})


def test_failed_and_unreachable_hosts_are_named(folder: Path, logged: list[str]) -> None:
    """Each with its reason; the log counts for every host, and an error that the playbook ignores is none."""
    nobody = {"ansible_host": "127.0.0.1", "ansible_port": 1, **BY_FILE}
    example = step(folder, "fails.yml", inventory(**{"app-1": LOCAL, "app-2": LOCAL, "app-3": nobody}))
    with pytest.raises(StepFailed) as raised:
        example.apply(context(logged), {})
    text = str(raised.value)
    assert text.startswith(
        "The playbook fails.yml failed on app-2 (task 'open the shop': the shop is on fire); "
        "did not reach app-3 (task 'not needed': Task failed: Failed to connect to the host via ssh: "
    )
    assert text.endswith("1 of 3 hosts are good. Its output is in the log.")
    assert {"app-1: ok 1, changed 1, skipped 1, ignored 1", "app-3: unreachable 1"} <= set(logged)


def test_a_playbook_that_finds_no_host_fails(folder: Path, logged: list[str]) -> None:
    """For Ansible that is a success; here nothing was proven. The gate hears it before."""
    example = step(folder, "fails.yml", inventory())
    with pytest.raises(StepFailed, match=r"fails.yml did nothing: it found no host on the ticket's inventory\."):
        example.apply(context(logged), {})
    assert example.missing_prerequisites(context(logged)) == [
        "The playbook fails.yml finds no host on the ticket's inventory. Correct one of them."
    ]


def test_what_cannot_run_is_refused_at_the_gate(folder: Path, logged: list[str]) -> None:
    """A host that is down, a playbook that does not parse or is missing, a project that is not there."""
    nobody = {"ansible_host": "127.0.0.1", "ansible_port": 1, **BY_FILE}
    missing = step(folder, "pool.yml", inventory(**{"app-1": LOCAL, "app-3": nobody})).missing_prerequisites(
        context(logged)
    )
    assert len(missing) == 1
    assert missing[0].startswith(
        "Ansible cannot work on app-3: UNREACHABLE (Task failed: Failed to connect to the host"
    )
    assert missing[0].endswith(f"Connection refused). {LEAVE_OUT}")
    (folder / "bad.yml").write_text("- hosts: [")
    for name in ("bad.yml", "none.yml"):
        with pytest.raises(StepFailed, match=rf"The playbook {name} in .* cannot be read: .*ERROR"):
            step(folder, name, inventory(here=LOCAL)).missing_prerequisites(context(logged))
    with pytest.raises(StepFailed, match="The worker has no folder /nowhere, where the playbooks should lie"):
        step(Path("/nowhere"), "pool.yml", inventory(here=LOCAL)).missing_prerequisites(context(logged))


def test_only_the_approved_commit_runs(folder: Path, logged: list[str]) -> None:
    """Another commit and an edit are refused, at the gate and before apply."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    commit = git(folder, "rev-parse", "HEAD")
    example = step(folder, "pool.yml", inventory(here=LOCAL), commit=commit)
    assert example.missing_prerequisites(context(logged)) == []
    (folder / "pool.yml").write_text("- hosts: all\n")
    with pytest.raises(StepFailed, match=r"has edits that nobody approved: pool\.yml\. Revert them\."):
        example.remember(context(logged))
    git(folder, "commit", "-qam", "second")
    with pytest.raises(StepFailed, match=rf"is at [0-9a-f]{{12}}; {commit[:12]} was approved\. Check that out"):
        example.remember(context(logged))


@pytest.mark.parametrize("way", ["key", "password in vain"])
def test_it_reaches_hosts_over_ssh(folder: Path, logged: list[str], tmp_path: Path, way: str) -> None:
    """With the account of the connection, whose secrets are told nowhere; a refused one is a host not reached."""
    file = tmp_path / "it"
    with sshd(tmp_path / "ssh") as server:
        given = {} if way == "key" else {"private_key": None}
        account = server.connection("ansible_ssh", password="s3cret-wrong", **given)
        hosts = inventory(app={"ansible_host": "127.0.0.1", "file": str(file), **BY_FILE})
        example = step(folder, "pool.yml", hosts, variables={"max_idle": 3}, connection="ansible_ssh")
        if way == "key":
            assert example.missing_prerequisites(context(logged, account)) == []
            example.apply(context(logged, account), {})
            assert file.read_text() == "max_idle = 3\n"
        else:
            with pytest.raises(StepFailed, match=r"did not reach app \(task 'set the value'"):
                example.apply(context(logged, account), {})
    assert [line for line in logged if "s3cret" in line or "PRIVATE" in line] == []


def test_a_dry_run_tells_what_would_change(folder: Path, logged: list[str], tmp_path: Path) -> None:
    """Ansible's check mode shows the difference, and writes nothing."""
    file = tmp_path / "it"
    hosts = inventory(here={**LOCAL, "file": str(file)})
    step(folder, "pool.yml", hosts, variables={"max_idle": 3}).apply(context(logged, dry_run=True), {})
    assert not file.exists()
    assert "+max_idle = 3" in [line.strip() for line in logged]
    assert "here: ok 1, changed 1" in logged


def test_secrets_are_variables_and_stand_in_no_argument(folder: Path, logged: list[str], tmp_path: Path) -> None:
    """A playbook gets them; who lists processes does not."""
    (folder / "secret.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        f"    - ansible.builtin.shell: 'cat /proc/[0-9]*/cmdline > {tmp_path}/seen; true'\n"
        "    - ansible.builtin.assert: {that: [token == 's3cret' + '-token'], quiet: true}\n"
    )
    vault = Connection("vault", "generic", password="s3cret-token")
    hosts = inventory(here={**LOCAL, **BY_FILE})
    step(folder, "secret.yml", hosts, secrets={"token": "vault"}).apply(context(logged, vault), {})
    assert b"s3cret-token" not in (tmp_path / "seen").read_bytes()
    assert [line for line in logged if "s3cret-token" in line] == []


def test_a_secret_in_a_reason_is_not_told(folder: Path, logged: list[str]) -> None:
    """Reasons go into the record of the change, and to people; what a task with no_log says is not known."""
    vault = Connection("vault", "generic", password="s3cret-token")
    for options, reason in (("", r"token \*\*\* is wrong"), ("no_log: true", "it has no_log")):
        (folder / "it.yml").write_text(
            "- hosts: all\n  gather_facts: false\n  tasks:\n"
            f"    - ansible.builtin.fail: {{msg: 'token {{{{ token }}}} is wrong'}}\n      {options}\n"
        )
        example = step(folder, "it.yml", inventory(here=LOCAL), secrets={"token": "vault"})
        with pytest.raises(StepFailed, match=rf"failed on here \(task 'ansible\.builtin\.fail': {reason}\)\."):
            example.apply(context(logged, vault), {})


def test_the_gate_knows_the_variables_too(folder: Path, logged: list[str]) -> None:
    """They may say which hosts there are, and how they are reached; a secret that is missing is missed there."""
    (folder / "it.yml").write_text("- hosts: '{{ pool }}'\n  gather_facts: false\n  tasks: []\n")
    variables = {"pool": "app", **LOCAL}
    undo = {"playbook": "it.yml", "variables": {"pool": "all"}}
    assert (
        step(folder, "it.yml", inventory(here={}), variables=variables, undo=undo).missing_prerequisites(
            context(logged)
        )
        == []
    )
    with pytest.raises(UnusableConnection, match="'vault' has no password"):
        step(folder, "pool.yml", inventory(here=LOCAL), secrets={"token": "vault"}).missing_prerequisites(
            context(logged)
        )


@pytest.mark.parametrize("limit", ["here,app-production-eu-west-22", "app:!app-production-eu-west-22", "nobody"])
def test_a_limit_that_names_nobody_is_refused(folder: Path, logged: list[str], limit: str) -> None:
    """Also where others are named besides: Ansible would do without the missing one, and call that good."""
    example = step(folder, "pool.yml", inventory(here=LOCAL), limit=limit)
    with pytest.raises(StepFailed, match=r"inventory has no app-production-eu-west-22, which|--limit leaves us"):
        example.missing_prerequisites(context(logged))


@pytest.mark.parametrize("text", ["app: {hosts: [", None])
def test_an_inventory_that_cannot_be_read_is_told(folder: Path, logged: list[str], text: str | None) -> None:
    """For Ansible it would have fewer hosts."""
    if text:
        (folder / "hosts.yml").write_text(text)
    example = step(folder, "pool.yml", {}, inventory="hosts.yml")
    for ask in (lambda: example.missing_prerequisites(context(logged)), lambda: example.apply(context(logged), {})):
        with pytest.raises(
            StepFailed, match=r"Completely failed to parse inventory source .*hosts\.yml|--inventory does not"
        ):
            ask()


def test_a_vault_that_stays_closed_is_told(folder: Path, logged: list[str]) -> None:
    """Instead of hosts that are said to be down; a mistake in a playbook is told with its place."""
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3131\n")
    missing = step(folder, "pool.yml", inventory(here=LOCAL)).missing_prerequisites(context(logged))
    message = "Ansible cannot work on here: no answer ([ERROR]: Attempting to decrypt but no vault secrets found.)"
    assert missing == [f"{message}. {LEAVE_OUT}"]
    (folder / "bad.yml").write_text("- hosts: all\n  tasks:\n    - none.such.module: {}\n")
    with pytest.raises(StepFailed, match=r"'none\.such\.module'.* missing collection, .* Origin: .*bad\.yml:3:7"):
        step(folder, "bad.yml", inventory(here=LOCAL)).missing_prerequisites(context(logged))


def test_many_hosts_are_all_known(folder: Path, logged: list[str]) -> None:
    """What Ansible prints of them is longer than what is kept of an output for messages."""
    hosts = {f"app-{number}": LOCAL for number in range(1500)}
    assert len(Playbooks(context(logged), folder, inventory(**hosts)).hosts("pool.yml", {})) == 1500
