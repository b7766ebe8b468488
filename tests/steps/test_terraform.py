"""The step terraform, with OpenTofu or Terraform, on states in files and behind a server that locks."""

import hashlib
import io
import json
import os
import pwd
import re
import shutil
import signal
import socket
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.errors import LockRevoked, StepFailed
from changewindow.steps.base import Memory
from changewindow.steps.terraform import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from servers.terraform_state import States, serving
from step_fixtures.terraform import PASSWORD, run, stack, step, values

OPERATION = "OperationTypeApply"
THEIRS = {
    "ID": "11-22",
    "Operation": OPERATION,
    "Info": "",
    "Who": "alice@laptop",
    "Version": "1.12.6",
    "Created": "2031-03-18T14:00:00.5Z",
    "Path": "",
}
MORE = """
resource "terraform_data" "made" {
  provisioner "local-exec" { command = "echo $$ > pid && exec sleep 1000" }
}
"""
SLOW = """
resource "terraform_data" "slow" {
  triggers_replace = var.image_tag
  provisioner "local-exec" { command = var.image_tag == "v2.15.0" ? "echo $$ > pid && exec sleep 1000" : "true" }
}
"""


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


@pytest.fixture
def here(logged: list[str]) -> Context:
    """Return what a step may use."""
    return Context("CHG-1", 1, lambda name: Connection(name, "generic", password=PASSWORD), logged.append)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a configuration that was applied."""
    return stack(tmp_path / "shop")


def made(folder: Path, called: str = "", **changed: Any) -> Step:
    """Return the step that applies image v2.15.0."""
    fields = {**step(folder, called=called), **changed}
    return Step.model_validate({key: value for key, value in fields.items() if key != "kind"})


def applied(example: Step, context: Context) -> Memory:
    """Apply a step; return what it remembered."""
    remembered: Memory = json.loads(json.dumps(example.remember(context)))
    example.apply(context, remembered)
    return remembered


def test_a_plan_that_was_not_approved_is_refused(shop: Path, here: Context) -> None:
    """At the gate, before it is remembered, and when it was exchanged after that."""
    example = made(shop)
    remembered = example.remember(here)
    run(shop, "plan", "-input=false", "-var=image_tag=v3", f"-out={example.plan}")
    missing = example.missing_prerequisites(here)
    assert len(missing) == 1
    assert missing[0].endswith(
        f"but {example.plan_sha256[:12]}… was approved. Put the approved plan there, or ask again with this one."
    )
    for refused in (lambda: example.remember(here), lambda: example.apply(here, remembered)):
        with pytest.raises(StepFailed, match="was approved"):
            refused()
    assert values(shop)[0]["app"] == {"value": "v2.14.3", "type": "string"}


def test_a_state_that_moved_on_is_refused(shop: Path, here: Context) -> None:
    """The plan was made for what is no longer there."""
    example = made(shop)
    remembered = example.remember(here)
    run(shop, "apply", "-input=false", "-auto-approve", "-var=image_tag=v3")
    assert "was made for serial " in example.missing_prerequisites(here)[0]
    with pytest.raises(
        StepFailed, match=r"serial \d of the state, which is at \d by now: somebody has changed it since\. Make"
    ):
        example.apply(here, remembered)


def test_another_state_is_refused(shop: Path, here: Context) -> None:
    """Its serial may be the same; its lineage is not."""
    example = made(shop)
    state = json.loads((shop / "terraform.tfstate").read_text())
    (shop / "terraform.tfstate").write_text(json.dumps({**state, "lineage": "ffffffff-0000"}))
    assert "was made for another state (lineage " in example.missing_prerequisites(here)[0]


def test_the_state_is_backed_up_where_nobody_else_reads_it(shop: Path, here: Context, logged: list[str]) -> None:
    """The copy is the state as it was; what is remembered and logged holds no secret."""
    before = json.loads(run(shop, "state", "pull"))
    remembered = applied(made(shop), here)
    copy = shop / ".changewindow/CHG-1-1.tfstate"
    assert (json.loads(copy.read_text()), copy.stat().st_mode & 0o777) == (before, 0o600)
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert (remembered["serial"], remembered["lineage"]) == (before["serial"], before["lineage"])
    assert remembered["changes"] == ["module.myapp.terraform_data.app"]
    assert [line for line in [*logged, json.dumps(remembered)] if PASSWORD in line] == []


def test_undo_that_does_not_describe_what_there_is_is_refused_at_the_gate(shop: Path, here: Context) -> None:
    """Whether the rollback would bring back what was is proven at the gate, by its plan."""
    (missing,) = made(shop, undo={"variables": {"image_tag": "v0"}}).missing_prerequisites(here)
    assert missing == (
        "The configuration of undo does not describe what there is: it would change module.myapp.terraform_data.app "
        "(see the log). Correct `undo`, or bring the drift in order first."
    )


def test_undo_leaves_what_somebody_else_has_done_since(shop: Path, here: Context) -> None:
    """It names what it would have changed, and where the previous state lies."""
    example = made(shop, undo={"variables": {"image_tag": "v2.14.3"}})
    remembered = applied(example, here)
    run(shop, "apply", "-input=false", "-auto-approve", "-var=image_tag=v2.15.0", "-var=password=theirs")
    before = values(shop)
    with pytest.raises(StepFailed, match=r"would also change terraform_data\.other, which the approved plan did not"):
        example.undo(here, remembered)
    assert values(shop) == before


def test_the_holder_of_a_lock_is_named(tmp_path: Path, here: Context) -> None:
    """At the gate and in undo; their lock is left alone, also one of this very host that is older than the step."""
    with serving(States()) as states:
        shop = stack(tmp_path / "shop", backend=states.backend)
        example = made(shop)
        remembered = applied(example, here)
        for other in ({}, {"Who": f"root@{socket.gethostname()}", "Created": "2001-03-18T14:00:00.5Z"}):
            states.lock = {**THEIRS, **other}
            with pytest.raises(StepFailed) as raised:
                example.undo(here, remembered)
            year, lock = states.lock["Created"][:4], f"{OPERATION}, lock 11-22"
            assert str(raised.value) == (
                f"The state has been locked by {states.lock['Who']} since {year}-03-18 14:00:00.5 +0000 UTC ({lock}). "
                "Wait until they are done. Only if you are certain that they are gone: "
                f"`{example.program} -chdir={shop} force-unlock 11-22` on the worker."
            )
            assert states.lock == {**THEIRS, **other}


def test_the_lock_of_our_own_killed_apply_is_removed(tmp_path: Path, here: Context) -> None:
    """It lost its turn in the middle; undo finds its lock, and nobody else acting."""
    with serving(States()) as states:
        shop = stack(tmp_path / "shop", backend=states.backend + SLOW)
        example = made(shop, undo={"variables": {"image_tag": "v2.14.3"}})
        remembered = example.remember(here)
        kill_apply(example, here, remembered)
        assert states.lock
        with pytest.raises(ProcessLookupError):
            os.kill(int((shop / "pid").read_text()), signal.SIG_DFL)
        example.undo(Context("CHG-1", 1, here.connections, here.log), remembered)
        assert states.lock == {}
        assert values(shop)[0]["app"]["value"] == "v2.14.3"


def kill_apply(example: Step, context: Context, remembered: Memory) -> None:
    """Let apply lose its turn when it has written a pid."""
    pid = Path(example.folder) / "pid"

    def apply() -> None:
        with pytest.raises(LockRevoked):
            example.apply(context, remembered)

    acting = threading.Thread(target=apply)
    acting.start()
    wait_for(lambda: bool(pid.exists() and pid.read_text()), "apply to begin", 20, 0.02)
    context.stop()
    acting.join(10)


def test_what_a_killed_apply_may_have_created_is_not_taken_for_undone(tmp_path: Path, here: Context) -> None:
    """No state knows of it; undo brings back the rest, says what to look for, and is content when a person has."""
    with serving(States()) as states:
        old = stack(tmp_path / "old", backend=states.backend)
        new = Path(shutil.copytree(old, tmp_path / "new"))
        (new / "more.tf").write_text(MORE)
        example = made(new, undo={"folder": str(old)})
        remembered = example.remember(here)
        kill_apply(example, here, remembered)
        for _ in range(2):
            with pytest.raises(
                StepFailed, match=r"killed while it created terraform_data\.made, and the state does not"
            ):
                example.undo(Context("CHG-1", 1, here.connections, here.log), remembered)
            assert values(old)[0]["app"]["value"] == "v2.14.3"
        Path(f"{remembered['backup']}.applying").unlink()
        example.undo(Context("CHG-1", 1, here.connections, here.log), remembered)


def test_a_state_that_apply_could_not_store_is_stored_before_undo(tmp_path: Path, here: Context) -> None:
    """Its server broke down: without that state, undo would find nothing to undo. It can be undone twice."""
    with serving(States()) as states:
        shop = stack(tmp_path / "shop", backend=states.backend)
        example = made(shop, undo={"variables": {"image_tag": "v2.14.3"}})
        remembered = example.remember(here)
        states.is_broken = True
        with pytest.raises(StepFailed, match="Failed to persist state to backend"):
            example.apply(here, remembered)
        with pytest.raises(StepFailed, match=r"force-unlock in .* failed"):
            example.undo(here, remembered)
        states.is_broken = False
        for _ in range(2):
            example.undo(here, remembered)
        assert (states.lock, values(shop)[0]["app"]["value"]) == ({}, "v2.14.3")
        assert json.loads(states.state)["serial"] > json.loads(kept(shop).read_text())["serial"] > remembered["serial"]
        assert not (shop / "errored.tfstate").exists()


def kept(folder: Path) -> Path:
    """Return where undo keeps the state that apply could not store."""
    return folder / ".changewindow/CHG-1-1.tfstate.left"


def test_a_state_that_was_never_stored_is_refused_at_the_gate(shop: Path, here: Context) -> None:
    """An earlier apply has left it: what is stored is not what there is. Older ones and those of others do no harm."""
    example, file = made(shop), shop / "errored.tfstate"
    stored = json.loads((shop / "terraform.tfstate").read_text())
    for harmless in ({}, {"serial": 99, "lineage": "ffffffff-0000"}):
        file.write_text(json.dumps({**stored, **harmless}))
        assert example.missing_prerequisites(here) == []
    file.write_text(json.dumps({**stored, "serial": 99}))
    (missing,) = example.missing_prerequisites(here)
    assert missing == (
        f"An earlier apply could not store its state and has left it in {file}: what is stored is not what there is. "
        f"Compare them, then store it by `{example.program} -chdir={shop} state push errored.tfstate`, or remove the "
        "file."
    )
    file.write_text("half a sta")
    with pytest.raises(StepFailed, match=r"errored\.tfstate, which an apply left .*, cannot be read: Expecting value"):
        example.missing_prerequisites(here)


def test_undo_never_acts_on_another_state(shop: Path, here: Context) -> None:
    """Somebody selects another workspace in the folder, where nothing differs from the configuration of before."""
    run(shop, "workspace", "new", "other")
    run(shop, "apply", "-auto-approve", "-input=false")
    run(shop, "workspace", "select", "default")
    example = made(shop)
    remembered = applied(example, here)
    run(shop, "workspace", "select", "other")
    with pytest.raises(StepFailed) as raised:
        example.undo(here, remembered)
    theirs = json.loads(run(shop, "state", "pull"))["lineage"]
    assert str(raised.value) == (
        f"{shop} has another state than the one this step changed (lineage {theirs[:8]}…, not "
        f"{remembered['lineage'][:8]}…). Nothing was changed. Select the previous workspace and backend there, "
        f"and undo again; the previous state is {remembered['backup']} on {socket.gethostname()}."
    )
    run(shop, "workspace", "select", "default")
    example.undo(here, remembered)
    assert values(shop)[0]["app"]["value"] == "v2.14.3"


def test_undo_from_a_folder_with_another_state_is_refused_at_the_gate(
    shop: Path, here: Context, tmp_path: Path
) -> None:
    """It looks as the one of the plan does, but nothing there would take back what the plan does."""
    other = stack(tmp_path / "other")
    example = made(shop, undo={"folder": str(other), "variables": {"image_tag": "v2.14.3"}})
    (missing,) = example.missing_prerequisites(here)
    assert missing == (
        f"{other}, where undo acts, has another state than {shop}. Initialise it with the same backend, and select the "
        "same workspace."
    )


def test_undo_may_come_from_another_folder(tmp_path: Path, here: Context) -> None:
    """The previous configuration, on the same state: what the new one added is removed again."""
    with serving(States()) as states:
        old = stack(tmp_path / "old", backend=states.backend)
        new = tmp_path / "new"
        shutil.copytree(old, new)
        (new / "more.tf").write_text('resource "terraform_data" "more" { input = "x" }\n')
        before = values(old)
        example = made(new, undo={"folder": str(old)})
        assert example.missing_prerequisites(here) == []
        remembered = applied(example, here)
        assert "more" in values(old)[0]
        example.undo(here, remembered)
        assert values(old) == before


def test_what_is_not_there_is_told(shop: Path, here: Context, tmp_path: Path) -> None:
    """A program, a folder, a plan, something that is no plan, and a folder that nobody initialised."""
    example = made(shop)
    bare = tmp_path / "not initialised"
    bare.mkdir()
    for name in ("main.tf", example.plan):
        shutil.copy(shop / name, bare / name)
    (bare / "main.tf").write_text('terraform {\n  backend "local" { path = "x" }\n}\n' + (shop / "main.tf").read_text())
    (shop / "garbage").write_text("no plan")
    garbage = "c61a4fd60b2cb53f5b8e3ce2a1a7e0b2b8a8dfca8f15ed6bdfd1a1dd0ebcd6e1"
    for fields, message in (
        ({"program": "frobnicate"}, "The worker has no program frobnicate. Install it on every worker."),
        (
            {"folder": "/nowhere"},
            "The worker has no folder /nowhere, where the configuration should lie. Put it there.",
        ),
        ({"plan": "none"}, f"The saved plan {shop}/none cannot be read on the worker: No such file or directory."),
        ({"folder": str(bare)}, f"{bare} is not initialised. Run `{example.program} -chdir='{bare}' init` there."),
    ):
        with pytest.raises(StepFailed) as raised:
            changed(example, **fields).remember(here)
        assert str(raised.value).startswith(message)
    assert "garbage has the SHA-256" in made(shop, plan="garbage", plan_sha256=garbage).missing_prerequisites(here)[0]


def test_a_plan_of_another_version_is_refused_at_the_gate(shop: Path, here: Context) -> None:
    """The program of the worker is the one that has to read it."""
    example, repacked = made(shop), io.BytesIO()
    with zipfile.ZipFile(shop / example.plan) as old, zipfile.ZipFile(repacked, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, re.sub(rb"1(\.\d+\.\d+)", rb"0\1", content) if name == "tfplan" else content)
    (shop / example.plan).write_bytes(repacked.getvalue())
    other = changed(example, plan_sha256=hashlib.sha256(repacked.getvalue()).hexdigest())
    with pytest.raises(StepFailed, match=r"^The saved plan was made by version 0\.\S+, and the worker has 1\.\S+ of /"):
        other.missing_prerequisites(here)


def changed(example: Step, **fields: Any) -> Step:
    """Return a step with other fields."""
    return Step.model_validate({**json.loads(example.model_dump_json(by_alias=True)), **fields})


def test_a_state_that_cannot_be_copied_is_refused_at_the_gate(shop: Path, here: Context) -> None:
    """Apply would refuse to act without its copy."""
    example = made(shop)
    (shop / ".changewindow").write_text("a file")
    message = (
        f"The state cannot be copied into {shop}/.changewindow before apply. Let the worker's account write there."
    )
    assert example.missing_prerequisites(here) == [message]
    with pytest.raises(StepFailed, match=r"state pull > /.*\.tfstate in .* failed: exit code"):
        example.apply(here, example.remember(here))


def test_a_program_that_prints_something_else_before_the_state(shop: Path, here: Context, tmp_path: Path) -> None:
    """Such as a warning of its settings; what it printed of the state is not told."""
    example = made(shop)
    for line, text in (("Warning: no settings", ": Warning: no settings"), ('{"password": "s3cret"}', "")):
        talking = tmp_path / "talking"
        talking.write_text(f"#!/bin/sh\necho '{line}'\nexec {example.program} \"$@\"\n")
        talking.chmod(0o755)
        with pytest.raises(StepFailed) as raised:
            changed(example, program=str(talking)).remember(here)
        assert str(raised.value) == (
            f"{talking} state in {shop} printed no JSON{text}. Run it by hand on the worker, and correct its settings."
        )


def test_locks_name_the_account_of_the_process(shop: Path, here: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the one that the environment tells, so that the lock of our own killed apply is known again."""
    monkeypatch.setenv("LOGNAME", "somebody")
    assert made(shop).remember(here)["who"] == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")
def test_terraform_does_as_opentofu_does(here: Context, tmp_path: Path) -> None:
    """Its messages have other words here and there; what is done is the same."""
    other = stack(tmp_path / "other", called="terraform")
    example = made(other, called="terraform")
    before = values(other)
    assert example.program == "terraform"
    assert example.missing_prerequisites(here) == []
    remembered = applied(example, here)
    assert values(other) != before
    example.undo(here, remembered)
    assert values(other) == before
