"""The environment of programs is built: nothing of ours gets there by itself."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from changewindow import kinds
from changewindow.errors import NoAccount
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.process.account import OURS, account_for_tickets
from changewindow.systems.process.environment import SETTING, built
from changewindow.systems.process.output import printed
from support.layout import INCLUDE, files, tree

SECRETS = {
    "AIRFLOW__API_AUTH__JWT_SECRET": "canary-jwt",
    "AIRFLOW__CORE__FERNET_KEY": "canary-fernet",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "canary-database",
    "AIRFLOW_CONN_ORDERS": "canary-connection",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
    "KUBECONFIG": "canary-kube",
    "SSH_AUTH_SOCK": "canary-agent",
    "CHANGEWINDOW_SEAL": "canary-seal",
    "LD_PRELOAD": "",
    "GIT_DIR": "canary-git",
}
STARTS = {
    *(f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output")),
    *(f"asyncio.{name}" for name in ("create_subprocess_exec", "create_subprocess_shell")),
}
BY_OS = ("os.exec", "os.spawn", "os.posix_spawn", "os.system", "os.popen")
WHOLE = {
    "systems/process/guard.py": "itself started with what is built, and so is its child",
    "systems/hosts/heartbeat.py": "itself started with what is built, and so is its child",
    "cli/standalone.py": "starts Airflow itself, whose keys and connections these are",
    "cli/supervisor.py": "the same",
    "cli/airflow_connections.py": "asks Airflow itself, whose keys and connections these are",
}
"""Files that may start a program without naming its environment, and why."""


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put secrets into our own environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def here(logged: list[str]) -> Context:
    """Return a context without connections."""
    return Context("CHG-1001", 1, lambda name: Connection(name, "http"), logged.append)


def test_a_step_that_prints_its_environment_prints_no_key_and_no_connection() -> None:
    """What a ticket's program finds is what programs need, and what the step names."""
    logged: list[str] = []
    fields = {"name": "env", "kind": "command", "run": ["env"], "undo": "nothing", "environment": {"OWN": "named"}}
    step = kinds.models("steps", "Step")["command"].model_validate(fields)
    step.apply(here(logged), {})  # type: ignore[attr-defined]
    assert "canary" not in "\n".join(logged)
    names = {line.partition("=")[0] for line in logged if "=" in line}
    assert {"PATH", "HOME", "TMPDIR", "OWN"} <= names
    assert not any(name.startswith(("AIRFLOW", "CHANGEWINDOW", "AWS", "KUBE", "SSH")) for name in names)


async def test_a_condition_that_prints_its_environment_prints_none_either() -> None:
    """Sources start programs too."""
    assert b"canary" not in (await printed("env")).output


def test_its_home_is_empty_its_own_and_gone_afterwards() -> None:
    """No settings or keys of the worker's account are read from there, and nothing is left."""
    with built() as first, built() as second:
        homes = {first["HOME"], second["HOME"]}
        assert len(homes) == 2
        assert [file for home in homes for file in Path(home).iterdir()] == []
        assert os.environ["HOME"] not in homes
    assert not any(Path(home).exists() for home in homes)


@pytest.mark.parametrize(
    ("name", "is_passed"),
    [
        pytest.param("https_proxy", True, id="a proxy is how anything is reached"),
        pytest.param("SSL_CERT_FILE", True, id="the company's authorities are trusted"),
        pytest.param("KUBECONFIG", True, id="what the operator names is passed"),
        pytest.param("AWS_PROFILE", False, id="what nobody names is not"),
        pytest.param("AIRFLOW__CORE__FERNET_KEY", False, id="a key of Airflow's not even when named"),
        pytest.param("CHANGEWINDOW_SEAL", False, id="nor one of ours"),
    ],
)
def test_what_is_taken_over_is_a_list(name: str, is_passed: bool) -> None:  # noqa: FBT001
    """Proxies and authorities by themselves, others by the operator's word, keys never."""
    ours = {name: "value", SETTING: "KUBECONFIG, AIRFLOW__CORE__FERNET_KEY,CHANGEWINDOW_SEAL"}
    with built(ours=ours) as variables:
        assert (name in variables) == is_passed


def test_every_program_is_started_with_an_environment_that_is_named() -> None:
    """Who starts a program without `env` hands all of ours to it; the few files that may are listed with why."""
    bare = {where for where in _bare() if where.partition(":")[0] not in WHOLE and not where.startswith("demo/")}
    assert bare == set()


def _bare() -> Iterator[str]:
    """Yield where a program is started without an environment, or in a way that cannot have one."""
    for path in files():
        where = str(path).removeprefix(f"{INCLUDE}/").removeprefix("changewindow/")
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
                continue
            called = ast.unparse(node.func)
            without = "env" not in {keyword.arg for keyword in node.keywords}
            if (called in STARTS and without) or called.startswith(BY_OS):
                yield f"{where}:{node.lineno}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
async def test_programs_of_tickets_run_as_the_account_that_the_operator_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not read the keys that lie in Airflow's folder, nor another process's environment; conditions alike."""
    monkeypatch.setenv("CHANGEWINDOW_RUN_AS", "nobody")
    (keys := tmp_path / "keys.json").write_text("canary-file")
    keys.chmod(0o600)
    tried = f"id -un; pwd; touch here; cat {keys} /proc/{os.getpid()}/environ; true"
    logged: list[str] = []
    fields = {"name": "who", "kind": "command", "run": {"shell": tried}, "undo": "nothing"}
    step = kinds.models("steps", "Step")["command"].model_validate(fields)
    step.apply(here(logged), {})  # type: ignore[attr-defined]
    assert "nobody" in logged
    assert "canary" not in "\n".join(logged[1:])
    assert "Permission denied" in "\n".join(logged)
    assert (await printed("id", "-un", account=account_for_tickets())).output == b"nobody\n"


@pytest.mark.parametrize("name", ["nobody-has-this-name", ""])
def test_an_account_that_is_not_there_starts_nothing(name: str) -> None:
    """The operator is told, and the program does not run as Airflow instead."""
    ours = {"CHANGEWINDOW_RUN_AS": name}
    if not name:
        assert account_for_tickets(ours) == OURS
        return
    with pytest.raises(NoAccount, match="Nothing was started"):
        account_for_tickets(ours)
