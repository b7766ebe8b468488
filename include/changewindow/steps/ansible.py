"""Runs an Ansible playbook on the hosts of an inventory; undo runs the playbook the ticket gives for it.

The playbooks lie in a folder of the worker; with `commit`, that has to be a git checkout of this commit without edits,
so that what runs is what was approved. The log shows each host's result; a host that fails or is not reached fails the
step, and so does a playbook that finds no host. Undo acts on all hosts of its playbook, whatever apply reached.

A dry run lets Ansible show what it would change (`--check --diff`). Tasks that say `check_mode: false` run all the
same.

The Airflow Connection, if one is named, is of type SSH, see `ssh_command`: login, port, password and key count for all
hosts whose inventory does not say otherwise; host_key counts for the connection's own host, and the keys of the others
must be known to the worker. Passwords for `secrets` and `vault` come from connections of any type.

When the task dies or loses the step lock, Ansible is killed on the worker. A module that a host is executing in that
moment ends by itself: the host is not told.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.ansible import Playbooks, Result
from changewindow.systems.context import Context

EXAMPLE = {
    "name": "Raise the idle connections of the pool",
    "kind": "ansible",
    "project": "/opt/ansible",
    "inventory": "inventory/production.yml",
    "limit": "app",
    "playbook": "pool.yml",
    "variables": {"max_idle": 10},
    "undo": {"playbook": "pool.yml", "variables": {"max_idle": 1}},
    "connection": "ansible_ssh",
}


class Play(Model):
    """A playbook in the project, and the variables it gets (as by `--extra-vars`)."""

    playbook: str = Field(pattern=r"^[^-/\n][^\n]*$")
    """The playbook's file, from the project."""
    variables: dict[str, Any] = {}
    """Its variables; they win over all others."""


class Step(StepBase, Play):
    """A playbook to run, with the playbook that undoes it."""

    kind: Literal["ansible"] = "ansible"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it would run the inventory and the playbooks of its project"

    project: str = Field(pattern="^/")
    """The folder of the worker with playbooks, roles and, if there is one, ansible.cfg."""
    commit: str | None = Field(default=None, pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """The commit that was approved; the project must be its checkout, without edits."""
    inventory: str | dict[str, Any]
    """The inventory: a path from the project, or what would stand in the file, such as `all: {hosts: …}`."""
    limit: str | None = Field(default=None, min_length=1)
    """The hosts or groups of the inventory to act on; without it, all that the playbook names."""
    undo_play: Play | Literal["nothing"] = Field(alias="undo")
    """The playbook that undoes it; `nothing` when the playbook only reads."""
    connection: ConnectionName | None = None
    """The Airflow Connection (SSH) with the account on the hosts."""
    secrets: dict[str, ConnectionName] = {}
    """Variables whose value is the password of an Airflow Connection, such as ansible_become_password: connection."""
    vault: ConnectionName | None = None
    """The Airflow Connection whose password opens the project's vault."""

    def does(self) -> str:
        """Describe the playbook and its hosts."""
        return f"ansible-playbook {self.playbook} {_assignments(self.variables)}on {self._where()}"

    def undoes(self) -> str:
        """Describe the playbook of undo."""
        if self.undo_play == "nothing":
            return "nothing to undo"
        return f"ansible-playbook {self.undo_play.playbook} {_assignments(self.undo_play.variables)}on {self._where()}"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what prevents either playbook from running on its hosts now."""
        missing = self._unapproved(context)
        playbooks = self._playbooks(context)
        wanted: set[str] = set()
        for play in [self] if self.undo_play == "nothing" else [self, self.undo_play]:
            hosts = playbooks.hosts(play.playbook, self._variables(context, play))
            wanted |= set(hosts)
            if not hosts:
                missing.append(f"The playbook {play.playbook} finds no host on {self._where()}. Correct one of them.")
        unusable = playbooks.unusable(sorted(wanted), self._variables(context, self)) if wanted else {}
        advice = "See that it is up and lets the account in, or leave it out by `limit`."
        return [
            *dict.fromkeys(missing),
            *(f"Ansible cannot work on {host}: {why}. {advice}" for host, why in unusable.items()),
        ]

    def remember(self, context: Context) -> Memory:
        """Return nothing; what undo needs stands in its playbook. Refuses a project that was not approved."""
        if unapproved := self._unapproved(context):
            raise StepFailed(" ".join(unapproved))
        return {}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Run the playbook."""
        self._run(context, self)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Run the playbook that undoes it."""
        if self.undo_play == "nothing":
            context.log("nothing to undo: the ticket says that the playbook only reads")
        else:
            self._run(context, self.undo_play)

    def _run(self, context: Context, play: Play) -> None:
        variables = self._variables(context, play)
        result = self._playbooks(context).run(play.playbook, variables)
        for line in result.lines():
            context.log(line)
        if problem := _problem(result, self._where()):
            for secret in self.secrets:
                problem = problem.replace(variables[secret], "***")
            raise StepFailed(f"The playbook {play.playbook} {problem} Its output is in the log.")

    def _variables(self, context: Context, play: Play) -> dict[str, Any]:
        return {**play.variables, **{name: context.secret(connection) for name, connection in self.secrets.items()}}

    def _playbooks(self, context: Context) -> Playbooks:
        project = Path(self.project)
        if not project.is_dir():
            raise StepFailed(f"The worker has no folder {project}, where the playbooks should lie. Put them there.")
        return Playbooks(context, project, self.inventory, self.limit, connection=self.connection, vault=self.vault)

    def _where(self) -> str:
        inventory = self.inventory if isinstance(self.inventory, str) else "the ticket's inventory"
        return f"{self.limit} of {inventory}" if self.limit else inventory

    def _unapproved(self, context: Context) -> list[str]:
        """Return how the project differs from the commit that was approved."""
        if not self.commit:
            return []
        git = ["git", "-C", self.project, "-c", f"safe.directory={self.project}"]
        ran = context.look([*git, "rev-parse", "HEAD"], quiet=True)
        if ran.code or ran.output.strip() != self.commit:
            state = "no git checkout" if ran.code else f"at {ran.output.strip()[:12]}"
            return [f"{self.project} is {state}; {self.commit[:12]} was approved. Check that out, or ask again."]
        edits = context.look([*git, "status", "--porcelain", "--untracked-files=all"], quiet=True)
        files = ", ".join(line[3:] for line in edits.output.splitlines())
        return [f"{self.project} has edits that nobody approved: {files}. Revert them."] if files else []


def _assignments(variables: Mapping[str, Any]) -> str:
    return "".join(f"{name}={value} " for name, value in variables.items())


def _problem(result: Result, where: str) -> str:
    """Return what went wrong, or an empty text."""
    if not result.hosts:
        return f"did nothing: it found no host on {where}."
    parts = [f"failed on {host} ({why})" for host, why in result.failed.items()]
    parts += [f"did not reach {host} ({why})" for host, why in result.unreachable.items()]
    good = len(result.hosts) - len({*result.failed, *result.unreachable})
    return f"{'; '.join(parts)}. {good} of {len(result.hosts)} hosts are good." if parts else ""
