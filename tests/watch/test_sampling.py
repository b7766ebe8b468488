"""When samples are taken."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changewindow.watch.sampling import Sampling

BEGUN = datetime(2030, 1, 1, tzinfo=UTC)
SAMPLINGS = st.builds(
    Sampling,
    every=st.integers(1, 20).map(timedelta),
    at_first=st.integers(0, 60).map(timedelta),
    later=st.none() | st.integers(1, 40).map(timedelta),
    phase=st.sampled_from([0.0, 0.25, 0.5]),
)


def seconds(sampling: Sampling, length: float) -> list[float]:
    """Return when samples are taken in a watch of so many seconds."""
    over, times = BEGUN + timedelta(seconds=length), []
    now = BEGUN
    while now < over:
        now = sampling.following(BEGUN, now, over)
        times.append((now - BEGUN).total_seconds())
    return times


def of(every: float, at_first: float = 0, later: float | None = None, phase: float = 0) -> Sampling:
    """Return a sampling, in seconds."""
    return Sampling(
        timedelta(seconds=every), timedelta(seconds=at_first), timedelta(seconds=later) if later else None, phase
    )


@pytest.mark.parametrize(
    ("sampling", "length", "expected"),
    [
        pytest.param(of(2), 6, [2, 4, 6], id="every two seconds to the end"),
        pytest.param(of(2), 5, [2, 4, 5], id="one is taken when the watch is over"),
        pytest.param(of(10), 5, [5], id="a watch shorter than its interval is read at its end"),
        pytest.param(of(2, 6, 15), 40, [2, 4, 6, 21, 36, 40], id="fast at first and slower later"),
        pytest.param(of(4, 6, 10), 20, [4, 16, 20], id="the slow ones count from the turn"),
        pytest.param(of(2, 0, 5), 10, [5, 10], id="slow from the beginning"),
        pytest.param(of(2, phase=0.5), 6, [1, 3, 5, 6], id="another watch samples between"),
    ],
)
def test_samples_are_taken_at(sampling: Sampling, length: float, expected: list[float]) -> None:
    """Seconds after the beginning."""
    assert seconds(sampling, length) == expected


@pytest.mark.parametrize(
    ("phase", "due", "expected"),
    [
        pytest.param(0, 10, 10, id="a watch that begins at once"),
        pytest.param(0, 7, 7, id="one that begins three seconds after the last step"),
        pytest.param(0.5, 7, 3.5, id="watches stay out of step"),
        pytest.param(0.5, 10, 5, id="as they would be without"),
        pytest.param(0, -2, 0.01, id="one that begins when its sample is due already"),
        pytest.param(0, 30, 10, id="one that settles after it has begun"),
    ],
)
def test_the_first_sample_is_taken_when_it_is_due(phase: float, due: float, expected: float) -> None:
    """Every ten seconds, and the second one an interval later."""
    sampling = of(10, phase=phase).first_by(BEGUN + timedelta(seconds=due), BEGUN)
    assert seconds(sampling, 60)[:2] == pytest.approx([expected, expected + 10])


def test_a_slow_sample_skips_and_never_bunches() -> None:
    """Who comes back after seven seconds takes the next one, not those that are past."""
    now = BEGUN + timedelta(seconds=7)
    assert of(2).following(BEGUN, now, BEGUN + timedelta(hours=1)) == BEGUN + timedelta(seconds=8)


@given(SAMPLINGS, st.integers(0, 200), st.integers(0, 200))
def test_missed_are_those_that_would_have_been_taken(sampling: Sampling, last: int, later: int) -> None:
    """Counting agrees with going from one sample to the next."""
    start, end = BEGUN + timedelta(last), BEGUN + timedelta(last + later)
    taken, now = 0, start
    while (now := sampling.following(BEGUN, now, BEGUN)) <= end:
        taken += 1
    assert sampling.missed(BEGUN, start, end) == taken


@given(SAMPLINGS, st.integers(0, 10_000))
def test_the_next_sample_is_ahead_and_within_an_interval(sampling: Sampling, passed: int) -> None:
    """No watch sleeps longer than its longest interval, or not at all."""
    now = BEGUN + timedelta(hours=passed)
    wait = sampling.following(BEGUN, now, BEGUN) - now
    longest = max(sampling.every, sampling.later or sampling.every)
    assert timedelta(0) < wait <= longest * 2
