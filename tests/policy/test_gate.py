"""Why a change may not act."""

from datetime import UTC, datetime, timedelta

import pytest

from changewindow.policy.gate import Intent, Standing, outcome_of_refusal, reasons
from changewindow.policy.sign_off import RecordedApproval

NOW = datetime(2031, 3, 18, 14, 10, tzinfo=UTC)
YES = RecordedApproval("bob", "d1", is_yes=True, expires_at=NOW + timedelta(hours=1))
OPENS = NOW - timedelta(minutes=10)
INTENT = Intent("run-1", "d1", OPENS, OPENS + timedelta(hours=1), timedelta(minutes=20))


def standing(status: str = "approved", **changed: object) -> Standing:
    """Return the standing of an approved change."""
    fields = {"status": status, "requester": "alice", "run": None, "approvals": (YES,), **changed}
    return Standing(**fields)  # type: ignore[arg-type]


def intent(**changed: object) -> Intent:
    """Return what the run wants."""
    return Intent(**{**INTENT.__dict__, **changed})


CASES = [
    pytest.param(standing(), INTENT, NOW, None, "refused", id="an approved change in its window may act"),
    pytest.param(standing("refused"), INTENT, NOW, None, "refused", id="a refused change may be tried again"),
    pytest.param(
        standing("submitted", approvals=()), INTENT, NOW, "nobody has approved it", "refused", id="nobody approved"
    ),
    pytest.param(standing(), intent(digest="d2"), NOW, "not the approved one", "refused", id="another text"),
    pytest.param(
        standing(approvals=(RecordedApproval("Alice", "d1", True, YES.expires_at),)),
        INTENT,
        NOW,
        "only its requester",
        "refused",
        id="the requester's own approval does not count",
    ),
    pytest.param(
        standing(approvals=(RecordedApproval("bob", "d1", True, NOW),)),
        INTENT,
        NOW,
        "expired",
        "refused",
        id="an approval that expires now has expired",
    ),
    pytest.param(
        standing(approvals=(YES, RecordedApproval("carol", "d1", False, NOW))),
        INTENT,
        NOW,
        "carol rejected it",
        "refused",
        id="one no outweighs a yes",
    ),
    pytest.param(standing("completed"), INTENT, NOW, "it is closed: completed", "refused", id="a closed change"),
    pytest.param(standing("missed"), INTENT, NOW, "it is closed: missed", "refused", id="a missed change"),
    pytest.param(standing("running", run="run-0"), INTENT, NOW, "run-0 of this change is acting", "refused", id="two"),
    pytest.param(
        standing(held=(("test/a", "CHG-7"),)), INTENT, NOW, "test/a is held by CHG-7", "refused", id="a held target"
    ),
    pytest.param(standing(), INTENT, OPENS - timedelta(minutes=1), "the window opens", "refused", id="too early"),
    pytest.param(standing(), INTENT, NOW + timedelta(minutes=31), "has 19m left", "missed", id="no longer enough time"),
    pytest.param(standing(), INTENT, NOW + timedelta(minutes=30), None, "refused", id="exactly enough time"),
    pytest.param(
        standing(approvals=(RecordedApproval("bob", "d1", True, NOW + timedelta(days=1)),)),
        INTENT,
        NOW + timedelta(hours=2),
        "the window ended",
        "missed",
        id="after the window",
    ),
    pytest.param(
        standing("completed"),
        intent(mode="rollback"),
        NOW + timedelta(minutes=55),
        None,
        "refused",
        id="back later",
    ),
    pytest.param(standing(), intent(mode="rollback"), NOW, "only a completed change", "refused", id="too soon"),
]


@pytest.mark.parametrize(("known", "wanted", "now", "says", "outcome"), CASES)
def test_the_gate_answers(known: Standing, wanted: Intent, *, now: datetime, says: str | None, outcome: str) -> None:
    """Each reason is said; lateness alone is `missed`."""
    found = reasons(known, wanted, now)
    assert (found == []) if says is None else (says in "; ".join(found))
    assert outcome_of_refusal(found, wanted, now) == outcome or not found


def test_all_reasons_are_said_at_once() -> None:
    """Whoever is refused learns everything that stands against it, and lateness is then not the only reason."""
    late = NOW + timedelta(hours=2)
    found = reasons(standing(approvals=(), held=(("test/a", "CHG-7"),)), INTENT, late)
    assert len(found) == 3
    assert outcome_of_refusal(found, INTENT, late) == "refused"


@pytest.mark.parametrize(("known", "wanted", "now", "says", "outcome"), CASES)
def test_a_refusal_says_what_to_do_now(
    known: Standing, wanted: Intent, *, now: datetime, says: str, outcome: str
) -> None:
    """What is wrong stands before the semicolon, what to do behind it."""
    for reason in reasons(known, wanted, now):
        wrong, _, remedy = reason.partition("; ")
        assert wrong
        assert remedy, reason


def test_it_cannot_start_while_the_line_is_stopped_or_the_newest_text_is_another() -> None:
    """An emergency goes on when the line is stopped; nothing goes on with an old text."""
    stopped = standing(stops=("the line is stopped; wait",))
    assert reasons(stopped, INTENT, NOW) == ["the line is stopped; wait"]
    assert reasons(stopped, intent(is_emergency=True), NOW) == []
    assert reasons(stopped, intent(mode="rollback"), NOW) != ["the line is stopped; wait"]
    assert "is not the newest one" in reasons(standing(digest="d2"), INTENT, NOW)[0]
