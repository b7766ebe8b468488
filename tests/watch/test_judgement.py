"""What several conditions do to a change together, in which words, and what always holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changewindow.watch.judgement import Judgement, Route
from support.readings import LETTERS, Read, Settings, judging, read, routes

TWO: Settings = {"failures": 2}
OBSERVED: Settings = {"role": "observe"}
STREAK: Settings = {"passes": 3}
SETTINGS = st.fixed_dictionaries(
    {"failures": st.integers(1, 3), "passes": st.integers(1, 3), "role": st.sampled_from(["critical", "normal"])},
    optional={
        "of": st.integers(3, 5),
        "tolerate": st.dictionaries(st.sampled_from(["no_data", "inconclusive", "unknown"]), st.integers(0, 4)),
    },
)
Sample = tuple[str, bool]
Watched = tuple[list[Settings], list[Sample]]


@pytest.mark.parametrize(
    ("rows", "settings", "route"),
    [
        pytest.param(["|g", "|g"], [{}, {}], "pass", id="all good at once"),
        pytest.param(["|gb", "|bg"], [TWO, TWO], None, id="each was good, but not at once"),
        pytest.param(["|gbg", "|bgg"], [TWO, TWO], "pass", id="each was good, and at last all at once"),
        pytest.param(["|bgb", "|gbg"], [TWO, TWO], "fail", id="the patience in overtime ends"),
        pytest.param(["ggb", "ggg", "ggg", "ggg"], [{}] * 4, "fail", id="one bad among many good conditions"),
        pytest.param(["nnn", "ggg", "ggg", "ggg"], [{}] * 4, "fail", id="one unknown among many good conditions"),
        pytest.param(["gg|n", "gg|g"], [{}, {}], None, id="Kayenta: no data is not left out of the score"),
        pytest.param(["gg|g", "gg|b"], [STREAK, TWO], None, id="one streak is complete, the other condition is bad"),
        pytest.param(["gg|gg", "gg|bg"], [STREAK, TWO], "pass", id="each needs only its own streak"),
        pytest.param(["ggg|g", "gbg|g"], [STREAK, {**STREAK, **TWO}], None, id="one streak does not help another"),
        pytest.param(["gb", "gg"], [{"role": "critical", "failures": 9}, TWO], "fail", id="a critical one at once"),
        pytest.param(["gb", "gg"], [{"failures": 9}, {"role": "critical"}], None, id="not for the bad one beside it"),
        pytest.param(["gg|g", "bb|b"], [{}, OBSERVED], "pass", id="bad, but only observed, blocks nothing"),
        pytest.param(["ggggg", "bbbbb"], [{}, OBSERVED], None, id="bad, but only observed, takes nothing back"),
        pytest.param(["gg|g", "nn|x"], [{}, OBSERVED], "pass", id="unknown, but only observed, blocks nothing"),
        pytest.param(["gg|b", "gg|g"], [{}, OBSERVED], "fail", id="good, but only observed, saves nothing"),
        pytest.param(["g", "g"], [OBSERVED, OBSERVED], "fail", id="all only observed prove nothing"),
    ],
)
def test_several_conditions_route(rows: list[str], settings: list[Settings], route: Route | None) -> None:
    """The last sample decides, and none before it."""
    *before, last = routes(judging(settings), *rows)
    assert not any(before)
    assert (last and last[0]) == route


def test_everything_that_is_wrong_is_said() -> None:
    """One sample breaks both limits."""
    *_, last = routes(judging([{}, {}]), "nnn", "ggb")
    assert last == (
        "fail",
        "c0 is not known: no_data, limit (3 in a row, 2 allowed);\nc1 is bad: limit (1 in a row, 0 allowed)",
    )


def test_a_new_watch_starts_anew() -> None:
    """Argo: what was counted once is not carried into another run."""
    assert routes(judging([TWO]), "b") == routes(judging([TWO]), "b") == [None]


@pytest.mark.parametrize(
    ("readings", "count"),
    [
        pytest.param([], 0, id="an empty sample"),
        pytest.param([read("c0", "g")], 1, id="a sample that lacks the second condition"),
        pytest.param([read("c1", "g")], 0, id="a sample that lacks the first condition"),
        pytest.param([read("c0", "g"), read("c0", "g")], 1, id="one condition twice"),
        pytest.param([read("c0", "g"), read("c2", "g")], 1, id="another condition instead"),
        pytest.param([read("c0", "g"), read("c1", "g"), read("c2", "g")], 2, id="one condition more"),
    ],
)
def test_a_sample_that_is_not_whole_proves_nothing(readings: list[Read], count: int) -> None:
    """Good readings of something else are no answer."""
    for is_over in (False, True):
        decided = judging([{}, {}]).add(list(readings), is_over=is_over)
        assert decided == ("fail", f"{count} of 2 conditions were read: nothing is proven")


def test_a_watch_without_conditions_is_no_success() -> None:
    """Harness: nothing configured is not skipped; Argo: no condition does not mean success."""
    assert judging([]).add([], is_over=True) == ("fail", "no condition decides: nothing is proven")


@pytest.mark.parametrize(
    ("row", "settings", "reason"),
    [
        ("bb", TWO, "c0 is bad: limit (2 in a row, 1 allowed)"),
        ("bgb", {**TWO, "of": 4}, "c0 is bad: limit (2 of the last 3, 1 allowed)"),
        ("b", {**TWO, "of": 4, "role": "critical"}, "c0 is bad: limit (1 in a row, 0 allowed)"),
        ("nnn", {}, "c0 is not known: no_data, limit (3 in a row, 2 allowed)"),
        ("nun", {}, "c0 is not known: no_data, limit (3 unknown in a row, 2 allowed)"),
        (
            "nunun",
            {"tolerate": {"unknown": 9}},
            "c0 is not known: no_data, limit (3 without a good reading between, 2 allowed)",
        ),
        ("ii|i", {}, "c0 is not known: inconclusive, limit (3 in a row, 2 allowed)"),
        (
            "gngngn|ggg",
            {},
            "not all good at once by the end: c0 pass (unknown 3 times, good 6; 3 good for each unknown needed)",
        ),
        ("|ggbgb", {**TWO, **STREAK}, "not all good at once by the end: c0 fail"),
        (
            "|ggnggng",
            {"passes": 4, "tolerate": {"unknown": 3}},
            "not all good at once by the end: c0 pass (1 good in a row, 4 needed)",
        ),
    ],
)
def test_a_reason_is_said_word_for_word(row: str, settings: Settings, reason: str) -> None:
    """With the numbers and what is allowed."""
    *_, last = routes(judging([settings]), row)
    assert last
    assert last[1] == reason


@st.composite
def watches(draw: st.DrawFn) -> Watched:
    """Return conditions and samples of them, a letter for each, with whether the watch's length has passed."""
    settings = draw(st.lists(SETTINGS, min_size=1, max_size=3))
    any_letters = st.text(st.sampled_from("".join(LETTERS)), min_size=len(settings), max_size=len(settings))
    letters = st.one_of(*[st.just("g" * len(settings))] * 5, any_letters)
    before, after = draw(st.lists(letters, max_size=12)), draw(st.lists(letters, max_size=12))
    return settings, [(sample, False) for sample in before] + [(sample, True) for sample in after]


def followed(judgement: Judgement, samples: list[Sample]) -> tuple[tuple[Route, str] | None, int]:
    """Return what the samples decide, and how many it took."""
    for count, (letters, is_over) in enumerate(samples, 1):
        sample = [read(f"c{place}", letter) for place, letter in enumerate(letters)]
        if decided := judgement.add(list(sample), is_over=is_over):
            return decided, count
    return None, len(samples)


@given(watches())
def test_a_watch_that_passes_was_good_in_its_last_samples(watch: Watched) -> None:
    """Every condition that decides, as often in a row as it needs, and not before the watch's length."""
    settings, samples = watch
    decided, count = followed(judging(settings), samples)
    if not decided or decided[0] != "pass":
        return
    assert samples[count - 1][1]
    for place, setting in enumerate(settings):
        row = "".join(letters[place] for letters, _ in samples[:count])
        assert row.endswith("g" * setting["passes"])


@given(watches(), st.data())
def test_a_bad_reading_more_never_makes_a_change_good(watch: Watched, data: st.DataObject) -> None:
    """Whether it comes in addition, or in the place of a good one."""
    settings, samples = watch
    decided, count = followed(judging(settings), samples)
    if not decided or decided[0] == "pass":
        return
    place = data.draw(st.integers(0, count - 1))
    letters, is_over = samples[place]
    more = [*samples[:place], ("b" * len(letters), is_over), *samples[place:count]]
    worse = [*samples[:place], (letters.replace("g", "b", 1), is_over), *samples[place + 1 : count]]
    again, _ = followed(judging(settings), more)
    assert again
    assert again[0] in {"fail", decided[0]}
    again, _ = followed(judging(settings), worse)
    assert again is None or again[0] != "pass"


@given(watches(), st.data())
def test_what_is_only_observed_changes_nothing(watch: Watched, data: st.DataObject) -> None:
    """Neither the verdict, nor its reason, nor when it comes."""
    settings, samples = watch
    beside = data.draw(st.text(st.sampled_from("".join(LETTERS)), min_size=len(samples), max_size=len(samples)))
    wider = [(letters + letter, is_over) for (letters, is_over), letter in zip(samples, beside, strict=True)]
    assert followed(judging([*settings, OBSERVED]), wider) == followed(judging(settings), samples)


@pytest.mark.parametrize(
    ("rows", "route"),
    [
        pytest.param(["nnn", "ggg"], "ask", id="too much is missing and nothing is bad"),
        pytest.param(["nnn", "ggb"], "fail", id="something is bad beside it"),
        pytest.param(["ggb", "ggg"], "fail", id="bad is bad"),
        pytest.param(["gg|nnn", "gg|ggg"], "ask", id="never known at the end"),
        pytest.param(["g|g", "g|g"], "pass", id="good needs nobody"),
    ],
)
def test_where_a_person_is_asked(rows: list[str], route: Route) -> None:
    """Only about what is not known, and never instead of a verdict."""
    judgement = judging([{}] * len(rows))
    judgement.unknown = "ask"
    *_, last = routes(judgement, *rows)
    assert last
    assert last[0] == route


def test_a_gap_is_one_missing_answer_in_the_row_and_many_against_the_good_ones() -> None:
    """Being away for a moment takes nothing back; being blind for most of the time proves nothing."""
    judgement = judging([{}])
    assert judgement.gap(1000, "nobody read") is None
    assert judgement.tallies[0].unproven() == "unknown 1000 times, good 0; 3 good for each unknown needed"
    assert judgement.gap(1, "nobody read") is None
    route, reason = judgement.gap(1, "nobody read") or ("", "")
    assert (route, reason) == ("fail", "c0 is not known: no_data, nobody read (3 in a row, 2 allowed)")


@given(SETTINGS, st.text(LETTERS, max_size=8), st.text(LETTERS, max_size=8))
def test_counts_that_were_kept_go_on_as_if_nothing_had_happened(settings: Settings, before: str, after: str) -> None:
    """Stopping between two samples changes no verdict."""
    whole, first, second = judging([settings]), judging([settings]), judging([settings])
    expected = routes(whole, before + after)
    interrupted = routes(first, before) if before else []
    if not any(interrupted):
        second.resume(json.loads(json.dumps(first.counts())))
        interrupted += routes(second, after) if after else []
        assert interrupted == expected


@pytest.mark.parametrize(
    ("rows", "route"),
    [
        pytest.param(("gbb|", "ggg|", "ggg|"), None, id="half a reason is none"),
        pytest.param(("gbb|", "gbb|", "ggg|"), "fail", id="two halves are one"),
        pytest.param(("bgg|", "ggb|", "ggg|"), None, id="halves at different times are not"),
        pytest.param(("ggg|", "ggg|", "bgg|"), "fail", id="a whole one is enough"),
        pytest.param(("gbg|", "gub|", "ggg|"), None, id="an unknown one is half a reason only when too often"),
        pytest.param(("ggg|b", "ggg|g", "ggg|g"), "pass", id="at the end half a reason does not keep it from success"),
        pytest.param(("ggg|b", "ggg|i", "ggg|g"), None, id="at the end two halves do"),
    ],
)
def test_weights_add_up(rows: tuple[str, ...], route: str | None) -> None:
    """The change is taken back when the weights of what holds against it are 1 together."""
    light = {"weight": 0.5}
    found_routes = [decision[0] for decision in routes(judging([light, light, {}]), *rows) if decision]
    assert found_routes[:1] == ([route] if route else [])
