"""What the payloads of all events have in common."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, PlainSerializer

from changewindow.ledger.event_kinds import EventKind

Moment = Annotated[datetime, PlainSerializer(datetime.isoformat)]


class Payload(BaseModel):
    """What an event says besides the change, the moment, and who did it.

    A field that came after the first version has a default, so that older rows can be read. A field whose meaning
    changes raises the version of its kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[EventKind]

    version: int = 1
    run: str = ""
    """The run that wrote it; empty where a person, or housekeeping, did."""
    is_dry: bool = False
    """Whether that was a dry run, which says nothing of where the change stands."""

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON, without the fields that nobody has set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True)
class Unknown:
    """An event that this version cannot read: a later version wrote it."""

    kind: str
    data: dict[str, Any]
    """What the event says, as it was stored."""
