"""Where messages go, who is called how, and who may decide there. A mistake in the file stops no change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from changewindow.documents.model_file import Read, read_model
from changewindow.documents.types import ROOM, MailAddress, Model, Name, Person
from changewindow.kinds import AnyKind
from changewindow.notify.base import ChannelBase
from changewindow.ticket.window import Zone

FILE = "messages.yaml"
AnyChannel = Annotated[ChannelBase, AnyKind("notify", "Channel")]
RoomName = Annotated[str, Field(pattern=ROOM)]


class Known(Model):
    """What a person is called elsewhere, by the name of a kind of channel."""

    slack: str = Field(default="", pattern=r"^([UW][A-Z0-9]{2,30})?$")
    """Their Slack user id (Profile, Copy member ID): only by it does a click in Slack count as theirs."""
    email: MailAddress | None = None
    """Their address: mails that call them go there, too. Nobody decides by it."""


class RoomRules(Model):
    """Where the messages of a room go, and how they read there."""

    zone: Zone = "UTC"
    """IANA time zone that is shown beside UTC."""
    to: tuple[AnyChannel, ...] = ()
    """The channels; without any, the Slack channel of that name if there is a Slack connection, else the task log."""
    templates: Name | None = None
    """The folder below `messages` of the templates whose files replace those of all rooms."""
    otherwise: RoomName | None = None
    """Where its messages go while this room is archived, or closed to us."""
    buttons: bool = True
    """Whether there are buttons to decide with, once `changewindow slack` runs."""


class Messages(Model):
    """What messages.yaml says."""

    people: dict[Person, Known] = {}
    """How people are called elsewhere, by their user names in Airflow."""
    rooms: dict[RoomName, RoomRules] = {}
    """Rooms that differ from the usual."""

    @field_validator("people", "rooms", mode="before")
    @classmethod
    def _may_be_empty(cls, value: Any) -> Any:
        """Take the file as it is shipped: with nothing but comments below the names."""
        return {} if value is None else value

    def rules(self, room: str) -> RoomRules:
        """Return the rules of a room."""
        return self.rooms.get(room, RoomRules())

    def ids(self, kind: str) -> Mapping[str, str]:
        """Return what people are called in a kind of channel, by their user names."""
        names = {person: str(getattr(known, kind, None) or "") for person, known in self.people.items()}
        return {person: name for person, name in names.items() if name}


def load_messages(folder: Path) -> Read[Messages]:
    """Return what messages.yaml of a policy says, nothing where there is no such file, or what is wrong with it."""
    path = folder / FILE
    return read_model(path, Messages) if path.exists() else Read(Messages())
