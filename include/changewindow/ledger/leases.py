"""Who may act: the gate with its leases, and the same question again before every further step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy, NotAllowed
from changewindow.ledger import payloads
from changewindow.ledger import standing as standings
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, append, known, locked, number
from changewindow.ledger.models import Change, EventRow, Lease, identity
from changewindow.ledger.standing import holding_of, standing_at_the_gate, standing_of
from changewindow.ledger.stops import stops_in
from changewindow.ledger.texts import ticket_data
from changewindow.policy.assessment import Assessment
from changewindow.policy.decision import Decision
from changewindow.policy.gate import decide
from changewindow.policy.model import Policy
from changewindow.policy.standing import Assessed, HeldTarget, Intent, Mode
from changewindow.policy.state_rules import TARGET_HELD
from changewindow.ticket.reader import build_ticket

OF_TERMINAL = "terminal__"
"""How the run of an emergency begins that is carried out from a terminal, without Airflow."""
RENEWED = timedelta(minutes=15)
"""How long a lease lives at least after a task of its change began."""


def start(
    ledger: Ledger,
    change: str,
    intent: Intent,
    *,
    targets: tuple[str, ...],
    now: datetime,
    assessment: Assessed = None,
) -> int:
    """Decide the gate and take the leases, in one transaction; return the fencing token.

    Raises:
        NotAllowed: with each finding; nothing was written.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        one_gate_at_a_time(session)
        wanted = replace(intent, opens=row.opens, closes=row.closes)
        standing = standing_at_the_gate(session, row, targets, now, rolls_back=intent.mode == "rollback")
        decision = decide(standing, wanted, assessment, now)
        if not decision.may_act:
            raise NotAllowed(change, decision.findings)
        token = _take_leases(session, row, wanted, targets=targets, now=now)
        row.status, row.run, row.reason, row.closed_at, row.aborted = "running", intent.run, "", None, None
        chosen = {"values": dict(intent.values)} if intent.values else {}
        started = payloads.Started(
            run=intent.run, digest=intent.digest, mode=intent.mode, token=token, targets=targets, **chosen
        )
        append(session, Event(change, intent.run, now, started))
        return token


def explain(ledger: Ledger, change: str, policy: Policy | BadPolicy, *, mode: Mode, now: datetime) -> Decision:
    """Return what the gate would decide about the newest text of a change at a time; only reads.

    Raises:
        LedgerUnknown: there is no such change.
    """
    with ledger.reading() as session:
        row = known(session, change)
        return explain_in(session, row, ticket_data(session, row, row.digest), policy, mode=mode, now=now)


def explain_in(
    session: Session,
    row: Change,
    data: Mapping[str, Any],
    policy: Policy | BadPolicy,
    *,
    mode: Mode,
    now: datetime,
    events: Sequence[EventRow] | None = None,
) -> Decision:
    """Do the same about the text with these `data`, inside a transaction that may have checked all `events` already."""
    ticket, rolls_back = build_ticket(data), mode == "rollback"
    assessment = policy if isinstance(policy, BadPolicy) else Assessment(policy, ticket, data, row.id)
    intent = Intent(
        run="",
        digest=row.digest,
        opens=row.opens,
        closes=row.closes,
        needs=ticket.needs,
        mode=mode,
        is_emergency=ticket.type == "emergency",
    )
    standing = standing_at_the_gate(session, row, ticket.targets, now, rolls_back=rolls_back, events=events)
    return decide(standing, intent, None if rolls_back else assessment, now)


def require_running(
    ledger: Ledger,
    change: str,
    *,
    run: str,
    now: datetime,
    forward: Intent | None = None,
    assessment: Assessed = None,
) -> None:
    """Make sure that this run passed the gate and has not ended, and renew its leases.

    With `forward`, a step is about to be applied: then everything is asked again that may have changed since the gate.

    Raises:
        NotAllowed: with each finding.
    """
    with ledger.transaction() as session:
        row = locked(session, change)
        held = session.scalars(select(Lease).where(Lease.number == row.number)).all()
        # An undo asks neither what stops the line nor whether somebody has altered the record of that.
        known = replace(standing_of(session, row), stops=stops_in(session, now)) if forward else holding_of(row)
        standing = replace(known, has_lease=bool(held))
        undo = Intent(run, row.digest, row.opens, row.closes, timedelta(0), act="undo")
        intent = replace(forward, run=run, closes=row.closes, act="apply") if forward else undo
        decision = decide(standing, intent, assessment, now)
        if not decision.may_act:
            raise NotAllowed(change, decision.findings)
        for lease in held:
            lease.expires_at = max(lease.expires_at, now + RENEWED)


def require_text(ledger: Ledger, change: str, intent: Intent, *, now: datetime, assessment: Assessed = None) -> None:
    """Make sure that the text of a run is the newest one in the ledger and, unless it is rolled back, approved.

    Raises:
        NotAllowed: with each finding.
        BadPolicy: who must have approved it cannot be read.
    """
    if isinstance(assessment, BadPolicy):
        raise assessment
    with ledger.reading() as session:
        standing = standing_of(session, known(session, change))
    decision = decide(standing, replace(intent, act="read"), assessment, now)
    if not decision.may_act:
        raise NotAllowed(change, decision.findings)


def leases(ledger: Ledger, change: str) -> list[str]:
    """Return the targets a change holds."""
    with ledger.reading() as session:
        return list(session.scalars(select(Lease.target).where(Lease.number == number(change)).order_by(Lease.target)))


def held_by_others(ledger: Ledger, change: str, targets: tuple[str, ...]) -> tuple[HeldTarget, ...]:
    """Return which of its targets other changes hold."""
    with ledger.reading() as session:
        return standings.held_by_others(session, known(session, change), targets)


def holder(ledger: Ledger, target: str) -> str:
    """Return the change that holds a target, or an empty text where nobody does."""
    with ledger.reading() as session:
        lease = session.get(Lease, target)
        return identity(lease.number) if lease else ""


def release(ledger: Ledger, target: str, *, person: str, reason: str, now: datetime) -> str:
    """Release a target that a failed rollback has kept; return the change that held it.

    Raises:
        NotAllowed: a change acts on it, or nobody holds it.
    """
    with ledger.transaction() as session:
        lease = session.get(Lease, target)
        if lease is None:
            remedy = "There is nothing to release."
            raise NotAllowed(target, [Finding("not_held", "nobody holds it", remedy)])
        row = locked(session, identity(lease.number))
        if row.status == "running":
            remedy = "Run abort_change to have it rolled back."
            raise NotAllowed(target, [Finding(TARGET_HELD, f"{row.id} is acting on it", remedy)])
        session.delete(lease)
        append(session, Event(row.id, person, now, payloads.Released(target=target, reason=reason)))
        return row.id


def orphan(ledger: Ledger, change: str, *, run: str, now: datetime) -> bool:
    """Record that the run that acted has died, so that another one may roll the change back; may be called twice."""
    with ledger.transaction() as session:
        row = locked(session, change)
        if row.status != "running" or row.run not in (run, None):
            return False
        if row.run is not None:
            row.run = None
            append(session, Event(change, "housekeeping", now, payloads.RunDied(run=run)))
        return True


def next_token(session: Session) -> int:
    """Return a fencing token that is higher than every earlier one."""
    return (session.scalar(select(func.max(Change.token))) or 0) + 1


def _take_leases(session: Session, row: Change, intent: Intent, *, targets: tuple[str, ...], now: datetime) -> int:
    """Hold the targets for this run; return the fencing token."""
    row.token = token = next_token(session)
    session.execute(delete(Lease).where(Lease.number == row.number))
    lives_until = max(intent.closes, now + intent.needs)
    session.add_all(
        Lease(target=target, number=row.number, token=token, run=intent.run, taken_at=now, expires_at=lives_until)
        for target in targets
    )
    return token


def one_gate_at_a_time(session: Session) -> None:
    """Let gates decide one after the other, so that what was free is free when it is taken; SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE leases IN SHARE ROW EXCLUSIVE MODE"))


def is_terminal_alive(ledger: Ledger, run: str | None, now: datetime) -> bool:
    """Return whether a run outside of Airflow shows that it is alive: it renews its leases, which last for minutes.

    One that began without the ledger, on targets that others hold, has no lease: then its newest event says it.
    """
    if run is None or not run.startswith(OF_TERMINAL):
        return False
    with ledger.reading() as session:
        until = session.scalars(select(Lease.expires_at).where(Lease.run == run)).all()
        if until:
            return max(until) > now
        newest = session.scalar(select(func.max(EventRow.at)).where(EventRow.actor == run))
        return newest is not None and newest + RENEWED > now
