"""The last values of a condition as a line of blocks."""

import pytest

from changewindow.watch.bars import sparkline


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([3.0, 3.0], "▁▁"),
        ([0.0, None, 7.0], "▁ █"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([None], " "),
    ],
)
def test_values_as_bars(values: list[float | None], expected: str) -> None:
    """The least is the lowest bar, the greatest the highest."""
    assert sparkline(values) == expected
