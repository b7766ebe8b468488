"""How a change ended."""

import pytest

from changewindow.policy.outcome import Left, outcome


def left(**changed: object) -> Left:
    """Return what is left of a change that was rolled back wholly."""
    fields = {
        "refusal": None,
        "is_through_gate": True,
        "is_kept": False,
        "started": (1, 2),
        "not_undone": (),
        "is_verified": True,
        "reason": "it was bad",
        **changed,
    }
    return Left(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "ended", "expected"),
    [
        pytest.param(left(), "rolled_back", "it was bad", id="undone and verified"),
        pytest.param(left(is_kept=True), "completed", "it was bad", id="proven good"),
        pytest.param(left(not_undone=((2, "no"),)), "rollback_failed", "undo of step 2: no", id="one undo failed"),
        pytest.param(
            left(not_undone=((2, "it is stuck."),)),
            "rollback_failed",
            "undo of step 2: it is stuck.\nRolled back because: it was bad",
            id="a reason that is a sentence",
        ),
        pytest.param(
            left(is_verified=False, not_verified="500"), "rollback_failed", "not verified: 500", id="not as before"
        ),
        pytest.param(left(started=()), "refused", "it was bad", id="no step started"),
        pytest.param(left(started=(), is_aborted=True), "cancelled", "it was bad", id="aborted before a step started"),
        pytest.param(
            left(is_through_gate=False, started=()), "cancelled", "before its gate", id="ended by hand before the gate"
        ),
        pytest.param(
            left(refusal=("missed", "late"), is_through_gate=False),
            "missed",
            "late",
            id="the gate said late",
        ),
    ],
)
def test_a_change_ends(what: Left, ended: str, expected: str) -> None:
    """The outcome is true, and its reason is kept apart from it."""
    status, reason = outcome(what)
    assert status == ended
    assert expected in reason
