"""Policy checks find everything wrong, and say what would make it right."""

from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.checks import two_people, watch_can_judge, window_fits
from changewindow.documents.findings import Finding
from changewindow.documents.text import dotted
from changewindow.policy.check import Facts
from support.tickets import NOW, SOURCE, ticket

FACTS = Facts(now=NOW)
LIMIT = {"name": "Fast", "source": SOURCE, "fail": {"above": 1}}
UP = {"name": "Up", "source": SOURCE, "pass": {"equals": 200}}
LIGHT = {**LIMIT, "weight": 0.5}
COMPARED = {**LIMIT, "compare": {"by": "difference"}}
RANKED = {**LIMIT, "compare": {"by": "rank"}}
OBSERVED = {**LIMIT, "role": "observe"}


@pytest.mark.parametrize(
    ("owner", "reviewer", "is_fine"),
    [
        pytest.param("alice", "bob", True, id="two people are fine"),
        pytest.param("alice", "alice", False, id="one person is not"),
        pytest.param("alice", "ALICE", False, id="capitals do not make a second person"),
    ],
)
def test_two_people(owner: str, reviewer: str, is_fine: bool) -> None:  # noqa: FBT001
    """Nobody reviews alone."""
    sentence, remedy = f"{owner} is both owner and reviewer", "Name a second person as reviewer."
    finding = Finding("two_people", sentence, remedy, ("reviewer",))
    assert two_people.check(ticket(owner=owner, reviewer=reviewer), FACTS) == ([] if is_fine else [finding])


@pytest.mark.parametrize(
    ("changed", "places"),
    [
        pytest.param({}, [], id="a criterion of validation is enough"),
        pytest.param({"watch": {"for": "1m", "conditions": [LIMIT]}, "validation": []}, [], id="a limit is enough"),
        pytest.param({"validation": []}, ["watch"], id="without any condition nothing is judged"),
        pytest.param({"validation": [OBSERVED]}, ["watch"], id="what is only observed judges nothing"),
        pytest.param({"validation": [OBSERVED, UP]}, [], id="one that decides beside it is enough"),
        pytest.param(
            {"preflight": {"checks": [OBSERVED]}}, ["preflight.checks.0.role"], id="before the first step all must hold"
        ),
        pytest.param(
            {"rollback": {"estimate": "1m", "verify": [OBSERVED]}},
            ["rollback.verify.0.role"],
            id="during a rollback too",
        ),
        pytest.param({"validation": [UP | {"passes": 6}]}, [], id="as many good readings as samples can be had"),
        pytest.param({"validation": [UP | {"passes": 7}]}, ["validation.0.passes"], id="one more cannot"),
        pytest.param({"watch": {"for": "10s", "every": "10s"}}, [], id="one sample at the end is enough"),
        pytest.param({"watch": {"for": "9s", "every": "10s"}}, ["watch.every"], id="a sample after the end is not"),
        pytest.param({"validation": [UP, LIGHT, LIGHT | {"name": "b"}]}, [], id="light ones beside a heavy one"),
        pytest.param({"validation": [LIGHT, LIGHT | {"name": "b"}]}, [], id="two halves are a whole"),
        pytest.param({"validation": [LIGHT]}, ["watch"], id="a half alone rolls nothing back"),
        pytest.param(
            {"rollback": {"estimate": "1m", "verify": [LIGHT]}},
            ["rollback.verify.0.weight"],
            id="going back is whole",
        ),
        pytest.param(
            {"preflight": {"checks": [COMPARED]}},
            ["preflight.checks.0.compare"],
            id="there is nothing to compare with before the preflight",
        ),
        pytest.param({"validation": [COMPARED]}, [], id="a watch compares with before"),
        pytest.param(
            {"preflight": {"checks": [COMPARED | {"compare": {"by": "ratio", "control": SOURCE}}]}},
            [],
            id="a control group is there before",
        ),
        pytest.param({"validation": [RANKED]}, [], id="six samples can differ from ten"),
        pytest.param(
            {"validation": [RANKED], "watch": {"for": "20s"}}, ["validation.0.compare"], id="two samples cannot"
        ),
        pytest.param(
            {"validation": [RANKED], "watch": {"for": "1m", "later": "30s", "at_first": "10s"}},
            ["validation.0.compare"],
            id="slow samples later are counted as slow",
        ),
        pytest.param({"validation": [LIMIT, LIMIT]}, ["validation.1.name"], id="two of one name are confused"),
        pytest.param(
            {"watch": {"for": "1s", "conditions": [LIMIT]}, "validation": [LIMIT]},
            ["watch.every", "validation.0.name"],
            id="everything wrong is found at once",
        ),
    ],
)
def test_watch_can_judge(changed: dict[str, Any], places: list[str]) -> None:
    """A watch that cannot fail proves nothing."""
    assert [dotted(finding.place) for finding in watch_can_judge.check(ticket(**changed), FACTS)] == places


@pytest.mark.parametrize(
    ("end", "now", "sentences"),
    [
        pytest.param("15:00", NOW, [], id="a window ahead with enough time is fine"),
        pytest.param("14:07", NOW, [], id="exactly enough is enough"),
        pytest.param(
            "14:06",
            NOW,
            ["the change needs 7m (steps 5m, watch 1m, rollback 1m), the window has 6m"],
            id="a minute less is not",
        ),
        pytest.param("15:00", datetime(2031, 3, 18, 14, 59, tzinfo=UTC), [], id="an open window is fine"),
        pytest.param(
            "15:00",
            datetime(2031, 3, 18, 15, tzinfo=UTC),
            ["the window ended 2031-03-18 15:00 UTC; it is 2031-03-18 15:00 UTC"],
            id="a closed one is not",
        ),
        pytest.param(
            "14:01",
            datetime(2032, 1, 1, tzinfo=UTC),
            [
                "the window ended 2031-03-18 14:01 UTC; it is 2032-01-01 00:00 UTC",
                "the change needs 7m (steps 5m, watch 1m, rollback 1m), the window has 1m",
            ],
            id="both are found at once",
        ),
    ],
)
def test_window_fits(end: str, now: datetime, sentences: list[str]) -> None:
    """The numbers are given with their limit."""
    window = {"zone": "UTC", "start": "2031-03-18 14:00", "end": f"2031-03-18 {end}"}
    assert [finding.sentence for finding in window_fits.check(ticket(window=window), Facts(now=now))] == sentences


def test_the_time_to_settle_has_to_fit_too() -> None:
    """Preflight happens within the window."""
    change = ticket(
        window={"zone": "UTC", "start": "2031-03-18 14:00", "end": "2031-03-18 14:07"}, preflight={"settle": "1m"}
    )
    sentence = "the change needs 8m (preflight 1m, steps 5m, watch 1m, rollback 1m), the window has 7m"
    assert [finding.sentence for finding in window_fits.check(change, Facts(now=NOW))] == [sentence]
