"""Reads what many changes owe after they have acted, in few statements; an altered one stops no other."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from changewindow.errors import BrokenChain
from changewindow.ledger.aftercare import OWING, after, owed_in
from changewindow.ledger.chain import checked, is_sealed, seal_of, stored_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import is_id, number, payload
from changewindow.ledger.models import Change, EventRow, Touched, identity
from changewindow.ledger.payloads import Reviewed
from changewindow.ledger.read_once import ReadOnce
from changewindow.policy.aftercare import Aftercare

AT_ONCE = 500
"""How many changes one statement reads."""
MORE = (EventKind.DECLARED, EventKind.RECORDED)
"""The events from which on a change owes more than a review."""
PUT_OFF = (*OWING, EventKind.REVIEWED, EventKind.FOLLOWED_UP)
"""The events that give what is owed a day on which somebody is to look again."""
READ: ReadOnce[Aftercare | None] = ReadOnce(owed_in)
"""What was made of changes; None: nothing is owed and never was."""
Owing = dict[str, Aftercare | BrokenChain]
"""What each change owes or has owed; or why nobody can say."""


def since(ledger: Ledger, moment: datetime) -> Owing:
    """Return what each change owes or has owed that was declared, told or to be reviewed since then, oldest first."""
    with ledger.reading() as session:
        return _read(session, sorted(session.scalars(_since(moment))))


def of_targets(ledger: Ledger, targets: Iterable[str], moment: datetime) -> list[Aftercare]:
    """Return the same of those changes alone that touched one of the targets.

    Raises:
        BrokenChain: the events of one of them were altered.
    """
    touching = select(Touched.number).where(Touched.target.in_(list(targets)))
    with ledger.reading() as session:
        numbers = session.scalars(_since(moment).where(EventRow.number.in_(touching)))
        return [_whole(owed) for owed in _read(session, sorted(numbers)).values()]


def ever(ledger: Ledger, numbers: frozenset[int] | None) -> Owing:
    """Return what each change owes or has owed that ever owed anything: of all changes, or of some.

    What was read once is not read again before the change has another event, so that pages may ask every few seconds.
    """
    statement = select(EventRow.number, Change.head).join(Change, Change.number == EventRow.number).distinct()
    with ledger.reading() as session:
        heads = session.execute(statement.where(EventRow.kind.in_(OWING))).all()
        wanted = sorted((number, head) for number, head in heads if numbers is None or number in numbers)
        kept = {number: READ.kept(session, number, head) for number, head in wanted}
        made = _made(session, [number for number, known in kept.items() if known is None])
    owing = {number: known[0] if known else made.get(number) for number, known in kept.items()}
    return {identity(number): owed for number, owed in owing.items() if owed is not None}


def _since(moment: datetime) -> Select[int]:
    return select(EventRow.number).where(EventRow.kind.in_(PUT_OFF), EventRow.at >= moment).distinct()


def _whole(owed: Aftercare | BrokenChain) -> Aftercare:
    if isinstance(owed, BrokenChain):
        raise owed
    return owed


def of_changes(ledger: Ledger, changes: Iterable[str]) -> Owing:
    """Return what those of the changes owe or have owed that ever owed anything; whoever asks for all need not wait."""
    numbers = [number(change) for change in changes if is_id(change)]
    with ledger.reading() as session:
        return _read(session, sorted(_ever_owed(session, numbers)))


def _ever_owed(session: Session, numbers: Sequence[int]) -> Iterator[int]:
    for some in _parts(numbers):
        wanted = select(EventRow.number).where(EventRow.kind.in_(OWING), EventRow.number.in_(some)).distinct()
        yield from session.scalars(wanted)


def _made(session: Session, numbers: Sequence[int]) -> dict[int, Aftercare | BrokenChain | None]:
    """Return what changes owe that has to be read, and keep it unless it was altered."""
    settled = set(_settled(session, numbers))
    unsettled = [each for each in numbers if each not in settled]
    read = {number(change): owed for change, owed in _read(session, unsettled).items()}
    for some in _parts(numbers):
        for change in session.scalars(select(Change).where(Change.number.in_(some))):
            if not isinstance(owed := read.get(change.number), BrokenChain):
                READ.keep(session, change, owed)
    return dict(read)


def _settled(session: Session, numbers: Sequence[int]) -> Iterator[int]:
    """Yield the changes that owed a review and nothing else, and have it, as its own seal says.

    They are most of those that ever owed something: to check all their events takes seconds in a large ledger.
    """
    for some in _parts(numbers):
        of_some = EventRow.number.in_(some)
        unsettled = set(session.scalars(select(EventRow.number).where(of_some, EventRow.kind.in_(MORE))))
        reviewed = session.scalars(select(EventRow).where(of_some, EventRow.kind == EventKind.REVIEWED)).all()
        unsettled |= {row.number for row in reviewed if not _is_last_word(session, row)}
        yield from {row.number for row in reviewed} - unsettled


def _is_last_word(session: Session, row: EventRow) -> bool:
    """Return whether a review asks for nothing more, and is as one of us wrote it."""
    reviewed = payload(row)
    return isinstance(reviewed, Reviewed) and not reviewed.follow_ups and is_sealed(seal_of(session), row)


def _read(session: Session, numbers: Sequence[int]) -> Owing:
    owing: Owing = {}
    for some in _parts(numbers):
        changes = session.scalars(select(Change).where(Change.number.in_(some)).order_by(Change.number)).all()
        targets, rows = defaultdict(list), defaultdict(list)
        touched = select(Touched.number, Touched.target).where(Touched.number.in_(some)).order_by(Touched.target)
        for touching, target in session.execute(touched):
            targets[touching].append(target)
        for row in stored_events(session, some):
            rows[row.number].append(row)
        for change in changes:
            if (owed := _owed(session, change, targets[change.number], rows[change.number])) is not None:
                owing[change.id] = owed
    return owing


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[place : place + AT_ONCE] for place in range(0, len(numbers), AT_ONCE))


def _owed(
    session: Session, change: Change, targets: Sequence[str], rows: Sequence[EventRow]
) -> Aftercare | BrokenChain | None:
    try:
        return after(change, tuple(targets), checked(session, change, rows))
    except BrokenChain as broken:
        return broken
