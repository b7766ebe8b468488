"""Finds out, after a crash or an answer that never came, whether what was being posted has arrived."""

from dataclasses import replace

from changewindow.changes.desk import Desk
from changewindow.ledger.outbox import Outgoing, well
from changewindow.notify.base import ChannelBase, NotDelivered, Reference, WayOn


def after_a_crash(desk: Desk, channel: ChannelBase, message: Outgoing, *, above: Outgoing | None) -> Outgoing | None:
    """Return a message as it is known once its channel was asked for it; nothing where nobody can say.

    `above` is the card of its change, itself if it is one.

    Raises:
        NotDelivered: the channel cannot be asked now.
    """
    try:
        found = _found(desk, channel, message, above.reference if above and above.stands else None)
    except NotDelivered as error:
        if error.way_on is not WayOn.TWICE:
            raise
        desk.log(f"{message.room}: {error}")
        return None
    if found is None:  # it is as badly off as before: whoever hangs with each post is left alone longer and longer
        return replace(message, posting="", posting_since=None)
    clear = replace(well(message), posting="", posting_since=None)
    if message.sort == "note":
        return replace(clear, reference=found, is_done=True)
    if not message.stands:
        return replace(clear, reference=found)
    return replace(clear, told=max(message.told, int(message.posting.rpartition("/")[2])))


def _found(desk: Desk, channel: ChannelBase, message: Outgoing, below: Reference | None) -> Reference | None:
    """Look for what was being posted; a note may stand below the card, or by itself."""
    since = message.posting_since or desk.now()
    for where in (below, None) if below and message.sort == "note" else (below,):
        if found := channel.find(desk.tools(channel), message.room, message.posting, since=since, below=where):
            return found
    return None
