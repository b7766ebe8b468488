"""The figures about emergencies, each with the changes behind it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.policy.aftercare import Aftercare, FollowUp, Retroactive
from changewindow.policy.population import Figure, Population, figures

SINCE = datetime(2031, 1, 1, tzinfo=UTC)
NOW = SINCE + timedelta(days=90)
DAY = timedelta(days=1)
EMERGENCY = Aftercare(
    change="CHG-1",
    because="emergency",
    digest="d" * 64,
    summary="Restart it.",
    targets=("production/orders",),
    began=NOW - 10 * DAY,
    requester="alice",
    incident="PD-1",
    due=NOW - 9 * DAY,
)


def yes(owed: Aftercare, after: timedelta, *, is_yes: bool = True) -> Aftercare:
    """Return it with a word that came after some time."""
    at = owed.began + after
    is_late = owed.due is not None and at > owed.due
    word = Retroactive("bob", owed.digest, is_yes, at, counts=not is_late, is_late=is_late)
    return replace(owed, words=(word,))


def named(change: str, **changed: object) -> Aftercare:
    """Return the emergency under another name, with some fields changed."""
    return replace(EMERGENCY, change=change, **changed)  # type: ignore[arg-type]


KNOWN = Population(
    SINCE,
    NOW,
    started=("CHG-1", "CHG-2", "CHG-3", "CHG-4", "CHG-5", "CHG-6", "CHG-7", "CHG-8", "CHG-9"),
    records=("CHG-10",),
    silent=("finding 7", "finding 9"),
    owing=(
        yes(EMERGENCY, timedelta(hours=2)),
        yes(named("CHG-2", incident=""), timedelta(hours=4)),
        yes(named("CHG-3"), timedelta(hours=30)),
        yes(named("CHG-4"), timedelta(hours=1), is_yes=False),
        named("CHG-5", review_due=NOW - DAY, workaround_until=NOW - DAY),
        named("CHG-6", is_drill=True, incident=""),
        named("CHG-7", because="rolled_back", due=None, review_due=NOW + DAY),
        named("CHG-10", because="record", began=NOW - timedelta(hours=1), due=NOW + DAY),
        named("CHG-11", has_acted=False, incident=""),
        named(
            "CHG-8",
            because="rolled_back",
            due=None,
            review_due=NOW - DAY,
            reviewed_at=NOW - 2 * DAY,
            follow_ups=(FollowUp(1, "runbook", "", None),),
        ),
    ),
    unreadable=("CHG-12",),
)
EXPECTED = {
    "acted": (11, "CHG-1 CHG-2 CHG-3 CHG-4 CHG-5 CHG-7 CHG-8 CHG-9 CHG-10 finding-7 finding-9"),
    "emergencies": (5, "CHG-1 CHG-2 CHG-3 CHG-4 CHG-5"),
    "emergency_share": (5 / 11, "CHG-1 CHG-2 CHG-3 CHG-4 CHG-5"),
    "without_incident": (1, "CHG-2"),
    "records": (1, "CHG-10"),
    "silent": (2, "finding-7 finding-9"),
    "phantom_share": (4 / 11, "CHG-10 CHG-2 finding-7 finding-9"),
    "median_to_approval": (4 * 3600, "CHG-1 CHG-2 CHG-3"),
    "approval_approved": (2, "CHG-1 CHG-2"),
    "approval_owed": (1, "CHG-10"),
    "approval_overdue": (1, "CHG-5"),
    "approval_late": (1, "CHG-3"),
    "approval_refused": (1, "CHG-4"),
    "reviewed": (1, "CHG-8"),
    "review_owed": (1, "CHG-7"),
    "review_overdue": (1, "CHG-5"),
    "workaround_overdue": (1, "CHG-5"),
    "follow_up_left": (1, "CHG-8"),
    "habits": (0, ""),
    "unreadable": (1, "CHG-12"),
}


def counted(known: Population) -> dict[str, Figure]:
    """Return the figures by name."""
    return {figure.name: figure for figure in figures(known)}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_figure_names_its_changes(name: str) -> None:
    """Whoever doubts a number looks at what is behind it; a drill, and what never acted, is behind none."""
    value, changes = EXPECTED[name]
    figure = counted(KNOWN)[name]
    assert figure.value == pytest.approx(value)
    assert [change.replace(" ", "-") for change in figure.changes] == changes.split()


def test_no_figure_is_without_a_test() -> None:
    """Each that is added is counted by hand here."""
    assert counted(KNOWN).keys() == EXPECTED.keys()


def test_nothing_changed_and_nothing_is_measured() -> None:
    """A share of nothing is no zero."""
    nothing = counted(Population(SINCE, NOW))
    assert {nothing[name].value for name in ("emergency_share", "phantom_share", "median_to_approval")} == {None}
    assert nothing["acted"].value == 0
