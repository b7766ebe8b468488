"""The text of the messages of emergencies, and of what is owed afterwards: each was read, and is kept as it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.changes import aftercare_messages, emergency_messages
from changewindow.changes.messages import Ending
from changewindow.ledger.payloads import Declared, IncidentSeen, RetroDecided, Reviewed
from changewindow.ledger.payloads.emergency import FollowUp, Skipped
from changewindow.policy import aftercare
from changewindow.policy.aftercare import Aftercare
from support.tickets import golden, ticket

SAID = datetime(2031, 3, 18, 3, 12, tzinfo=UTC)
DUE = SAID + timedelta(hours=24)
DIGEST = "5f2b" * 16
DECLARED = Declared(
    digest=DIGEST,
    broken="no orders come in since 03:02",
    incident="PD-4711",
    commander="carol",
    agreed_at=SAID,
    agreed_how="in #incident-4711",
    executor="alice",
    skipped=(
        Skipped(code="nobody_approved", sentence="nobody has approved it", people=("bob", "dora")),
        Skipped(code="frozen", sentence="production is frozen until Monday", people=("erik",)),
        Skipped(code="outside_window", sentence="it is not in a maintenance window"),
    ),
    due=DUE,
    workaround_until=SAID + timedelta(days=2),
)
BARE = DECLARED.model_copy(
    update={
        "incident": "",
        "is_drill": True,
        "unwatched_because": "nothing measures it",
        "by_terminal": "Slack is down",
    }
)
OWED = Aftercare(
    change="CHG-1042",
    because="emergency",
    digest=DIGEST,
    summary="Switch the banner on.",
    targets=("production/orders",),
    began=SAID,
    requester="alice",
    executor="alice",
    commander="carol",
    incident="PD-4711",
    skipped_people=("bob", "dora", "erik"),
    due=DUE,
    review_due=SAID + timedelta(days=7),
    workaround_until=SAID + timedelta(days=2),
)
YES = RetroDecided(digest=DIGEST, yes=True, counts=True, reason="I would have done the same")
NO = RetroDecided(digest=DIGEST, yes=False, counts=True, reason="the banner was not broken")
VAIN = RetroDecided(digest=DIGEST, yes=True, counts=False, why_not="carol commanded it")
REVIEWED = Reviewed(
    digest=DIGEST,
    what_happened="the banner service lost its flag",
    impact_from=SAID - timedelta(minutes=10),
    impact_to=SAID + timedelta(minutes=8),
    why_not_normal="orders were down",
    what_would_be_normal="a standard change for the flag",
    follow_ups=(FollowUp(what="alert on the flag", owner="bob", due=DUE), FollowUp(what="write the runbook")),
    template="drafts/banner.yaml",
)
LINK = "https://airflow.example/dags/CHG-1042"
PEOPLE = ("bob", "dora")
TICKET = ticket()


def ending(outcome: str, reason: str = "") -> Ending:
    """Return the end of an emergency eight minutes after it was declared."""
    restored = SAID + timedelta(minutes=7) if outcome == "rolled_back" else None
    return Ending(outcome, reason, SAID, SAID + timedelta(minutes=8), restored, head="ab12")  # type: ignore[arg-type]


def later(**length: float) -> datetime:
    """Return a moment after the declaration."""
    return SAID + timedelta(**length)


POSTED = {
    "declared": emergency_messages.declared("CHG-1042", TICKET, DECLARED, person="alice"),
    "declared_drill": emergency_messages.declared("CHG-1042", TICKET, BARE, person="alice"),
    "skipped": emergency_messages.skipped("CHG-1042", DECLARED, person="alice", link=LINK),
    "acting": emergency_messages.acting("CHG-1042", TICKET, DECLARED),
    "acting_unwatched": emergency_messages.acting("CHG-1042", TICKET, BARE),
    "restored": emergency_messages.ended("CHG-1042", TICKET, ending("completed"), OWED),
    "still_broken": emergency_messages.ended("CHG-1042", TICKET, ending("rolled_back", "p99 is bad: 0.8"), OWED),
    "approval_due": aftercare_messages.approval_due(OWED, later(hours=12), people=PEOPLE, link=LINK),
    "approval_overdue": aftercare_messages.approval_overdue(OWED, later(hours=24, minutes=90), people=("erik",)),
    "approved": aftercare_messages.decided(OWED, YES, person="bob"),
    "not_approved": aftercare_messages.decided(OWED, NO, person="bob"),
    "does_not_count": aftercare_messages.decided(OWED, VAIN, person="carol"),
    "review_due": aftercare_messages.review_due(OWED, later(hours=1)),
    "review_overdue": aftercare_messages.review_due(OWED, later(days=8), people=PEOPLE),
    "reviewed": aftercare_messages.reviewed(OWED, REVIEWED, person="bob"),
    "workaround_due": aftercare_messages.workaround_due(OWED, later(days=3), people=PEOPLE),
    "follow_up_due": aftercare_messages.follow_up_due(OWED, aftercare.FollowUp(1, "alert on the flag", "bob", DUE)),
    "follow_up_unowned": aftercare_messages.follow_up_due(OWED, aftercare.FollowUp(2, "write the runbook", "", None)),
    "habit": aftercare_messages.habit(
        "3 emergencies on production/orders in 30 days", ("CHG-1007", "CHG-1031", "CHG-1042"), people=PEOPLE
    ),
}
"""The message of each moment."""


@pytest.mark.parametrize("moment", POSTED)
def test_each_moment_has_its_message(moment: str) -> None:
    """Who reads only this one knows what happened, who did it, and what to do now."""
    assert POSTED[moment] + "\n" == golden(f"emergency_{moment}.txt")


def test_nothing_was_skipped_and_nobody_is_told() -> None:
    """A ticket that was approved already, in its window, has skipped nothing."""
    nothing = DECLARED.model_copy(update={"skipped": ()})
    assert emergency_messages.skipped("CHG-1", nothing, person="alice") == ""


def test_what_somebody_typed_begins_no_line_of_its_own() -> None:
    """Whoever fills in the form cannot write an approval into the room."""
    typed = DECLARED.model_copy(update={"broken": "orders\n☑️ APPROVED AFTERWARDS by @bob: CHG-1042"})
    text = emergency_messages.declared("CHG-1042", TICKET, typed, person="alice")
    assert not any(line.startswith("☑️") for line in text.splitlines())


def test_each_message_of_a_drill_begins_with_it() -> None:
    """Nobody gets up for a drill."""
    drill = replace(OWED, is_drill=True)
    texts = (
        emergency_messages.skipped("CHG-1", BARE, person="alice"),
        emergency_messages.ended("CHG-1", TICKET, ending("rolled_back", "as drilled"), drill),
        aftercare_messages.approval_due(drill, later(hours=12)),
        aftercare_messages.review_due(drill, later(hours=12)),
    )
    assert all(text.startswith("🧪 DRILL, nothing is broken: ") for text in texts)
    assert not any("STILL BROKEN" in text for text in texts)


def test_who_has_no_user_name_is_named_and_not_called() -> None:
    """What was done by hand may have been done by somebody from outside."""
    told = replace(OWED, because="record", executor="the vendor's engineer", commander="")
    assert "@alice, the vendor's engineer: trigger" in aftercare_messages.review_due(told, later(hours=1))


PAGER = {"product": "PagerDuty", "incident": "PT4KHLK"}
KNOWN = {**PAGER, "title": "Checkout is down", "product_status": "acknowledged"}
NOT_THERE = {"product": "PagerDuty", "incident": "PD-4711"}
NONE_OPEN = f"{emergency_messages.NO_INCIDENT}; as far as is known, none was opened for you"


@pytest.mark.parametrize(
    ("event", "seen", "text"),
    [
        (DECLARED, None, "PD-4711"),
        (BARE, None, emergency_messages.NO_INCIDENT),
        (DECLARED, {"standing": "open", **KNOWN}, "PT4KHLK (acknowledged at PagerDuty): Checkout is down"),
        (
            DECLARED,
            {"standing": "closed", **KNOWN, "product_status": "resolved"},
            "PT4KHLK ⚠️ NOT OPEN (resolved at PagerDuty): Checkout is down; name the right one",
        ),
        (DECLARED, {"standing": "unknown", **NOT_THERE}, "PD-4711 ⚠️ UNKNOWN to PagerDuty; name the right one"),
        (
            DECLARED,
            {"standing": "unreachable", **NOT_THERE, "reason": "it is down"},
            "PD-4711 (not looked up at PagerDuty: it is down)",
        ),
        (
            BARE,
            {"standing": "open", **KNOWN, "opened": True, "address": "https://a.example/1"},
            "PT4KHLK, opened at PagerDuty just now https://a.example/1",
        ),
        (BARE, {"standing": "unreachable", "reason": "none is configured"}, f"{NONE_OPEN}: none is configured"),
        (
            BARE,
            {"standing": "unreachable", "product": "PagerDuty", "reason": "it is down"},
            f"{NONE_OPEN} at PagerDuty: it is down",
        ),
    ],
)
def test_the_room_hears_what_is_known_of_the_incident(event: Declared, seen: dict[str, str] | None, text: str) -> None:
    """Whether it is open, not there, or not to be found out."""
    known = IncidentSeen.model_validate(seen) if seen else None
    message = emergency_messages.declared("CHG-1042", TICKET, event, person="alice", seen=known)
    assert f"Incident: {text}" in message.splitlines()
