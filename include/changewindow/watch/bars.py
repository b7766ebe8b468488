"""Draws the last values of a condition as a line of blocks, wherever a watch is shown."""

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
BARS = 20
"""How many of the last values are drawn; more would not fit beside their limits."""


def sparkline(values: Sequence[float | None]) -> str:
    """Return values as a row of bars between the least and the greatest; a value that is no number is a gap."""
    numbers = [value for value in values if value is not None]
    low, high = min(numbers, default=0.0), max(numbers, default=0.0)
    step = (high - low) / (len(BLOCKS) - 1) or 1
    return "".join(" " if value is None else BLOCKS[round((value - low) / step)] for value in values)
