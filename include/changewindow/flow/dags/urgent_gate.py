"""Takes an emergency through the gate when it is declared: what other changes hold is waited for, or taken over."""

from datetime import timedelta
from typing import NoReturn

from airflow.sdk.exceptions import AirflowRescheduleException

from changewindow.changes import taking_over
from changewindow.changes.taking_over import TakesOver
from changewindow.documents.findings import Finding
from changewindow.documents.text import spoken
from changewindow.errors import ChangeError, NotAllowed, PlatformError
from changewindow.flow.people import is_listed_operator
from changewindow.flow.publishing import require_publishable
from changewindow.flow.rights import why_not
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.silences import open_silences
from changewindow.ledger import changes, emergencies, leases
from changewindow.policy.standing import HeldTarget
from changewindow.policy.state_rules import TARGET_HELD

SOON = timedelta(seconds=1)
"""How often it is asked whether the targets are free."""
LONGEST_WAIT = timedelta(minutes=30)


def pass_the_gate(run: Run, held: str, person: str) -> None:
    """Take the leases for a run; whatever keeps it from that, but for a target that another change holds, ends it.

    Raises:
        AirflowRescheduleException: another change still holds a target; the task is to ask again.
        NotAllowed: with each finding; the change is closed as refused, unless it acts or is over already.
    """
    _require_open(run)
    try:
        require_publishable(run.change)
        leases.start(
            run.ledger, run.change.id, run.intent, targets=run.ticket.targets, now=now(), assessment=run.assessed
        )
    except NotAllowed as refused:
        if {finding.code for finding in refused.findings} != {TARGET_HELD}:
            _refuse(run, refused)
        _wait(run, refused, take_over=held == "take_over", person=person)
    except PlatformError as broken:
        _refuse(run, broken)
    log.info("%s may act on %s", run.change.id, ", ".join(run.ticket.targets))
    open_silences(run)


def _require_open(run: Run) -> None:
    """Make sure that it has not ended: whoever clears this task does not begin anew what somebody has declared."""
    stored = changes.get(run.ledger, run.change.id)
    if stored.closed_at is not None:
        over = Finding(
            "closed", f"it is closed: {spoken(stored.status)}", "If it is still needed, declare a new emergency."
        )
        raise NotAllowed(run.change.id, [over])


def _wait(run: Run, refused: NotAllowed, *, take_over: bool, person: str) -> NoReturn:
    """Come back in a second, if those who hold the targets may still let go of them; with `take_over`, end them."""
    holders = leases.held_by_others(run.ledger, run.change.id, run.ticket.targets)
    if not all(holder.is_acting for holder in holders):
        _refuse(run, refused)
    waited = now() - changes.get(run.ledger, run.change.id).submitted_at
    if waited > LONGEST_WAIT:
        sentence = f"{_listed(holders)}, after {LONGEST_WAIT.seconds // 60} minutes"
        remedy = "Look at that change; then declare the emergency anew with `held: take_over`."
        _refuse(run, NotAllowed(run.change.id, [Finding(TARGET_HELD, sentence, remedy)]))
    log.info("waiting until they are free: %s", _listed(holders))
    if take_over:
        for change in {holder.change for holder in holders}:
            _end(run, change, person)
    raise AirflowRescheduleException(now() + SOON)


def _end(run: Run, holder: str, person: str) -> None:
    """Have a change rolled back in favour of an emergency; who may not abort it waits for it."""

    def objection(change: str) -> Finding | None:
        return why_not("abort_change", {"change": change}, person, is_operator=is_listed_operator(person))

    emergency = TakesOver(run.change.id, run.ticket.summary, person)
    if news := taking_over.end(run.ledger, holder, emergency, objection, now=now()):
        log.warning("%s", news)


def _refuse(run: Run, refused: ChangeError) -> NoReturn:
    """Close the change, unless it acts or has ended: whoever clears the task of an old run changes nothing."""
    reason = "\n".join(refused.reasons) if isinstance(refused, NotAllowed) else str(refused)
    emergencies.refuse(run.ledger, run.change.id, reason=reason, now=now())
    raise refused


def _listed(holders: tuple[HeldTarget, ...]) -> str:
    return ", ".join(f"{holder.target} is held by {holder.change}" for holder in holders)
