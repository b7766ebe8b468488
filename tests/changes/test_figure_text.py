"""Numbers of reports are said alike at the terminal and on the pages."""

import pytest

from changewindow.changes.figure_text import figure_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "share", "-"),
        (0.2856, "share", "28.6%"),
        (12.3, "seconds", "12s"),
        (59.6, "seconds", "1m"),
        (3725.0, "seconds", "1h2m"),
        (1234.0, "changes", "1,234"),
        (1.86, "per week", "1.9 per week"),
    ],
)
def test_a_number_is_said_by_its_unit(value: float | None, unit: str, text: str) -> None:
    """A length of time to the minute, a shorter one to the second."""
    assert figure_text(value, unit) == text
