"""Applies a saved plan of OpenTofu or Terraform, the approved one only; undo applies the previous configuration.

The ticket holds the SHA-256 of the saved plan. A plan with another one, or one that was made for another serial or
lineage of the state than the stored one, is refused. Before apply, the state is copied to
`<folder>/.changewindow/<change>-<step>.tfstate`, which only the worker's account may read; it is the last resort of a
person and stays there.

Undo plans and applies `undo`: the folder's configuration with the previous variables (and targets), or a folder with
the previous configuration and the same backend, such as a git worktree of the commit before. The gate proves that this
describes what there is: if its plan would change anything before apply, the change is refused. Undo refuses to touch
what the approved plan did not, because then somebody else has acted since, and to destroy what was there before;
afterwards a plan must find no difference. A plan that forgets, imports or moves is refused: no other brings that back.
A state that apply could not store, and has left in `errored.tfstate`, is stored first. A lock that this step's apply
has left behind is removed; no other is.

When the task dies or loses the step lock, the program is killed, and what a provider had asked for may still happen.
What it was to create and the state does not know then, undo names and fails: a person has to look whether it is there.
Both folders must be initialised. Secrets come from Airflow Connections of any type through `secrets`, as environment
variables such as TF_VAR_password; no connection type of its own is needed.
"""

import os
import socket
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field

from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.terraform.state_files import Version, content_of, why_unfit
from changewindow.systems.terraform.workspace import Workspace, account, as_options

EXAMPLE = {
    "name": "Roll out image v2.15.0",
    "kind": "terraform",
    "folder": "/opt/infrastructure/shop",
    "plan": "v2.15.0.plan",
    "plan_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "undo": {"variables": {"image_tag": "v2.14.3"}, "targets": ["module.myapp"]},
}
T = TypeVar("T")


class Previous(Model):
    """The previous configuration: its variables, its targets, and its folder if that is another one."""

    variables: dict[str, Any] = {}
    """Variables, as by `-var`. No secrets; those come by `secrets`."""
    targets: tuple[str, ...] = ()
    """The modules or resources to bring back; without them, all."""
    folder: str | None = Field(default=None, pattern="^/")
    """The folder of the previous configuration; without it, the one of the plan."""


class Step(StepBase):
    """A saved plan to apply, with the configuration that undoes it."""

    kind: Literal["terraform"] = "terraform"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it would run the providers and data sources of its configuration"
    folder: str = Field(pattern="^/")
    """The folder of the configuration on the worker, initialised."""
    plan: str = Field(min_length=1)
    """The file of the saved plan, from the folder."""
    plan_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """The SHA-256 of that file, as `sha256sum` prints it: what is approved."""
    previous: Previous = Field(alias="undo")
    """The previous configuration."""
    program: str | None = None
    """The program: `tofu`, `terraform`, or a path; without it, tofu if the worker has it, or else terraform."""
    workspace: str | None = None
    """The workspace of the configuration; without it, the one that is selected in the folder."""
    environment: dict[str, str] = {}
    """Environment variables for the program."""
    secrets: dict[str, ConnectionName] = {}
    """Environment variables whose value is the password of an Airflow Connection: NAME: connection."""

    def does(self) -> str:
        """Describe the plan."""
        return f"{self.program or 'tofu'} apply {self.plan} ({self.plan_sha256[:12]}) in {self.folder}"

    def undoes(self) -> str:
        """Describe the configuration that is applied instead."""
        options = " ".join(as_options(self.previous.variables, self.previous.targets))
        return f"{self.program or 'tofu'} apply {options} in {self.previous.folder or self.folder}".replace("  ", " ")

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return why the plan may not be applied, or why undo would not restore what there is."""
        workspace, before = self._workspace(context), self._before(context)
        stored = cache(workspace.version)
        unfit = self._unfit(content_of(self._plan_file()), stored) or workspace.changes(self._plan_file()).one_way
        missing = [*unfit, *self._unready(workspace, before, stored())]
        with context.temporary_folder() as folder:
            out = folder / "undo.plan"
            if not before.plan(out, self._options(), patience="0s"):
                return missing
            changed = ", ".join(before.changes(out).actions) or "outputs"
        problem = f"The configuration of undo does not describe what there is: it would change {changed} (see the log)."
        return [*missing, f"{problem} Correct `undo`, or bring the drift in order first."]

    def remember(self, context: Context) -> Memory:
        """Return which state there is, where its copy will lie, what the plan changes, and when and where it acts."""
        workspace = self._workspace(context)
        if unfit := self._unfit(content_of(self._plan_file()), stored := cache(workspace.version)):
            raise StepFailed(" ".join(unfit))
        changes = workspace.changes(self._plan_file())
        return {
            **asdict(stored()),
            "backup": self._backup(context),
            "changes": sorted(changes.actions),
            "creates": changes.doing("create"),
            "deletes": changes.doing("delete"),
            "who": f"{account()}@{socket.gethostname()}",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def apply(self, context: Context, remembered: Memory) -> None:
        """Copy the state, and apply the plan."""
        workspace = self._workspace(context)
        with context.temporary_folder() as folder:
            # What is applied is our copy, so that nobody can exchange it after it was looked at.
            plan, content = folder / "plan", content_of(self._plan_file())
            plan.touch(mode=0o600)
            plan.write_bytes(content)
            if unfit := self._unfit(content, workspace.version):
                raise StepFailed(" ".join(unfit))
            workspace.show(plan)
            workspace.back_up(remembered["backup"])
            workspace.apply(plan, _mark(remembered))

    def undo(self, context: Context, remembered: Memory) -> None:
        """Apply the previous configuration, and check that no difference is left."""
        before = self._before(context)
        self._store_what_apply_left(context, remembered)
        self._require_the_same_state(before, remembered)
        unknown = self._unknown(context, remembered)
        self._bring_back(context, before, remembered)
        if unknown:
            raise StepFailed(
                f"Apply was killed while it created {', '.join(unknown)}, and the state does not know whether it did. "
                f"All else is as before. Look for it and remove it, then remove {_mark(remembered)}, and undo again."
            )

    def _bring_back(self, context: Context, before: Workspace, remembered: Memory) -> None:
        with context.temporary_folder() as folder:
            out = folder / "undo.plan"
            if not self._past_our_lock(before, remembered, lambda: before.plan(out, self._options(), patience="5s")):
                context.log("nothing to undo: there is no difference from the previous configuration")
                return
            if why := before.changes(out).why_no_undo(remembered):
                advice = f"Agree with whoever owns it, then bring back by hand; {_kept(remembered)}"
                raise StepFailed(f"{why}. Nothing was changed. {advice}")
            before.apply(out)
            if not context.dry_run and before.plan(out, self._options(), patience="30s"):
                raise StepFailed(
                    "After undo there is still a difference from the previous configuration; it is in the log; "
                    f"{_kept(remembered)}"
                )

    def _unknown(self, context: Context, remembered: Memory) -> list[str]:
        """Return what a killed apply may have created without recording it in the state; once unknown, it stays so."""
        if not Path(_mark(remembered)).exists():
            return []
        unknown = self._workspace(context).missing_from_state(remembered["creates"])
        if not unknown:
            context.act("see that the state knows all that apply has created", Path(_mark(remembered)).unlink)
        return unknown

    def _store_what_apply_left(self, context: Context, remembered: Memory) -> None:
        """Store the state that apply could not store: without it, nobody knows what apply has done."""
        if not Path(self.folder).is_dir():
            return
        workspace = self._workspace(context)
        left = workspace.left()
        if left and left.serial > remembered["serial"] and remembered["lineage"] in {"", left.lineage}:
            self._require_the_same_state(workspace, remembered)
            self._past_our_lock(workspace, remembered, lambda: workspace.store(f"{remembered['backup']}.left"))

    def _require_the_same_state(self, workspace: Workspace, remembered: Memory) -> None:
        stored = workspace.version()
        if stored.lineage != remembered["lineage"] and remembered["serial"]:
            raise StepFailed(
                f"{workspace.folder} has another state than the one this step changed (lineage "
                f"{stored.lineage[:8] or 'none'}…, not {remembered['lineage'][:8]}…). Nothing was changed. Select the "
                f"previous workspace and backend there, and undo again; {_kept(remembered)}"
            )

    def _past_our_lock(self, workspace: Workspace, remembered: Memory, do: Callable[[], T]) -> T:
        """Do what takes the lock; one that the apply of this very step has left is removed first."""
        begun = datetime.fromisoformat(remembered["at"])
        return workspace.past_lock_of(remembered["who"], begun, begun + self.timeout, do=do)

    def _unready(self, workspace: Workspace, before: Workspace, stored: Version) -> list[str]:
        """Return why undo could not restore what there is, apart from what its plan says."""
        unmet, left = [], workspace.left()
        store = Path(self._backup(workspace.context)).parent
        holder = store if store.exists() else store.parent
        if not holder.is_dir() or not os.access(holder, os.W_OK | os.X_OK):
            unmet.append(f"The state cannot be copied into {store} before apply. Let the worker's account write there.")
        if left and left.lineage == stored.lineage and left.serial > stored.serial:
            push = f"{workspace.by_hand} state push {workspace.unstored.name}"
            unmet.append(
                f"An earlier apply could not store its state and has left it in {workspace.unstored}: what is stored "
                f"is not what there is. Compare them, then store it by `{push}`, or remove the file."
            )
        if before.folder != workspace.folder and before.version() != stored:
            problem = f"{before.folder}, where undo acts, has another state than {workspace.folder}"
            unmet.append(f"{problem}. Initialise it with the same backend, and select the same workspace.")
        return unmet

    def _unfit(self, content: bytes, stored: Callable[[], Version]) -> list[str]:
        """Return why the plan is not the approved one, or not for the state that is stored."""
        return why_unfit(content, self._plan_file(), approved=self.plan_sha256, stored=stored)

    def _backup(self, context: Context) -> str:
        return f"{self.folder}/.changewindow/{context.mark.replace('/', '-')}.tfstate"

    def _plan_file(self) -> Path:
        return Path(self.folder) / self.plan

    def _options(self) -> list[str]:
        return as_options(self.previous.variables, self.previous.targets)

    def _workspace(self, context: Context) -> Workspace:
        return self._in(context, self.folder)

    def _before(self, context: Context) -> Workspace:
        return self._in(context, self.previous.folder or self.folder)

    def _in(self, context: Context, folder: str) -> Workspace:
        if not Path(folder).is_dir():
            raise StepFailed(f"The worker has no folder {folder}, where the configuration should lie. Put it there.")
        secrets = {name: context.secret(connection) for name, connection in self.secrets.items()}
        chosen = {"TF_WORKSPACE": self.workspace} if self.workspace else {}
        return Workspace(context, folder, self.program, {**self.environment, **chosen, **secrets})


def _mark(remembered: Memory) -> str:
    return f"{remembered['backup']}.applying"


def _kept(remembered: Memory) -> str:
    return f"the previous state is {remembered['backup']} on {remembered['who'].rpartition('@')[2]}."
