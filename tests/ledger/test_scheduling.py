"""What went wrong elsewhere, asked of the ledger: late, edited, rejected, stopped, aborted, collided."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import ApprovalRefused, NotAllowed
from changewindow.ledger import approvals, changes, events, leases, payloads, queries, step_locks, stops
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Lease
from changewindow.policy.assessment import Assessment
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import Intent
from changewindow.ticket.reader import build_ticket
from support.changes import NOW, approved, extended, intent
from support.tickets import POLICY

TARGETS = ("production/orders",)
LATER = NOW + timedelta(minutes=5)


def refusal(ledger: Ledger, change: str, wanted: Intent, **given: Any) -> list[str]:
    """Return why a change may not start, or nothing when it has started."""
    try:
        leases.start(ledger, change, wanted, **{"targets": TARGETS, "now": NOW, **given})
    except NotAllowed as refused:
        return refused.reasons
    return []


def edited(data: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return the ticket with another text."""
    return {**data, "details": "edited", **changed}


def test_a_parameter_edited_after_approval_drops_the_approval(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """The approval binds text, parameters and plan: the old file is refused, and the new text has to be approved."""
    submitted = approved(ledger, ticket_data)
    parameters = {"version": {**ticket_data["parameters"]["version"], "default": "v9", "allowed": ["v9"]}}
    data = {**ticket_data, "parameters": parameters}
    new = changes.revise(ledger, submitted.change, data, person="alice", now=NOW)
    assert new.digest != submitted.digest
    assert "is not the newest one" in refusal(ledger, submitted.change, intent(submitted.digest))[0]
    assert "is not the approved one" in refusal(ledger, submitted.change, intent(new.digest))[0]


def test_an_identical_resubmission_keeps_the_approval(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """The same text, in whatever order its fields come, changes nothing."""
    submitted = approved(ledger, ticket_data)
    again = changes.revise(ledger, submitted.change, dict(reversed(ticket_data.items())), person="alice", now=NOW)
    assert not again.is_new_text
    assert refusal(ledger, submitted.change, intent(submitted.digest)) == []


def test_a_rejected_change_triggered_by_hand_is_refused(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A rejection ends it, whoever triggers it and whoever approves it later."""
    submitted = changes.submit(ledger, ticket_data, requester="alice", now=NOW)
    approvals.decide(ledger, submitted.change, intent(submitted.digest), person="bob", is_yes=False, now=NOW)
    assert changes.get(ledger, submitted.change).status == "rejected"
    assert "it is closed: rejected" in refusal(ledger, submitted.change, intent(submitted.digest))[0]
    with pytest.raises(ApprovalRefused, match="is rejected; nothing waits"):
        approvals.decide(ledger, submitted.change, intent(submitted.digest), person="carol", is_yes=True, now=NOW)


def test_an_approval_after_the_window_has_no_effect(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A late click is told what to do instead."""
    submitted = changes.submit(ledger, ticket_data, requester="alice", now=NOW)
    late = NOW + timedelta(hours=2)
    with pytest.raises(ApprovalRefused, match=r"the window ended .* run reslot_change"):
        approvals.decide(ledger, submitted.change, intent(submitted.digest), person="bob", is_yes=True, now=late)
    assert changes.get(ledger, submitted.change).status == "submitted"


def test_a_second_level_is_asked_after_the_first(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Two levels need two persons, in order; only then it is approved."""
    levels = (RequiredApproval("peer", 1, ("bob", "carol")), RequiredApproval("lead", 1, ("carol", "dora")))
    submitted = changes.submit(ledger, ticket_data, requester="alice", now=NOW)
    wanted = intent(submitted.digest, approvals=levels)
    with pytest.raises(ApprovalRefused, match=r"does not count at level 'peer'.*asked are: bob, carol"):
        approvals.decide(ledger, submitted.change, wanted, person="dora", is_yes=True, now=NOW)
    asked = approvals.decide(ledger, submitted.change, wanted, person="carol", is_yes=True, now=NOW)
    assert asked is not None
    assert asked.people == ("dora",)
    with pytest.raises(ApprovalRefused, match="carol's yes does not count"):
        approvals.decide(ledger, submitted.change, wanted, person="carol", is_yes=True, now=NOW)
    assert (
        "level 'lead' lacks 1 of 1 approvals. Ask dora to approve it." in refusal(ledger, submitted.change, wanted)[0]
    )
    assert approvals.decide(ledger, submitted.change, wanted, person="dora", is_yes=True, now=NOW) is None
    assert changes.get(ledger, submitted.change).status == "approved"
    assert refusal(ledger, submitted.change, wanted) == []


def test_a_policy_that_asks_for_more_after_the_approval_is_heard_at_the_gate(
    ledger: Ledger, ticket_data: dict[str, Any]
) -> None:
    """What counts is what the policy asks for when the change starts."""
    submitted = approved(ledger, ticket_data)
    stricter = (*intent(submitted.digest).approvals, RequiredApproval("lead", 1, ("dora",)))
    assert "level 'lead' lacks 1" in refusal(ledger, submitted.change, intent(submitted.digest, approvals=stricter))[0]


def test_an_approval_that_expired_can_be_given_again(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """By the same person; also after the gate has refused it."""
    submitted = approved(ledger, ticket_data)
    late = NOW + timedelta(hours=2)
    extended(ledger, submitted.change, NOW + timedelta(hours=9), NOW)
    wanted = intent(submitted.digest, closes=NOW + timedelta(hours=9))
    assert "the approval of bob expired" in refusal(ledger, submitted.change, wanted, now=late)[0]
    changes.close(ledger, submitted.change, run="run-1", outcome="refused", reason="expired", now=late)
    assert approvals.decide(ledger, submitted.change, wanted, person="bob", is_yes=True, now=late) is None
    assert changes.get(ledger, submitted.change).status == "approved"
    assert refusal(ledger, submitted.change, wanted, now=late) == []


def test_a_standard_change_needs_no_further_approval(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Where the policy asks nobody, the change is approved as soon as that is asked."""
    submitted = changes.submit(ledger, ticket_data, requester="alice", now=NOW)
    assert approvals.asked(ledger, submitted.change, intent(submitted.digest, approvals=()), now=NOW) is None
    assert changes.get(ledger, submitted.change).status == "approved"


def moved(data: dict[str, Any], day: int = 19) -> dict[str, Any]:
    """Return the ticket with its window on another day."""
    return {**data, "window": {"zone": "UTC", "start": f"2031-03-{day} 14:00", "end": f"2031-03-{day} 15:00"}}


@pytest.mark.parametrize("keeps", [True, False])
def test_a_missed_change_gets_a_new_window(ledger: Ledger, ticket_data: dict[str, Any], keeps: bool) -> None:  # noqa: FBT001
    """Its approvals are kept if the policy says so, and the old file starts nothing any more."""
    submitted = approved(ledger, ticket_data, valid=timedelta(days=2))
    changes.close(ledger, submitted.change, run="late", outcome="missed", reason="late", now=NOW)
    new = changes.revise(ledger, submitted.change, moved(ticket_data), person="alice", now=NOW, keeps=keeps)
    tomorrow = NOW + timedelta(days=1)
    wanted = intent(new.digest, approvals=(RequiredApproval("peer", 1),))
    reasons = refusal(ledger, submitted.change, wanted, now=tomorrow)
    assert reasons == [] if keeps else "is not the approved one" in reasons[0]


def test_an_approval_that_is_kept_keeps_its_name(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """The record says who approved it, not that the policy did."""
    submitted = approved(ledger, ticket_data, person="bob", valid=timedelta(days=2))
    new = changes.revise(ledger, submitted.change, moved(ticket_data), person="alice", now=NOW, keeps=True)
    wanted = intent(new.digest, approvals=(RequiredApproval("peer", 1),))
    assert approvals.asked(ledger, submitted.change, wanted, now=NOW) is None
    names = [row.actor for row in events.history(ledger, submitted.change, EventKind.APPROVED)]
    assert names == ["bob", "bob"]


def test_a_schedule_edited_seconds_before_its_start_gives_one_run(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """The run of the old text is refused, that of the new one starts, and a third finds it acting."""
    submitted = approved(ledger, ticket_data, valid=timedelta(days=2))
    new = changes.revise(
        ledger, submitted.change, moved(ticket_data, 18) | {"details": "x"}, person="alice", now=NOW, keeps=True
    )
    assert "is not the newest one" in refusal(ledger, submitted.change, intent(submitted.digest, "old"))[0]
    assert refusal(ledger, submitted.change, intent(new.digest, "new")) == []
    assert "run new of this change is acting" in refusal(ledger, submitted.change, intent(new.digest, "third"))[0]


def test_a_change_that_acts_gets_no_new_text(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Neither does one that is closed."""
    submitted = approved(ledger, ticket_data)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    with pytest.raises(NotAllowed, match=r"it is running\. Wait for its end, or run abort_change"):
        changes.revise(ledger, submitted.change, edited(ticket_data), person="alice", now=NOW)


def test_the_line_is_stopped_and_lifted(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """While it is stopped nothing starts and no step is applied; rollbacks and emergencies go on."""
    submitted, other = approved(ledger, ticket_data), approved(ledger, edited(ticket_data))
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    stops.stop(ledger, person="dora", reason="the database is on fire", now=NOW, until=NOW + timedelta(hours=1))
    sentence = "the line is stopped by dora until 2031-03-18 15:10 UTC: the database is on fire"
    assert sentence in refusal(ledger, other.change, intent(other.digest), targets=("production/b",))[0]
    with pytest.raises(NotAllowed, match="the line is stopped"):
        leases.require_running(ledger, submitted.change, run="run-1", now=LATER, forward=intent(submitted.digest))
    leases.require_running(ledger, submitted.change, run="run-1", now=LATER)
    urgent = intent(other.digest, is_emergency=True)
    assert refusal(ledger, other.change, urgent, targets=("production/b",)) == []
    assert stops.lift(ledger, person="erik", now=LATER) == [sentence]
    assert stops.in_force(ledger, LATER) == ()
    leases.require_running(ledger, submitted.change, run="run-1", now=LATER, forward=intent(submitted.digest))


def test_a_stop_ends_by_itself(ledger: Ledger) -> None:
    """At its end it is no more; one that would end before it begins is refused."""
    stops.stop(ledger, person="dora", reason="x", now=NOW, until=LATER)
    assert stops.in_force(ledger, LATER) == ()
    assert len(stops.in_force(ledger, LATER - timedelta(seconds=1))) == 1
    with pytest.raises(NotAllowed, match="before it begins"):
        stops.stop(ledger, person="dora", reason="x", now=NOW, until=NOW)


def test_cancelling_is_for_what_waits(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A cancelled change never starts; one that acts is told how to end it."""
    submitted = approved(ledger, ticket_data)
    changes.cancel(ledger, submitted.change, person="alice", reason="not needed", now=NOW)
    assert refusal(ledger, submitted.change, intent(submitted.digest)) == [
        "it is closed: cancelled. Submit a new ticket to do it again. [closed]"
    ]
    other = approved(ledger, edited(ticket_data))
    leases.start(ledger, other.change, intent(other.digest), targets=TARGETS, now=NOW)
    with pytest.raises(NotAllowed, match="To end what acts, run abort_change"):
        changes.cancel(ledger, other.change, person="alice", reason="x", now=NOW)


def test_an_abort_stops_a_step_that_applies_and_leaves_a_rollback_alone(
    ledger: Ledger, ticket_data: dict[str, Any]
) -> None:
    """The lock of a forward step is revoked, no further step may act, and an undo keeps its lock.

    Who aborts it first is who has done so, for the reason that they gave.
    """
    submitted = approved(ledger, ticket_data)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    held = step_locks.take(ledger, submitted.change, "run-1/apply_1", now=NOW, is_forward=True)
    assert changes.abort(ledger, submitted.change, person="dora", reason="looks bad", now=NOW) == "rolled back"
    assert not step_locks.renew(ledger, held, now=NOW)
    with pytest.raises(NotAllowed, match="aborted by dora: looks bad"):
        leases.require_running(ledger, submitted.change, run="run-1", now=NOW, forward=intent(submitted.digest))
    assert queries.ended_by_hand(ledger, NOW) == {submitted.change: "aborted by dora: looks bad"}
    step_locks.release(ledger, held)
    undoing = step_locks.take(ledger, submitted.change, "run-1/undo_1", now=NOW)
    with pytest.raises(NotAllowed, match=r"it was aborted by dora: looks bad\. Wait for the end of the run"):
        changes.abort(ledger, submitted.change, person="bob", reason="me too", now=NOW)
    assert step_locks.renew(ledger, undoing, now=NOW)
    leases.require_running(ledger, submitted.change, run="run-1", now=NOW)


def test_an_abort_of_what_waits_cancels_it(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Nothing was touched; a closed change cannot be aborted."""
    submitted = approved(ledger, ticket_data)
    assert changes.abort(ledger, submitted.change, person="dora", reason="x", now=NOW) == "cancelled"
    assert queries.ended_by_hand(ledger, NOW - timedelta(minutes=1)) == {submitted.change: "aborted by dora: x"}
    with pytest.raises(NotAllowed, match=r"it is cancelled\. Nothing acts"):
        changes.abort(ledger, submitted.change, person="dora", reason="x", now=NOW)


def test_an_extended_window_is_the_one_that_counts(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A change that would be late starts, and one cannot be shortened."""
    submitted = approved(ledger, ticket_data)
    late = NOW + timedelta(minutes=48)
    assert "the window has 2m left" in refusal(ledger, submitted.change, intent(submitted.digest), now=late)[0]
    extended(ledger, submitted.change, NOW + timedelta(hours=1), late)
    assert refusal(ledger, submitted.change, intent(submitted.digest), now=late) == []
    with pytest.raises(NotAllowed, match="Name a later end"):
        extended(ledger, submitted.change, NOW, late)


def test_a_window_ends_no_later_than_a_ticket_may_say(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Housekeeping adds to the ends of windows, and after the year 9999 there is nothing."""
    change = approved(ledger, ticket_data).change
    with pytest.raises(NotAllowed, match="the window of no change ends as late as 3000-01-01 00:00 UTC"):
        extended(ledger, change, datetime(3000, 1, 1, tzinfo=UTC), NOW)
    extended(ledger, change, datetime(2999, 12, 31, 23, 59, tzinfo=UTC), NOW)


def test_the_window_of_another_text_is_not_extended(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A yes and a new text may come at the same moment; whoever said yes was shown the one before."""
    submitted = approved(ledger, ticket_data)
    changes.revise(ledger, submitted.change, {**ticket_data, "summary": "Another one"}, person="alice", now=NOW)
    with pytest.raises(NotAllowed, match="it has another text or window by now"):
        extended(ledger, submitted.change, NOW + timedelta(hours=9), NOW, digest=submitted.digest)
    now_shown = changes.get(ledger, submitted.change).digest
    extended(ledger, submitted.change, NOW + timedelta(hours=9), NOW, digest=now_shown)
    assert changes.get(ledger, submitted.change).closes == NOW + timedelta(hours=9)


def test_a_failed_rollback_is_released_by_a_person(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """The target is held until somebody releases it, by name and with a reason; an acting change keeps its own."""
    submitted, other = approved(ledger, ticket_data), approved(ledger, edited(ticket_data))
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    with pytest.raises(NotAllowed, match="Run abort_change"):
        leases.release(ledger, TARGETS[0], person="dora", reason="x", now=NOW)
    changes.close(ledger, submitted.change, run="run-1", outcome="rollback_failed", reason="conflict", now=NOW)
    assert f"production/orders is held by {submitted.change}" in refusal(ledger, other.change, intent(other.digest))[0]
    assert leases.release(ledger, TARGETS[0], person="dora", reason="put in order by hand", now=NOW) == submitted.change
    assert refusal(ledger, other.change, intent(other.digest)) == []
    last = events.history(ledger, submitted.change)[-1]
    assert (last.kind, last.actor) == ("released", "dora")


def test_a_run_that_died_is_taken_back_by_another_one(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Nothing forward starts again; a rollback does, even when the approval has expired meanwhile."""
    submitted = approved(ledger, ticket_data)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assert leases.orphan(ledger, submitted.change, run="run-1", now=NOW)
    assert "its run died" in refusal(ledger, submitted.change, intent(submitted.digest, "run-2"))[0]
    back = replace(intent(submitted.digest, "back"), mode="rollback")
    assert refusal(ledger, submitted.change, back, now=NOW + timedelta(days=40)) == []
    assert not leases.orphan(ledger, submitted.change, run="run-1", now=NOW)


def test_a_restored_backup_runs_nothing_late(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A ledger that has forgotten how a change ended still knows its window."""
    submitted = approved(ledger, ticket_data, valid=timedelta(days=2))
    place = Path(str(ledger.url.database))
    with closing(sqlite3.connect(place)) as live, closing(sqlite3.connect(place.with_name("backup"))) as backup:
        live.backup(backup)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="", now=NOW)
    with closing(sqlite3.connect(place)) as live, closing(sqlite3.connect(place.with_name("backup"))) as backup:
        backup.backup(live)
    assert changes.get(ledger, submitted.change).status == "approved"
    assert (
        "the window ended"
        in refusal(ledger, submitted.change, intent(submitted.digest), now=NOW + timedelta(hours=3))[0]
    )


def test_a_lease_is_renewed_while_its_change_acts(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """It lives as long as the window, and longer when the rollback begins late; its token only grows."""
    submitted = approved(ledger, ticket_data)
    token = leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)

    def lives_until() -> datetime:
        with ledger.reading() as session:
            return session.get_one(Lease, TARGETS[0]).expires_at

    assert lives_until() == NOW + timedelta(minutes=50)
    late = NOW + timedelta(minutes=45)
    leases.require_running(ledger, submitted.change, run="run-1", now=late)
    assert lives_until() == late + timedelta(minutes=15)
    changes.close(ledger, submitted.change, run="run-1", outcome="rollback_failed", reason="", now=late)
    assert lives_until() == late + timedelta(minutes=15)
    leases.release(ledger, TARGETS[0], person="dora", reason="done", now=late)
    other = approved(ledger, edited(ticket_data))
    assert leases.start(ledger, other.change, intent(other.digest), targets=TARGETS, now=NOW) > token


def test_a_dependent_that_acts_blocks_at_the_gate(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """The gate asks about what acts in the same transaction in which it takes the lease."""
    needed = edited(ticket_data, services=["catalogue"])
    submitted, other = approved(ledger, ticket_data), approved(ledger, needed)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assessment = Assessment(POLICY, build_ticket(needed), needed, other.change)
    reasons = refusal(
        ledger, other.change, intent(other.digest), targets=("production/catalogue",), assessment=assessment
    )
    [reason] = [reason for reason in reasons if "[no_overlap]" in reason]
    assert reason.startswith(f"{submitted.change} touches production/orders")
    assert "production/orders needs production/catalogue" in reason
    assert reason.endswith("[no_overlap]")


def test_changes_that_meet_are_found(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Waiting ones whose window overlaps, and those that hold their targets whatever their window."""
    submitted, other = approved(ledger, ticket_data), approved(ledger, moved(ticket_data))

    def near(start: timedelta) -> list[str]:
        return [change.change for change in queries.others(ledger, NOW + start, NOW + start + timedelta(hours=1))]

    assert near(timedelta(0)) == [submitted.change]
    assert near(timedelta(days=1)) == [other.change]
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assert near(timedelta(days=1)) == [submitted.change, other.change]
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="", now=NOW)
    assert near(timedelta(0)) == []


def test_what_acts_wants_a_worker_once_its_last_step_is_applied(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Until its watch has begun; then again when it is rolled back, until it is closed."""
    submitted = approved(ledger, ticket_data)
    assert queries.on_the_way_back(ledger) == 0
    assert refusal(ledger, submitted.change, intent(submitted.digest)) == []
    happened: list[tuple[payloads.Payload, int]] = [
        (payloads.Remembered(step=1, name="Act", remembered={}), 0),
        (payloads.Applied(step=1, name="Act"), 1),
        (payloads.Watching(since=NOW, seconds=60), 0),
        (payloads.WatchDecided(route="undo", reason="bad"), 1),
        (payloads.Undoing(step=1, name="Act"), 1),
        (payloads.Undone(step=1, name="Act"), 0),
        (payloads.NotVerified(verdict="fail", reason="bad", samples=1, readings=()), 1),
    ]
    for payload, wanted in happened:
        events.record(ledger, events.Event(submitted.change, "run-1/task", NOW, payload))
        assert queries.on_the_way_back(ledger) == wanted
    changes.close(ledger, submitted.change, run="run-1", outcome="rolled_back", reason="bad", now=NOW)
    assert queries.on_the_way_back(ledger) == 0
