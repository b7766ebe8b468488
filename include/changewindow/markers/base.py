"""The contract of a marker: tell another tool that a change of ours began, is rolled back, or ended."""

import hashlib
from asyncio import timeout
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from changewindow.documents.text import visible
from changewindow.documents.types import Duration, Model, Name, duration_text
from changewindow.kinds import explain_kind
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceContext, SourceError

MARKERS = "markers.yaml"
"""Where a policy lists its markers."""
LONGEST = 1000
"""Characters of a text that people have written."""
LISTED = 20
"""How many services are named."""
LONGEST_NAME = 90
"""Characters of their names: tags of Grafana have 100."""
WORDING = {
    "began": "began",
    "rolling_back": "is being rolled back",
    "completed": "is complete",
    "rolled_back": "was rolled back",
    "rollback_failed": "could not be rolled back, and needs somebody now",
}
"""What a title says of a moment, or of an outcome; of any other outcome, that nothing was touched."""


@dataclass(frozen=True)
class Moment:
    """A moment in the life of a change, without secrets."""

    kind: Literal["began", "rolling_back", "ended"]
    change: str
    """The id of the change, such as `CHG-1042`."""
    run: str
    summary: str
    services: tuple[str, ...]
    environment: str
    at: datetime
    began: datetime
    """When the run began to act."""
    outcome: str = ""
    """How it ended, once it has."""
    reason: str = ""

    @property
    def id(self) -> str:
        """Return what is the same for this moment whenever another tool is told of it, and for no other one.

        An end that turns out to be another one is another moment: a receiver that leaves out what it knows reads it.
        """
        return hashlib.sha256(f"{self.change}\n{self.run}\n{self.kind}\n{self.outcome}".encode()).hexdigest()[:32]

    @property
    def has_ended(self) -> bool:
        """Return whether the run acts no more."""
        return self.kind == "ended"

    @property
    def state(self) -> str:
        """Return the outcome, or `running`."""
        return self.outcome or "running"

    @property
    def head(self) -> str:
        """Return what happens to the change."""
        otherwise = f"was {self.outcome}; nothing was touched"
        return f"{self.change} {WORDING.get(self.outcome or self.kind, otherwise)}"

    @property
    def title(self) -> str:
        """Return the same with what the change is about, on one line."""
        return f"{self.head}: {bounded(' '.join(self.summary.split()))}"

    @property
    def why(self) -> str:
        """Return the reason, not too long; empty where there is none."""
        return bounded(self.reason)

    @property
    def tags(self) -> tuple[str, ...]:
        """Return what the moment is found by, each as `name:value`."""
        services = tuple(f"service:{name}" for name in self._listed)
        return (f"change:{self.change}", *services, f"environment:{self._environment}", f"outcome:{self.state}")

    def facts(self) -> dict[str, Any]:
        """Return what is known of it, as JSON of a few kilobytes."""
        left_out = len(self.services) - len(self._listed)
        return {
            "change": self.change,
            "run": bounded(self.run),
            "summary": bounded(self.summary),
            "services": list(self._listed),
            **({"services_left_out": left_out} if left_out else {}),
            "environment": self._environment,
            "outcome": self.state,
            "reason": self.why,
            "began": self.began.isoformat(),
            **({"ended": self.at.isoformat()} if self.has_ended else {}),
        }

    @property
    def _listed(self) -> tuple[str, ...]:
        return tuple(name[:LONGEST_NAME] for name in self.services[:LISTED])

    @property
    def _environment(self) -> str:
        return self.environment[:LONGEST_NAME]


class MarkerBase(Model):
    """A tool that is told of our changes; whatever becomes of that, the change goes on."""

    model_config = ConfigDict(json_schema_extra=explain_kind)

    services: tuple[Name, ...] = ()
    """Only changes to one of these services are told of; without it, those to any."""
    environments: tuple[Name, ...] = ()
    """Only changes in one of these environments; without it, in any."""
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(seconds=15))] = timedelta(seconds=5)
    """How long it may take to tell."""

    def concerns(self, moment: Moment) -> bool:
        """Return whether the tool is to be told of a change."""
        has_service = not self.services or not set(self.services).isdisjoint(moment.services)
        return has_service and (not self.environments or moment.environment in self.environments)

    async def marked(self, context: SourceContext, moment: Moment) -> str | None:
        """Tell the tool in time; return what it calls that.

        Raises:
            SourceError, ChangeError: it does not know of it; the text says why, and what to do.
        """
        try:
            async with timeout(self.within.total_seconds()):
                return await self.mark(context, moment)
        except TimeoutError as error:
            late = f"no answer within {duration_text(self.within)}"
            raise SourceError("late", f"{late}. See why it is so slow, or raise the `within` of the marker.") from error

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Tell the tool of a moment; return what it calls that, if it says so.

        It may be told of the same moment twice, when the process that told it died before it could write that down:
        where the tool can know that by `moment.id`, or be asked, nothing stands there twice.

        Raises:
            SourceError, ChangeError: it does not know of it; the text says why, and what to do.
        """
        raise NotImplementedError


def api_of(context: SourceContext, connection: str, product: Product) -> Api:
    """Return the API of a product that is told of changes."""
    return Api(context, connection, product, written_in=f"{MARKERS}, or the connection '{connection}'")


def bounded(text: str, most: int = LONGEST) -> str:
    """Return a text in which nothing is unseen, not longer than that."""
    plain = visible(text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
