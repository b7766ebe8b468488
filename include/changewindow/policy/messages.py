"""Where messages go, who is called how, and who may decide there. A mistake in the file stops no change."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from changewindow.documents.findings import Finding
from changewindow.documents.model_file import Read, read_model
from changewindow.documents.types import ROOM, MailAddress, Model, Name, Person
from changewindow.errors import ApprovalRefused
from changewindow.kinds import AnyKind
from changewindow.notify.base import ChannelBase
from changewindow.policy.sign_off import same_person
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

    workspace: str = Field(default="", pattern=r"^([TE][A-Z0-9]{2,30})?$")
    """The id of the Slack workspace whose people may decide; without it, the one in which our app is installed."""
    approve_up_to: Literal["low", "medium", "high"] = "medium"
    """The highest risk that may be approved by a button; beyond it, Airflow's page is the place."""
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

    @property
    def connections(self) -> frozenset[str]:
        """Return the Airflow Connections that its channels name."""
        given = (getattr(channel, "connection", "") for rules in self.rooms.values() for channel in rules.to)
        return frozenset(name for name in given if name)

    def ids(self, kind: str) -> Mapping[str, str]:
        """Return what people are called in a kind of channel, by their user names."""
        names = {person: str(getattr(known, kind, None) or "") for person, known in self.people.items()}
        return {person: name for person, name in names.items() if name}

    def person_of(self, user: str) -> str:
        """Return the user name of a Slack user id.

        Raises:
            ApprovalRefused: it is nobody's, or more than one person's.
        """
        names = [person for person, known in self.people.items() if known.slack == user]
        if not names:
            raise ApprovalRefused(f"nobody in {FILE} has the Slack id {user}. Have it added below `people`.")
        if any(not same_person(name, names[0]) for name in names):
            raise ApprovalRefused(f"{' and '.join(sorted(names))} share the Slack id {user} in {FILE}")
        return names[0]

    def may_approve(self, risk: str) -> bool:
        """Return whether a change of this risk may be approved by a button."""
        return risk in RISKS[: RISKS.index(self.approve_up_to) + 1]


RISKS = ("low", "medium", "high")


def named(given: tuple[ChannelBase, ...]) -> dict[str, ChannelBase]:
    """Return channels by their kinds; the second one of a kind has a number."""
    names: dict[str, ChannelBase] = {}
    for channel in given:
        same = sum(name.partition(" ")[0] == channel.kind for name in names)
        names[f"{channel.kind} {same + 1}" if same else channel.kind] = channel
    return names


def load_messages(folder: Path) -> Read[Messages]:
    """Return what messages.yaml of a policy says, nothing where there is no such file, and what is wrong with it."""
    path = folder / FILE
    loaded = read_model(path, Messages) if path.exists() else Read(Messages())
    return Read(loaded.model, (*loaded.findings, *_shared_ids(loaded.model or Messages())))


def _shared_ids(messages: Messages) -> Iterator[Finding]:
    """Yield the Slack ids of more than one person: nobody decides by them, and messages go to people all the same."""
    ids = messages.ids("slack")
    for user in dict.fromkeys(ids.values()):
        try:
            messages.person_of(user)
        except ApprovalRefused as error:
            people = " and ".join(sorted(person for person, known in ids.items() if known == user))
            yield Finding("shared_id", str(error), f"Give {people} an id of their own.")
