"""Who may act: the gate with its leases, and the same questions again before every further step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from changewindow.errors import NotAllowed
from changewindow.ledger import payloads
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, locked, number
from changewindow.ledger.models import Approval, Change, Lease
from changewindow.ledger.queries import others_in
from changewindow.ledger.stops import sentences
from changewindow.policy.conflicts import Other
from changewindow.policy.gate import Intent, Standing, approval_reasons, reasons
from changewindow.policy.sign_off import RecordedApproval

Collide = Callable[[Sequence[Other]], Sequence[str]]
"""Says which of the changes that act stand against this one."""
RENEWED = timedelta(minutes=15)
"""How long a lease lives at least after a task of its change began."""


def start(
    ledger: Ledger,
    change: str,
    intent: Intent,
    *,
    targets: tuple[str, ...],
    now: datetime,
    also: Sequence[str] = (),
    collide: Collide = lambda _: (),
) -> int:
    """Decide the gate and take the leases, in one transaction; return the fencing token.

    `also` holds reasons against it that the caller knows of; `collide` is asked about the changes that act now.

    Raises:
        NotAllowed: with each reason; nothing was written.
    """
    with ledger.transaction() as session:
        found = locked(session, change)
        _one_gate_at_a_time(session)
        wanted = replace(intent, opens=found.opens, closes=found.closes)
        against = [*also, *reasons(standing_of(session, found, targets, now), wanted, now)]
        if intent.mode == "run":
            against += collide([one for one in others_in(session, now, now, but=change) if one.holds])
        if against:
            raise NotAllowed(change, against)
        token = _take_leases(session, found, wanted, targets=targets, now=now)
        found.status, found.run, found.reason, found.closed_at, found.aborted = "running", intent.run, "", None, None
        chosen = {"values": dict(intent.values)} if intent.values else {}
        started = payloads.Started(
            run=intent.run, digest=intent.digest, mode=intent.mode, token=token, targets=targets, **chosen
        )
        append(session, Event(change, intent.run, now, started))
        return token


def require_running(ledger: Ledger, change: str, *, run: str, now: datetime, forward: Intent | None = None) -> None:
    """Make sure that this run passed the gate and has not ended, and renew its leases.

    With `forward`, a step is about to be applied: then nobody may have aborted it, the line may not be stopped, the
    text must be approved, and what is left to do must fit into the window.

    Raises:
        NotAllowed: with each reason.
    """
    with ledger.transaction() as session:
        found = locked(session, change)
        standing = standing_of(session, found, (), now)
        held = session.scalars(select(Lease).where(Lease.number == found.number)).all()
        against = []
        if found.status != "running":
            against.append(f"it is {found.status}, not running; nothing acts without passing the gate")
        elif found.run != run:
            against.append(f"run {found.run} of this change is acting, not {run}")
        elif not held:
            against.append("its lease was released; nothing acts without holding its targets")
        if forward is not None:
            against += _forward_reasons(standing, replace(forward, closes=found.closes), now)
        if against:
            raise NotAllowed(change, against)
        for lease in held:
            lease.expires_at = max(lease.expires_at, now + RENEWED)


def leases(ledger: Ledger, change: str) -> list[str]:
    """Return the targets a change holds."""
    with ledger.reading() as session:
        return list(session.scalars(select(Lease.target).where(Lease.number == number(change)).order_by(Lease.target)))


def release(ledger: Ledger, target: str, *, person: str, reason: str, now: datetime) -> str:
    """Release a target that a failed rollback has kept; return the change that held it.

    Raises:
        NotAllowed: a change acts on it, or nobody holds it.
    """
    with ledger.transaction() as session:
        lease = session.get(Lease, target)
        if lease is None:
            raise NotAllowed(target, ["nobody holds it; there is nothing to release"])
        found = locked(session, f"CHG-{lease.number}")
        if found.status == "running":
            raise NotAllowed(target, [f"{found.id} is acting on it; run abort_change to have it taken back"])
        session.delete(lease)
        append(session, Event(found.id, person, now, payloads.Released(target=target, reason=reason)))
        return found.id


def orphan(ledger: Ledger, change: str, *, run: str, now: datetime) -> bool:
    """Record that the run that acted has died, so that another one may take the change back; may be called twice."""
    with ledger.transaction() as session:
        found = locked(session, change)
        if found.status != "running" or found.run not in (run, None):
            return False
        if found.run is not None:
            found.run = None
            append(session, Event(change, "housekeeping", now, payloads.RunDied(run=run)))
        return True


def _take_leases(session: Session, found: Change, intent: Intent, *, targets: tuple[str, ...], now: datetime) -> int:
    """Hold the targets for this run; return the fencing token."""
    found.token = token = (session.scalar(select(func.max(Change.token))) or 0) + 1
    session.execute(delete(Lease).where(Lease.number == found.number))
    lives_until = max(intent.closes, now + intent.needs)
    session.add_all(
        Lease(target=target, number=found.number, token=token, run=intent.run, taken_at=now, expires_at=lives_until)
        for target in targets
    )
    return token


def _forward_reasons(standing: Standing, intent: Intent, now: datetime) -> list[str]:
    stops = () if intent.is_emergency else standing.stops
    aborted = [standing.aborted] if standing.aborted else []
    return [*aborted, *stops, *approval_reasons(standing, intent, now)]


def _one_gate_at_a_time(session: Session) -> None:
    """Let gates decide one after the other, so that what was free is free when it is taken; SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE leases IN SHARE ROW EXCLUSIVE MODE"))


def standing_of(
    session: Session, change: Change, targets: tuple[str, ...] = (), now: datetime | None = None
) -> Standing:
    """Return what the ledger knows of a change, inside a transaction; with `now`, also whether the line is stopped."""
    given = session.scalars(select(Approval).where(Approval.number == change.number).order_by(Approval.id))
    held = select(Lease).where(Lease.target.in_(targets), Lease.number != change.number).order_by(Lease.target)
    return Standing(
        status=change.status,
        requester=change.requester,
        run=change.run,
        approvals=tuple(
            RecordedApproval(one.person, one.digest, one.is_yes, one.expires_at, one.role) for one in given
        ),
        digest=change.digest,
        aborted=change.aborted,
        held=tuple((lease.target, f"CHG-{lease.number}") for lease in session.scalars(held)),
        stops=tuple(sentences(session, now)) if now else (),
    )
