"""The contract of a source: ask for one value."""

from typing import ClassVar

from pydantic import ConfigDict

from changewindow.documents.types import Model
from changewindow.kinds import UNDECLARED, explain_kind
from changewindow.systems.alert_labels import Selection
from changewindow.systems.measurement import Answer, SourceContext


class SourceBase(Model):
    """Something that can be measured; a source never decides whether a value is good."""

    model_config = ConfigDict(json_schema_extra=explain_kind)

    is_about_the_asker: ClassVar[bool] = False
    """Whether the answer depends on `context.change` or `context.since`, so that other changes cannot share it."""
    why_not_before_approval: ClassVar[str] = UNDECLARED
    """Why `ask` waits for the approval; empty for a kind that starts no program there, and runs no statement, template
    or repository content of the ticket's choosing."""

    def description(self) -> str:
        """Return what is asked, as text for the plan."""
        raise NotImplementedError

    def counts(self) -> tuple[Selection, ...]:
        """Return which alerts or incidents it may count: a change that judges by them may not silence them."""
        return ()

    def unseen(self) -> str:
        """Return what of it may count alerts though `counts` cannot see that, as text for a warning."""
        return ""

    async def ask(self, context: SourceContext) -> Answer:
        """Return the value of now.

        Raises:
            SourceError: there is no value.
        """
        raise NotImplementedError
