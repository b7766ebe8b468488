"""When a watch is over."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changewindow.watch.judgement import Allowed, Judgement, Tally
from changewindow.watch.reading import Reading
from changewindow.watch.verdict import Verdict

CAUSES = {"no_data": 1, "stale": 0, "unreachable": 2, "invalid": 1}
WORDS = ["pass", "fail", "inconclusive", *CAUSES]


def judgement(conditions: int = 1, failures: int = 2) -> Judgement:
    """Return what judges some conditions."""
    return Judgement([Tally(f"c{number}", Allowed(failures, 1, CAUSES, 2)) for number in range(conditions)])


def sample(*words: str) -> list[Reading]:
    """Return one reading for each word, verdict or cause."""
    made = []
    for place, word in enumerate(words):
        verdict: Verdict = "error" if word in CAUSES else word  # type: ignore[assignment]
        cause = word if word in CAUSES else None
        made.append(Reading(f"c{place}", verdict, datetime.now(UTC), cause=cause, detail="limit"))  # type: ignore[arg-type]
    return made


def judged(words: Sequence[str], *, over_from: int = 99) -> str | None:
    """Return the verdict on a row of samples of one condition."""
    watch = judgement()
    for place, word in enumerate(words):
        decided = watch.add(list(sample(word)), is_over=place >= over_from)
        if decided:
            return decided[0]
    return None


@pytest.mark.parametrize(
    ("words", "over_from", "verdict"),
    [
        pytest.param(["pass"] * 50, 99, None, id="good readings do not end a watch early"),
        pytest.param(["pass", "pass"], 1, "pass", id="good in the last sample"),
        pytest.param(["fail"], 99, None, id="one bad reading of two allowed in a row"),
        pytest.param(["fail", "fail"], 99, "fail", id="two bad readings in a row"),
        pytest.param(["fail", "pass", "fail"], 99, None, id="a good reading begins the count anew"),
        pytest.param(["fail", "pass"], 1, "pass", id="an early bad reading is forgiven"),
        pytest.param(["stale"], 99, "fail", id="stale is not allowed once"),
        pytest.param(["no_data", "no_data"], 99, "fail", id="no data twice, once allowed"),
        pytest.param(["unreachable"] * 2, 99, None, id="unreachable twice is allowed"),
        pytest.param(["unreachable"] * 3, 99, "fail", id="unreachable three times"),
        pytest.param(["no_data", "invalid"], 99, None, id="each cause has its own count"),
        pytest.param(["inconclusive"] * 2, 99, "fail", id="inconclusive twice, once allowed"),
        pytest.param(["no_data"], 0, None, id="no data at the end is not a pass"),
        pytest.param(["no_data", "pass"], 0, "pass", id="good in overtime"),
        pytest.param(["no_data", "invalid", "stale"], 0, "fail", id="never known by the end"),
    ],
)
def test_a_row_of_samples_means(words: list[str], over_from: int, verdict: str | None) -> None:
    """Unknown is never good, and nothing waits for ever."""
    assert judged(words, over_from=over_from) == verdict


def test_all_conditions_must_be_good_in_the_same_sample() -> None:
    """Each was good once is not all are good at once."""
    watch = judgement(2)
    assert watch.add(list(sample("pass", "fail")), is_over=True) is None
    assert watch.add(list(sample("fail", "pass")), is_over=True) is None
    assert watch.add(list(sample("pass", "pass")), is_over=True) == (
        "pass",
        "all 2 conditions are good in the last sample",
    )


@pytest.mark.parametrize("words", [[], ["pass"]])
def test_a_sample_that_lacks_a_condition_proves_nothing(words: list[str]) -> None:
    """A watch without conditions cannot pass either."""
    decided = judgement(2).add(list(sample(*words)), is_over=True)
    assert decided is not None
    assert decided[0] == "fail"
    nothing = judgement(0).add([], is_over=True)
    assert nothing is not None
    assert nothing[0] == "fail"


@given(st.lists(st.sampled_from(WORDS), min_size=10, max_size=30))
def test_every_watch_ends(words: list[str]) -> None:
    """Whatever is read, a few samples after the end there is a verdict; a pass only on a good reading."""
    watch = judgement()
    for word in words:
        decided = watch.add(list(sample(word)), is_over=True)
        if decided:
            assert (decided[0] == "pass") <= (word == "pass")
            return
    raise AssertionError(words)


def test_a_reading_is_stored_under_the_same_keys_as_ever() -> None:
    """Ledgers and waiting triggers hold readings of earlier versions; what is empty is left out."""
    at = datetime(2026, 3, 17, 22, 5, tzinfo=UTC)
    reading = Reading("errors", "fail", at, value=0.5, detail="bad when above 0.01")
    assert reading.as_json() == {
        "condition": "errors",
        "verdict": "fail",
        "at": "2026-03-17T22:05:00+00:00",
        "value": 0.5,
        "says": "bad when above 0.01",
    }
