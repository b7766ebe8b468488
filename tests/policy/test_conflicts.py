"""Changes that meet at the same time are found, from both sides alike, with what to do about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changewindow.policy.conflicts import Kind, Other, Overlap, collisions, of_ticket, overlaps
from changewindow.policy.service_catalogue import Catalogue, Service, Together
from support.tickets import ticket

OPENS = datetime(2031, 3, 18, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def service(*depends_on: str) -> Service:
    """Return a service."""
    return Service(owners=("team",), environments=("production", "staging"), depends_on=depends_on)


SERVICES = {"shop": service("orders"), "orders": service("database"), "database": service(), "island": service()}
CATALOGUE = Catalogue(services=SERVICES)
MINE = of_ticket("CHG-1", ticket())


def other(**changed: Any) -> Other:
    """Return another change, of other people, on the same target at the same time."""
    return replace(Other("CHG-2", ("production/orders",), OPENS, OPENS + HOUR, "carol", "dave", "approved"), **changed)


def kinds(overlaps: list[Overlap]) -> list[Kind]:
    """Return the kinds of overlaps."""
    return [overlap.kind for overlap in overlaps]


def warnings(overlaps: list[Overlap]) -> dict[Kind, bool]:
    """Return whether each kind of overlap is only warned of."""
    return {overlap.kind: overlap.finding.is_warning for overlap in overlaps}


def test_what_is_known_of_a_ticket() -> None:
    """Its targets, its window in UTC, and its people."""
    mine = Other("CHG-1", ("production/orders",), OPENS, OPENS + HOUR, "alice", "bob", "submitted")
    assert of_ticket("CHG-1", ticket()) == mine


@pytest.mark.parametrize(
    ("start", "end", "meets"),
    [
        pytest.param(0, 60, True, id="the same time"),
        pytest.param(59, 90, True, id="one minute together"),
        pytest.param(60, 90, False, id="one begins as the other ends"),
        pytest.param(-30, 0, False, id="one ended as the other begins"),
        pytest.param(-30, 90, True, id="one lies within the other"),
    ],
)
def test_windows_are_half_open(start: int, end: int, meets: bool) -> None:  # noqa: FBT001
    """The moment of the end belongs to the next change."""
    window = {"opens": OPENS + timedelta(minutes=start), "closes": OPENS + timedelta(minutes=end)}
    assert bool(overlaps(CATALOGUE, MINE, [other(**window)])) == meets


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, ["target"], id="the same target"),
        pytest.param({"targets": ("staging/orders",)}, [], id="another environment is another target"),
        pytest.param({"targets": ("production/database",)}, ["dependent"], id="what mine needs"),
        pytest.param({"targets": ("production/shop",)}, ["dependent"], id="what needs mine"),
        pytest.param({"targets": ("staging/shop",)}, [], id="what needs mine elsewhere"),
        pytest.param({"targets": ("production/island",)}, [], id="nothing in common"),
        pytest.param({"targets": ("production/unlisted",)}, [], id="what is not listed is near nothing"),
        pytest.param(
            {"targets": ("production/database", "production/orders", "production/shop")},
            ["target", "dependent"],
            id="one overlap for each kind, however many targets",
        ),
        pytest.param({"targets": (), "owner": "bob"}, ["people"], id="my reviewer is their owner"),
        pytest.param({"targets": (), "reviewer": " ALICE"}, ["people"], id="a name is a name, however it is written"),
        pytest.param({"owner": "alice"}, ["target", "people"], id="target and people"),
        pytest.param({"change": "CHG-1"}, [], id="a change never meets itself"),
    ],
)
def test_what_is_shared(changed: dict[str, Any], expected: list[Kind]) -> None:
    """Targets, what depends on them, and people."""
    assert kinds(overlaps(CATALOGUE, MINE, [other(**changed)])) == expected


@pytest.mark.parametrize(
    ("changed", "sentence", "remedy"),
    [
        pytest.param(
            {"opens": OPENS + HOUR / 2},
            "CHG-2 touches production/orders too, 2031-03-18 14:30-15:00 UTC",
            "Move one of the two, or talk to its owner carol.",
            id="a target",
        ),
        pytest.param(
            {"owner": "ALICE", "reviewer": "erik", "closes": OPENS + 24 * HOUR},
            "CHG-2 touches production/orders too, 2031-03-18 14:00-2031-03-19 14:00 UTC",
            "Move one of the two.",
            id="nobody is told to talk to himself",
        ),
        pytest.param(
            {"targets": ("production/database", "production/shop")},
            "CHG-2 touches production/database and production/shop, 2031-03-18 14:00-15:00 UTC, "
            "and production/orders needs production/database and production/shop needs production/orders",
            "Move one of the two, or talk to its owner carol.",
            id="what needs it, and what it needs",
        ),
        pytest.param(
            {"targets": (), "owner": "bob"},
            "bob takes part in CHG-2 too, 2031-03-18 14:00-15:00 UTC",
            "Name somebody else, or move one of the two.",
            id="one person",
        ),
        pytest.param(
            {"targets": (), "owner": "bob", "reviewer": "alice"},
            "alice and bob take part in CHG-2 too, 2031-03-18 14:00-15:00 UTC",
            "Name somebody else, or move one of the two.",
            id="two persons",
        ),
    ],
)
def test_an_overlap_says_what_to_do(changed: dict[str, Any], sentence: str, remedy: str) -> None:
    """Which change, what is shared, when, and the way out."""
    overlap = overlaps(CATALOGUE, MINE, [other(**changed)])[0]
    finding = overlap.finding
    assert (finding.code, overlap.other.change) == ("no_overlap", "CHG-2")
    assert (finding.sentence, finding.remedy) == (sentence, remedy)


def test_the_policy_says_what_blocks() -> None:
    """Each kind blocks, warns or is allowed, as the catalogue has it."""
    met = other(targets=("production/orders", "production/shop"), owner="alice")
    rules = Together(target="warn", dependent="allow", people="block")
    catalogue = Catalogue(services=SERVICES, overlap=rules)
    assert warnings(overlaps(catalogue, MINE, [met])) == {"target": True, "people": False}
    assert warnings(overlaps(CATALOGUE, MINE, [met])) == {"target": False, "dependent": False, "people": True}


def test_a_change_that_could_not_be_taken_back_warns_at_any_time() -> None:
    """Nobody knows until when it holds its targets; its people are free."""
    early = other(opens=OPENS - 9 * HOUR, closes=OPENS - 8 * HOUR, owner="alice", status="rollback_failed")
    finding = overlaps(CATALOGUE, MINE, [early])[0].finding
    assert (finding.is_warning, finding.sentence) == (True, "CHG-2 may still hold production/orders")
    assert finding.remedy == "See that it is settled before the window opens; its owner is alice."
    (overlap,) = overlaps(CATALOGUE, MINE, [replace(early, targets=("production/database",))])
    connected = "CHG-2 may still hold production/database, and production/orders needs production/database"
    assert overlap.finding.sentence == connected
    assert overlaps(CATALOGUE, MINE, [replace(early, status="running")]) == []


def test_what_acts_now_collides_whatever_its_window_says() -> None:
    """A change that overran its window still stands in the way."""
    late = other(opens=OPENS - 2 * HOUR, closes=OPENS - HOUR, status="running")
    assert late.holds
    assert warnings(collisions(CATALOGUE, MINE, [late])) == {"target": False}


PEOPLE = st.sampled_from(["alice", "Alice", "bob", "carol", "dave"])
TARGETS = [f"{place}/{name}" for place in ("production", "staging") for name in (*SERVICES, "unlisted")]


@st.composite
def others(draw: st.DrawFn, change: str) -> Other:
    """Draw a change."""
    start = draw(st.integers(0, 5))
    return Other(
        change=change,
        targets=tuple(sorted(draw(st.sets(st.sampled_from(TARGETS), min_size=1, max_size=4)))),
        opens=OPENS + start * HOUR,
        closes=OPENS + (start + draw(st.integers(1, 3))) * HOUR,
        owner=draw(PEOPLE),
        reviewer=draw(PEOPLE),
        status=draw(st.sampled_from(["submitted", "approved", "running", "rollback_failed"])),
    )


@given(others("CHG-1"), others("CHG-2"))
def test_overlap_is_symmetric(this: Other, other: Other) -> None:
    """Whoever looks, the same is found: what the first meets in the second, the second meets in the first."""

    def seen(mine: Other, theirs: Other) -> list[tuple[Kind, bool, tuple[str, ...]]]:
        return [
            (overlap.kind, overlap.finding.is_warning, () if overlap.kind == "people" else overlap.shared)
            for overlap in overlaps(CATALOGUE, mine, [theirs])
        ]

    assert seen(this, other) == seen(other, this)


@given(others("CHG-1"), st.lists(others("CHG-2"), max_size=3))
def test_every_change_is_judged_for_itself(mine: Other, met: list[Other]) -> None:
    """What is found of several changes is what is found of each."""
    assert overlaps(CATALOGUE, mine, met) == [overlap for each in met for overlap in overlaps(CATALOGUE, mine, [each])]
