"""The contract of a silence: what it covers, and how a product opens, renews and ends it."""

from typing import ClassVar

from pydantic import ConfigDict

from changewindow.documents.types import ConnectionName, Model
from changewindow.kinds import explain_kind
from changewindow.systems.alert_labels import Selection
from changewindow.systems.measurement import SourceContext
from changewindow.systems.silence import Held, Term


class SilenceBase(Model):
    """Alerts of which nobody is told while the change runs; nothing here renews, or knows of the change's life."""

    model_config = ConfigDict(json_schema_extra=explain_kind)

    used_as: ClassVar[str] = "silence"
    """What connections.yaml calls all of these kinds: who may ask a product may not silence it for that."""
    connection: ConnectionName
    """The Airflow Connection with the address of the product, and a token that may silence."""

    def description(self) -> str:
        """Return what is silenced, as text for the plan."""
        raise NotImplementedError

    def covers(self) -> tuple[Selection, ...]:
        """Return which alerts or incidents it may keep from people; at least all that it does."""
        raise NotImplementedError

    async def held(self, context: SourceContext, term: Term) -> list[Held]:
        """Return what the product has under the term's mark: all that is not over, and of the rest what it still lists.

        Raises:
            SourceError: it does not say.
        """
        raise NotImplementedError

    async def open(self, context: SourceContext, term: Term) -> str:
        """Silence until the end of the term, and return what the product calls it.

        Raises:
            SourceError: it did not, or nobody knows.
        """
        raise NotImplementedError

    async def renew(self, context: SourceContext, term: Term, held: Held) -> str:
        """Let a silence that is not over end with the term; return what the product calls it from now on.

        Raises:
            SourceError: it did not, or nobody knows.
        """
        raise NotImplementedError

    async def end(self, context: SourceContext, held: Held) -> None:
        """End a silence that is not over now, and keep no other one from people.

        Raises:
            SourceError: it did not, or nobody knows.
        """
        raise NotImplementedError
