"""The contract of a step: remember what undo needs, apply, undo."""

from datetime import timedelta
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from changewindow.documents.text import in_words
from changewindow.documents.types import Duration, Model
from changewindow.errors import ChangeError
from changewindow.kinds import UNDECLARED, explain_kind
from changewindow.systems.context import Context
from changewindow.systems.place import Sort

Memory = dict[str, Any]
"""What undo will need: small, JSON, and free of secrets."""


class StepBase(Model):
    """One action on the world; the defaults here are harmless."""

    model_config = ConfigDict(json_schema_extra=explain_kind)

    safe_to_repeat: ClassVar[bool] = False
    """Whether `apply` may run a second time after it died half-way."""
    is_configuration: ClassVar[bool] = False
    """Whether it changes configuration, whose least risk the policy says."""
    why_not_before_approval: ClassVar[str] = UNDECLARED
    """Why `remember`, a dry `apply` and `missing_prerequisites` wait for the approval; empty for a kind that starts no
    program there, and runs no statement, template or repository content of the ticket's choosing."""

    acts_on: ClassVar[Sort] = ""
    """What stands behind its `connection`, if it acts there alone; a host without one is the worker."""

    name: str = Field(min_length=1)
    """What the step does, in a few words."""
    timeout: Duration = timedelta(minutes=5)
    """How long apply may take, and undo as well."""
    undo_retries: int = Field(default=2, ge=0, le=10)
    """How often undo is tried again when it fails: after 5 s, and each time after twice as long."""

    def does(self) -> str:
        """Describe what apply does, for the plan."""
        raise NotImplementedError

    def undoes(self) -> str:
        """Describe what undo does, for the plan and the message before the change."""
        raise NotImplementedError

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what is missing for apply or undo to work, each with what to do; asked at the gate. Only reads.

        Not for what an earlier step of the same change may still bring about.

        Raises:
            StepFailed: it cannot be determined, which counts as missing.
        """
        return []

    def remember(self, context: Context) -> Memory:
        """Read what undo will need; stored before `apply` starts. Only reads.

        Raises:
            StepFailed: what undo needs cannot be read; the step will not be applied.
        """
        return {}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Act.

        Raises:
            StepFailed: it did not work; the change will be rolled back.
        """
        raise NotImplementedError

    def undo(self, context: Context, remembered: Memory) -> None:
        """Undo what `apply` did, all or half of it; may be called twice.

        Raises:
            StepFailed: it did not work; a person is called.
        """
        raise NotImplementedError

    def restored(self, remembered: Memory) -> str:
        """Return the value that undo has gone back to, for people; where none is remembered, what undo has done.

        Empty where there was nothing to undo.
        """
        if "before" not in remembered:
            undone = " ".join(self.undoes().split())
            return "" if undone == "nothing to undo" else f"what its undo leaves: {undone}"
        before = remembered["before"]
        if isinstance(before, str):
            return before
        return "nothing, as before" if before is None else in_words(before)


def missing_prerequisites(step: StepBase, context: Context) -> list[str]:
    """Return what is missing for a step to be applied and undone; what cannot be determined counts as missing."""
    try:
        return step.missing_prerequisites(context)
    except ChangeError as error:
        return [str(error)]
