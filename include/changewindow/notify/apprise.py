"""Sends each news of a change to whatever Apprise knows: Discord, Google Chat, Matrix, ntfy, Pushover, SMS and others.

The addresses are as Apprise writes them (https://appriseit.com/services/). They hold secrets, so they stand in the
password of an Airflow Connection of type Generic, one on each line or with spaces between, 20 at most. No message and
no log shows them: who did not take a message is named by line and schema, such as `line 2 (ntfys)`.

A message goes to all of them at once. Where some have it and others do not, it is not sent again, and the log says who
missed it; where each is to be tried again by itself, list several channels of this kind, each with its own connection.
Services of Apprise do not know a message again: one that was being sent when the process died may stand there twice.
Redirects are not followed, files are not sent, and nothing in a text calls a whole room. What is longer than a service
takes is cut off.

Source: https://github.com/caronc/apprise, https://appriseit.com/getting-started/
"""

import logging
import re
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, OverflowMode

from changewindow.documents.text import visible
from changewindow.documents.types import ConnectionName
from changewindow.errors import UnusableConnection
from changewindow.notify.base import ChannelBase, Message, NotDelivered, Reference, Tools, WayOn, one_line, way_on_after
from changewindow.systems.in_time import begun
from changewindow.systems.quiet import quiet

EXAMPLE = {"kind": "apprise", "connection": "apprise_on_call"}
MOST = 20
"""Addresses."""
LONGEST = 20_000
"""Characters of a text."""
ANSWERS = 2
"""How many times the seconds for one answer a service may take, for it may be asked more than once."""
CALLS = re.compile(r"(?i)(?<!\w)(@|<[!@#])(?=\w)")
"""What calls a room, or a person, somewhere."""
STATUS = re.compile(r"error=(\d{3})\b")
"""The only thing that is read of what Apprise logs, since it may hold secrets."""
SCHEMA = re.compile(r"([a-z0-9]{2,20})://", re.ASCII | re.IGNORECASE)
log = logging.getLogger("changewindow")


@dataclass(frozen=True)
class Failure:
    """Why one of the addresses has not got a message."""

    where: str
    why: str
    way_on: WayOn
    is_refused: bool = False
    """Whether it is certain that it did not arrive."""

    def __str__(self) -> str:
        """Return both."""
        return f"{self.where} {self.why}"


class Channel(ChannelBase):
    """Whatever Apprise knows."""

    kind: Literal["apprise"] = "apprise"
    connection: ConnectionName
    """The Airflow Connection whose password holds the addresses of Apprise."""

    def place(self, room: str) -> str:
        """Return the connection."""
        return f"apprise {self.connection}"

    def post(
        self, tools: Tools, room: str, message: Message, *, below: Reference | None = None, is_loud: bool = False
    ) -> Reference:
        """Send it to all addresses; `is_loud` as a warning, where a service knows such."""
        known = tools.known(self.connection)
        addresses = known.password.split()
        if not 0 < len(addresses) <= MOST:
            raise UnusableConnection(known.name, f"addresses of Apprise in its password; write 1 to {MOST} of them")
        text = CALLS.sub(r"\1 ", visible(message.sent_at(tools.now())))[:LONGEST]
        failures = _sent_to_all(addresses, text, tools.within, is_loud=is_loud)
        listed = "; ".join(map(str, failures))
        if len(failures) == len(addresses):
            ways = [failure.way_on for failure in failures]
            way_on = WayOn.LATER if WayOn.LATER in ways else ways[0]
            remedy = f"Correct the addresses in the password of '{known.name}', or see whether these services are up."
            is_refused = all(failure.is_refused for failure in failures)
            sentence = f"nobody of '{known.name}' has it: {listed}. {remedy}"
            raise NotDelivered(sentence, way_on, is_refused=is_refused)
        if failures:
            log.warning("%s was not sent to all of '%s': %s", one_line(message.head, 80), known.name, listed)
        return Reference("", message.key)

    def find(
        self, tools: Tools, room: str, key: str, *, since: datetime, below: Reference | None = None
    ) -> Reference | None:
        """Say that nobody can tell: these services only take messages."""
        raise NotDelivered("Apprise does not say whether a message arrived, so it is posted again.", WayOn.TWICE)


def _sent_to_all(addresses: list[str], text: str, within: float, *, is_loud: bool) -> list[Failure]:
    """Send a text to each address, all at once; return who has not got it."""
    names = [_name(number, address) for number, address in enumerate(addresses, 1)]
    sending = [
        begun(partial(_sent, name, address, text, within=within, is_loud=is_loud))
        for name, address in zip(names, addresses, strict=True)
    ]
    wait(sending, ANSWERS * within)
    return [failure for name, future in zip(names, sending, strict=True) if (failure := _result(name, future))]


def _result(name: str, future: "Future[Failure | None]") -> Failure | None:
    if not future.done():
        return Failure(name, "did not answer in time", WayOn.LATER)
    if error := future.exception():
        return Failure(name, f"could not be used ({type(error).__name__})", WayOn.LATER)
    return future.result()


def _sent(name: str, address: str, text: str, *, within: float, is_loud: bool) -> Failure | None:
    asset = AppriseAsset(
        app_id="Change Windows",
        async_mode=False,
        storage_mode="memory",
        allow_templates=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
    )
    with quiet("apprise", "urllib3.connectionpool") as said:
        service = Apprise.instantiate(address, asset=asset)
        if service is None:
            return Failure(name, "is no address that Apprise can use", WayOn.BY_HAND, is_refused=True)
        service.redirects, service.service_retry = False, 0
        service.socket_connect_timeout = service.socket_read_timeout = within
        title, _, body = text.partition("\n")
        is_sent = service.notify(
            title=title if body.strip() else "",
            body=body.strip() or title or " ",
            notify_type=NotifyType.WARNING if is_loud else NotifyType.INFO,
            body_format=NotifyFormat.TEXT,
            overflow=OverflowMode.TRUNCATE,
        )
    return None if is_sent else _failure(name, said)


def _failure(name: str, said: list[str]) -> Failure:
    statuses = [int(status) for line in said for status in STATUS.findall(line)]
    if not statuses:
        return Failure(name, "could not be reached, or did not take it", WayOn.LATER)
    status = statuses[-1]
    return Failure(name, f"answered {status}", way_on_after(status)[0], is_refused=status < 500)


def _name(number: int, address: str) -> str:
    schema = SCHEMA.match(address)
    return f"line {number} ({schema[1].lower()})" if schema else f"line {number}"
