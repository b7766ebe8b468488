"""Says the numbers of reports as people read them."""

from datetime import timedelta

from changewindow.documents.types import duration_text

MINUTE = timedelta(minutes=1)


def figure_text(value: float | None, unit: str) -> str:
    """Return a number of a unit: `share`, `seconds`, `per week`, or what is counted; a dash where there is none."""
    if value is None:
        return "-"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "seconds":
        return length_text(value)
    return f"{value:,.1f} per week" if unit == "per week" else f"{value:,.0f}"


def length_text(seconds: float) -> str:
    """Return a length of time to the minute; a shorter one to the second."""
    length = timedelta(seconds=round(seconds))
    return duration_text(length - length % MINUTE if length >= MINUTE else length)
