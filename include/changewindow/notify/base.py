"""The contract of a channel: post a message, bring it up to date, find one again; whatever is posted late says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import ConfigDict

from changewindow.documents.text import visible
from changewindow.documents.types import Model
from changewindow.errors import StepFailed, UnknownConnection
from changewindow.kinds import explain_kind
from changewindow.systems.connection import Connection
from changewindow.systems.http.exchange import Replied, Request
from changewindow.systems.in_time import in_time
from changewindow.systems.secrecy import Secrets

DOUBT = "perhaps told twice"
MOST_BLOCKS = 50
LATE = timedelta(minutes=1)
"""How long after its moment a message may go out as if it were about the present."""
LONGEST_ANSWER = 400
"""Characters of what a service says about its refusal."""


class WayOn(StrEnum):
    """What becomes of a message that was not delivered."""

    LATER = "later"
    """It is tried again: the service is down, slow or busy."""
    ANEW = "anew"
    """What was posted is gone, or cannot be updated any more: it is posted anew."""
    PLAIN = "plain"
    """The service does not take it in this form: its text alone is posted."""
    ELSEWHERE = "elsewhere"
    """The room is archived, unknown or closed to us: it goes to the room that stands in for it."""
    BY_HAND = "by hand"
    """Nothing goes out before a person mends the connection: the token is revoked, or lacks a right."""
    TWICE = "twice"
    """Nobody can say whether it arrived, now or later: it is posted again, and says that it may stand there twice."""


class NotDelivered(Exception):
    """A message did not arrive; no change fails for that."""

    def __init__(
        self,
        reason: str,
        way_on: WayOn = WayOn.LATER,
        after: timedelta = timedelta(0),
        *,
        name: str = "",
        is_refused: bool = False,
    ) -> None:
        super().__init__(reason)
        self.way_on = way_on
        self.after = after
        """How long the service wants to be left alone; with `ANEW`, how long the message stands at least."""
        self.name = name
        """The service's own name for what is wrong, if it has one."""
        self.is_refused = is_refused
        """Whether it is certain that the message did not arrive: its service has said no, or was not there."""


@dataclass(frozen=True)
class Message:
    """What is said, in every form that a channel may need; without secrets."""

    text: str
    """The plain text, whole; its first line is what matters."""
    about: datetime
    """The moment that it speaks of."""
    key: str = ""
    """What names this message for ever, so that it can be found again: `CHG-1042`, `CHG-1042/17`."""
    blocks: tuple[dict[str, Any], ...] = ()
    """The same as Block Kit; empty where there is none."""
    calls: tuple[str, ...] = ()
    """The people whom it calls, as their user names."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same as JSON, for machines: change, state, summary, reason, links …"""

    @property
    def head(self) -> str:
        """Return its first line."""
        return self.text.partition("\n")[0]

    def doubted(self) -> "Message":
        """Return it with the remark that it may stand there twice, since nobody could say whether it had arrived."""
        head, line_end, rest = self.text.partition("\n")
        remark = {"type": "context", "elements": [{"type": "plain_text", "text": DOUBT}]}
        blocks = (*self.blocks, remark) if 0 < len(self.blocks) < MOST_BLOCKS else self.blocks
        return replace(self, text=f"{head} ({DOUBT}){line_end}{rest}", blocks=blocks)

    def sent_at(self, now: datetime) -> str:
        """Return the text as it is read when it goes out now: its first line says by how much it is late."""
        if now - self.about <= LATE:
            return self.text
        head, line_end, rest = self.text.partition("\n")
        return f"{head} {_lateness(self.about.astimezone(UTC), now.astimezone(UTC))}{line_end}{rest}"


@dataclass(frozen=True)
class Reference:
    """Where a message stands, in the words of its service."""

    place: str
    """The room: a Slack channel id; empty where there is none."""
    id: str
    """The message: a Slack time stamp, the Message-ID of an e-mail."""


@dataclass(frozen=True)
class Tools:
    """What a channel may use."""

    connection: Callable[[str], Connection]
    """Returns an Airflow Connection by its name; raises `ChangeError` where there is none."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    within: float = 10
    """Seconds that a service may take for one answer."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """What people are called in this channel, by their user names."""

    def known(self, name: str) -> Connection:
        """Return an Airflow Connection.

        Raises:
            UnknownConnection: there is none of this name; messages.yaml is where to correct that.
            ChangeError: it cannot be told now.
        """
        try:
            return self.connection(name)
        except UnknownConnection:
            raise UnknownConnection(name, "messages.yaml") from None


class ChannelBase(Model):
    """Where messages of a room go; sending blocks, for about as long as its tools say."""

    model_config = ConfigDict(json_schema_extra=explain_kind)

    kind: str
    is_live: ClassVar[bool] = False
    """Whether what stands there can be updated, and has a thread; elsewhere only news is posted."""
    spacing: ClassVar[timedelta] = timedelta(0)
    """How long apart two posts into one place are at least."""
    updates: ClassVar[int] = 0
    """How many updates a minute its service takes; 0: any number."""

    @property
    def account(self) -> str:
        """Return whose updates are counted together: its connection."""
        return f"{self.kind} {getattr(self, 'connection', '')}"

    def place(self, room: str) -> str:
        """Return what is held up when this channel is: its connection, and where it posts."""
        raise NotImplementedError

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Post a message into a room; `below` another one where there are threads, `is_loud` shown in the room too.

        Raises:
            NotDelivered, ChangeError: it did not arrive, as far as is known.
        """
        raise NotImplementedError

    def update(self, tools: Tools, reference: Reference, message: Message) -> None:
        """Bring a message that was posted up to date; doing it twice is as doing it once.

        Raises:
            NotDelivered, ChangeError: it stands there as it did.
        """
        raise NotImplementedError

    def find(
        self, tools: Tools, room: str, key: str, *, since: datetime, below: Reference | None = None
    ) -> Reference | None:
        """Return the message of a key that was posted since a moment, if it arrived; nothing where it did not.

        It is asked after a crash between a post and its record. A channel whose receivers know a message by its key,
        and leave out the second one, returns nothing.

        Raises:
            NotDelivered, ChangeError: nobody can say now.
        """
        return None


def one_line(text: str, most: int) -> str:
    """Return a text on one line, in which nothing is unseen, and not longer than that."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def answer_of(connection: Connection, answer: object) -> str:
    """Return what a service answered, as a log may hold it: on one line, not too long, without our secrets."""
    secrets = Secrets()
    secrets.learn(*connection.secrets)
    return one_line(secrets.hidden(str(answer)), LONGEST_ANSWER)


def delivered(request: Request, connection: Connection, receiver: str, now: datetime) -> Replied:
    """Return the reply to a message that went out by HTTP, which is a success; no redirect is followed.

    Raises:
        NotDelivered: it is none, or there is none.
    """
    try:
        reply = in_time(request.send, request.within + 1)  # a name may take longer to be looked up than it waits
    except (StepFailed, TimeoutError) as error:
        import httpx  # noqa: PLC0415  takes long to import, and has been by now

        why = answer_of(connection, error) or "it took too long to find its address."
        is_refused = isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.InvalidURL)
        raise NotDelivered(f"{receiver} did not answer: {why}", is_refused=is_refused) from None
    if 200 <= reply.status < 300:
        return reply
    way_on, remedy = way_on_after(reply.status)
    answer = answer_of(connection, f"{reply.status} {reply.text}").rstrip(". ")
    quiet = reply.wanted_quiet(now) if way_on is WayOn.LATER else timedelta(0)
    is_refused = reply.status < 500 or reply.status == 503
    sentence = f"{receiver} answered {answer}. {remedy.format(connection.name)}"
    raise NotDelivered(sentence, way_on, quiet, name=str(reply.status), is_refused=is_refused)


def way_on_after(status: int) -> tuple[WayOn, str]:
    """Return what an HTTP status that is no success means for a message, and what to do; `{}` is the connection."""
    if status in {408, 425, 429} or status >= 500:
        return WayOn.LATER, "It is tried again."
    if status in {400, 413, 415, 422}:
        return WayOn.PLAIN, "See there what it does not take."
    if 300 <= status < 400:
        return WayOn.BY_HAND, "No redirect is followed: write the address that it leads to into the connection '{}'."
    return WayOn.BY_HAND, "Correct the address and the secret of the connection '{}', or let it in there."


def _lateness(about: datetime, now: datetime) -> str:
    minutes = int((now - about).total_seconds()) // 60
    late = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    moment = f"{about:%H:%M:%S}" if about.date() == now.date() else f"{about:%Y-%m-%d %H:%M:%S}"
    return f"(said {late} late: {moment} UTC)"
