"""The forms of a review and of follow-ups: each field is read, and every mistake is named at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.changes.form import BadForm
from changewindow.changes.review_form import follow_up_of, review_of
from changewindow.policy.aftercare import Aftercare, Because

NOW = datetime(2031, 3, 18, 14, 10, tzinfo=UTC)
FORM = {
    "what_happened": "The pool was full.\nIt was restarted.",
    "impact_from": "2031-03-18T13:00+01:00",
    "impact_to": "2031-03-18 12:30",
    "why_not_normal": "Customers could not order",
    "what_would_be_normal": "A standard change that restarts it",
    "follow_ups": "alert earlier | @alice | 2031-04-01\n\nlarger pool | bob\nwrite the runbook",
    "template": "restart_orders",
}


def owed(because: Because = "emergency") -> Aftercare:
    """Return what a change owes."""
    return Aftercare("CHG-1", because, "d" * 64, "Restart it", ("production/orders",), NOW, "alice", review_due=NOW)


def review(because: Because = "emergency", **changed: Any) -> Any:
    """Read the form with some fields changed."""
    return review_of({**FORM, **changed}, owed(because), standards=("restart",), now=NOW)


def mistakes(because: Because = "emergency", **changed: Any) -> list[str]:
    """Return what is wrong with it."""
    with pytest.raises(BadForm) as refused:
        review(because, **changed)
    return list(refused.value.mistakes)


def test_each_field_is_read() -> None:
    """Moments are in UTC; a day is over in its evening; owner and day may be missing."""
    read = review()
    assert (read.digest, read.what_happened) == ("d" * 64, FORM["what_happened"])
    assert (read.impact_from, read.impact_to) == (NOW.replace(hour=12, minute=0), NOW.replace(hour=12, minute=30))
    assert [(each.what, each.owner, each.due) for each in read.follow_ups] == [
        ("alert earlier", "alice", datetime(2031, 4, 1, 23, 59, tzinfo=UTC)),
        ("larger pool", "bob", None),
        ("write the runbook", "", None),
    ]
    assert review(follow_ups=None, impact_from=None, impact_to="", template=None).follow_ups == ()


def test_what_looks_like_a_secret_is_hidden() -> None:
    """Everybody reads a review."""
    assert review(what_happened="We ran mysql --password=hunter2-9f3").what_happened == "We ran mysql --password=***"


@pytest.mark.parametrize(
    ("changed", "mistake"),
    [
        pytest.param({"what_happened": " "}, "what_happened: nothing is said. ", id="nothing said"),
        pytest.param({"why_not_normal": None}, "why_not_normal: nothing is said. ", id="no reason"),
        pytest.param({"what_would_be_normal": ""}, "what_would_be_normal: nothing is said. ", id="nothing learnt"),
        pytest.param({"impact_from": "noon"}, "impact_from: 'noon' is not a time like ", id="no time"),
        pytest.param({"impact_to": None}, "impact_from and impact_to: give both, ", id="half an impact"),
        pytest.param({"impact_to": "2031-03-18 11:00"}, "impact_to: 2031-03-18 11:00 UTC is before ", id="turned"),
        pytest.param({"impact_to": "2031-03-18 15:00"}, "impact_to: 2031-03-18 15:00 UTC has not come", id="goes on"),
        pytest.param({"follow_ups": "| alice | 2031-04-01"}, "follow_ups, line 1: ", id="nothing to do"),
        pytest.param({"follow_ups": "a | b | 2031-04-01 | c"}, "follow_ups, line 1: ", id="four parts"),
        pytest.param({"follow_ups": "ok\na | b c"}, "follow_ups, line 2: 'b c' is no user name", id="no user"),
        pytest.param({"follow_ups": "a | b | soon"}, "follow_ups, line 1: 'soon' is not a day like ", id="no day"),
        pytest.param({"follow_ups": "a | b | 2031-03-17"}, "follow_ups, line 1: 2031-03-17 has passed", id="past day"),
        pytest.param({"follow_ups": "a | b | 9999-12-31"}, "follow_ups, line 1: 9999-12-31 is too far", id="far day"),
        pytest.param({"follow_ups": "a\n" * 21}, "follow_ups: 21, 20 allowed", id="too many"),
        pytest.param({"template": "../restart"}, "template: '../restart' is no name ", id="a path"),
        pytest.param({"template": "restart"}, "template: there is a standard change 'restart' already", id="taken"),
    ],
)
def test_each_mistake_is_named(changed: dict[str, Any], mistake: str) -> None:
    """With its field, and what would be right."""
    [line] = mistakes(**changed)
    assert line.startswith(mistake)
    assert line.endswith(".")


def test_all_mistakes_are_named_at_once() -> None:
    """So that the form is filled in again once."""
    wrong = {"what_happened": "", "impact_from": "noon", "follow_ups": "a | b | soon", "template": "A"}
    assert [line.partition(":")[0] for line in mistakes(**wrong)] == [
        "what_happened",
        "impact_from",
        "follow_ups, line 1",
        "template",
    ]


def test_only_what_skipped_approval_has_to_say_why() -> None:
    """A change that was rolled back was a normal one."""
    for because in ("rolled_back", "rollback_failed"):
        assert review(because, why_not_normal="", what_would_be_normal="").why_not_normal == ""  # type: ignore[arg-type]
    assert len(mistakes("record", why_not_normal="", what_would_be_normal="")) == 2


FOLLOWED: dict[str, Any] = {"about": "2", "done": True, "reason": "The alert is there"}


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        pytest.param({}, ("follow_up:2", True, "", None), id="done"),
        pytest.param({"about": " Workaround "}, ("workaround", True, "", None), id="a workaround is gone"),
        pytest.param({"done": False, "owner": "@bob"}, ("follow_up:2", False, "bob", None), id="another owner"),
        pytest.param(
            {"about": "workaround", "done": False, "due": (NOW + timedelta(days=1)).isoformat()},
            ("workaround", False, "", NOW + timedelta(days=1)),
            id="it stays a day longer",
        ),
    ],
)
def test_what_became_of_it(changed: dict[str, Any], read: tuple[Any, ...]) -> None:
    """It is done, or has another owner or day."""
    followed = follow_up_of({**FOLLOWED, **changed}, now=NOW, run="follow_up/r")
    assert (followed.about, followed.done, followed.owner, followed.due) == read
    assert followed.run == "follow_up/r"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"about": "it"}, "about", id="neither a number nor the workaround"),
        pytest.param({"about": "0"}, "about", id="they count from 1"),
        pytest.param({"reason": ""}, "reason", id="no reason"),
        pytest.param({"owner": "bob"}, "done", id="done, and another owner"),
        pytest.param({"done": False}, "done, owner, due", id="nothing changes"),
        pytest.param({"done": False, "about": "workaround", "owner": "bob"}, "owner", id="the owner of a workaround"),
        pytest.param({"done": False, "due": "2031-03-17"}, "due", id="a day that has passed"),
        pytest.param({"done": False, "due": "9999-12-31"}, "due", id="a day that never comes"),
        pytest.param({"done": False, "due": "soon"}, "due", id="no day"),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(changed: dict[str, Any], field: str) -> None:
    """With the field that has to change."""
    with pytest.raises(BadForm) as refused:
        follow_up_of({**FOLLOWED, **changed}, now=NOW)
    [mistake] = str(refused.value).splitlines()
    assert mistake.startswith(f"{field}: ")
