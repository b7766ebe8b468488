"""Has messages posted: by the outbox, or in the log where there is no channel, or at once while the ledger is down."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from changewindow import settings
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import connection
from changewindow.flow.rooms import channels, messages_policy
from changewindow.flow.runtime import ledger, log, now
from changewindow.flow.secrecy import SECRETS, clean
from changewindow.ledger import outbox
from changewindow.ledger.events import Event
from changewindow.ledger.models import LINE
from changewindow.ledger.outbox import Outgoing
from changewindow.ledger.payloads import MessageFailed, MessageSent, Payload
from changewindow.ledger.spool import Spool
from changewindow.notify.base import Message, NotDelivered, Tools

LOG = "log"


def post(text: str, about: datetime, room: str = settings.ROOM, *, change: str = "", is_loud: bool = False) -> None:
    """Have a message about a moment posted, in the thread of a change if there is one; its record says how that went.

    Nobody waits for that: it is kept in the outbox, once. While the ledger is down it is posted at once.
    """
    message = replace(Message(text, about), text=SECRETS.hidden(text))
    try:
        waiting = [name for name, channel in channels(room, messages_policy()).items() if channel.kind != LOG]
        is_kept = _keep(message, room, waiting, change=change or LINE, is_loud=is_loud)
        outcomes = sent(message, room, is_kept=is_kept)
    except (ChangeError, ValueError) as error:
        log.warning("the message was not delivered: %s", error)
        outcomes = [MessageFailed(reason=str(error))]
    for outcome in outcomes if change else ():
        _record(change, outcome)


def _keep(message: Message, room: str, names: Sequence[str], *, change: str, is_loud: bool) -> bool:
    """Put a message into the outbox, for each of these channels; return whether it is there."""
    at, name = now(), f"note {hashlib.sha256(f'{message.about} {message.text}'.encode()).hexdigest()[:16]}"
    notes = [
        Outgoing(change, "note", room, each, name, message.about, at, text=message.text, is_loud=is_loud)
        for each in names
    ]
    try:
        outbox.add(ledger(), notes)
    except ChangeError as error:
        log.warning("the outbox cannot be written, so the message is posted at once: %s", error)
        return False
    return True


def sent(message: Message, room: str, *, is_kept: bool) -> list[Payload]:
    """Write a message into the log, and post it where nobody else does; return what the record says of that."""
    hidden, at, policy = replace(message, text=SECRETS.hidden(message.text)), now(), messages_policy()
    outcomes: list[Payload] = []
    for name, channel in channels(room, policy).items():
        if is_kept and channel.kind != LOG:
            log.info("%s, in %s, by the DAG `messages`:\n%s", room, name, hidden.text)
            continue
        try:
            channel.post(Tools(connection, now, ids=policy.ids(channel.kind)), room, hidden)
            outcomes.append(MessageSent(room=room, text=hidden.sent_at(at), channel=channel.kind))
        except (NotDelivered, ChangeError, ValueError) as error:
            log.warning("the message was not delivered, and the change goes on: %s", error)
            outcomes.append(MessageFailed(reason=str(error)))
    return outcomes


def _record(change: str, outcome: Payload) -> None:
    """Record a message, now or when the ledger is back."""
    spool = Spool(ledger(), settings.read().spool)
    if not spool.record(Event(change, "messages", now(), clean(outcome))):
        log.warning("the ledger is down; the event '%s' waits in %s", outcome.kind, spool.path)
