"""Runs a program with its arguments; undo runs the program the ticket gives for it.

No shell takes part unless the ticket asks for one with `shell:`. The program must end with exit code 0. Its output goes
to the task log. When the task dies or is revoked, the program is killed with everything it started. Passwords come from
Airflow Connections through `secrets` and are visible to the program as environment variables only. Of the worker's
variables it gets PATH, language, proxies and certificate authorities, and a home of its own; where the operator of the
worker has named an account in CHANGEWINDOW_RUN_AS, it runs as that one, else as Airflow does.
"""

from typing import ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.place import Sort
from changewindow.systems.process.command import Program, arguments_of, line_of

MISSING = (1, 127)
"""The exit codes of a shell that finds no program."""
EXAMPLE = {
    "name": "Write the marker",
    "kind": "command",
    "run": ["touch", "/tmp/changewindow-example"],
    "undo": ["rm", "-f", "/tmp/changewindow-example"],
}


class Step(StepBase):
    """A program to run, with the program that undoes it."""

    kind: Literal["command"] = "command"
    why_not_before_approval: ClassVar[str] = "it would start a program in the environment that the step gives"
    acts_on: ClassVar[Sort] = "host"
    run: Program
    """The program and its arguments, as a list; or `shell: "…"`."""
    undo_run: Program | Literal["nothing"] = Field(alias="undo")
    """The program that undoes it; `nothing` when the program only reads."""
    environment: dict[str, str] = {}
    """Environment variables for both programs."""
    secrets: dict[str, ConnectionName] = {}
    """Environment variables whose value is the password of an Airflow Connection: NAME: connection."""

    def does(self) -> str:
        """Describe the command line."""
        return line_of(self.run)

    def undoes(self) -> str:
        """Describe the command line of undo."""
        return "nothing to undo" if self.undo_run == "nothing" else line_of(self.undo_run)

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return whether a secret is missing, or the program of undo."""
        self._secrets(context)
        name = "true" if self.undo_run == "nothing" else arguments_of(self.undo_run)[0]
        find = ["/bin/sh", "-c", 'command -v "$0"', name]
        if context.look(find, environment=self.environment, quiet=True, answers=MISSING, of_ticket=True).code == 0:
            return []
        advice = "Install it there, or write it as `shell:` if an earlier step brings it."
        return [f"the worker has no program {name}, which undo needs. {advice}"]

    def apply(self, context: Context, remembered: Memory) -> None:
        """Run the program."""
        self._run(context, self.run)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Run the program that undoes it."""
        if self.undo_run == "nothing":
            context.log("nothing to undo: the ticket says that the program only reads")
        else:
            self._run(context, self.undo_run)

    def _run(self, context: Context, program: Program) -> None:
        variables = {**self.environment, **self._secrets(context)}
        ran = context.run(arguments_of(program), environment=variables, of_ticket=True)
        if ran.code:
            raise StepFailed(f"'{line_of(program)}' ended with exit code {ran.code}; its output is in the log.")

    def _secrets(self, context: Context) -> dict[str, str]:
        return {name: context.secret(connection) for name, connection in self.secrets.items()}
