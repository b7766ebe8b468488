"""Asks all collectors and the ledger at once what changed, and answers in time whatever they do."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

from changewindow.changes.gathering import Surroundings, gather
from changewindow.changes.kept import key_in
from changewindow.changes.our_changes import Record, record
from changewindow.changes.what_changed import Answer, Question, answer
from changewindow.collectors.base import CollectorBase
from changewindow.errors import ChangeError
from changewindow.ledger.database import Ledger
from changewindow.systems.collection import Collected, Span
from changewindow.systems.left_behind import LeftBehind
from changewindow.systems.measurement import Connections, SourceError

LIMIT = 5.0
"""Seconds after which an answer is there, with what is missing."""
ROOM = 0.5
"""Seconds of them that are left to put the answer together."""
UNEXPLAINED = "which changes explain this is not known: {}"


def look_around(
    question: Question,
    collectors: Mapping[str, CollectorBase],
    connections: Connections,
    *,
    folder: Path,
    ledger: Callable[[], Ledger],
    limit: float = LIMIT,
) -> Answer:
    """Return what changed; where `ledger` raises ChangeError or does not answer, nothing is explained."""
    over = monotonic() + limit - ROOM
    key = key_in(folder)
    recorded = LeftBehind().submit(_recorded, ledger, question.span, key)
    using = Surroundings(connections, folder, key, partial(_collected, recorded))
    looks = gather(collectors, question.span, using, limit=over - monotonic())
    try:
        known = recorded.result(timeout=max(over - monotonic(), 0.01))
    except (TimeoutError, ChangeError, OSError) as error:
        reason = UNEXPLAINED.format(str(error) or "the ledger does not answer")
        unexplained = answer(question, looks, None)
        return replace(unexplained, remarks=(reason, *unexplained.remarks))
    return answer(question, looks, known.changes, known.by_hand)


def _recorded(ledger: Callable[[], Ledger], span: Span, key: bytes) -> Record:
    return record(ledger(), span, (key,))


async def _collected(recorded: "Future[Record]", span: Span) -> Collected:
    try:
        return (await asyncio.wrap_future(recorded)).collected
    except ChangeError as error:
        raise SourceError("unreachable", str(error)) from error
