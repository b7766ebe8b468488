"""Repeat rules of RFC 5545: which of them a calendar may use, and what they yield."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice, pairwise, takewhile

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from changewindow.calendar.text import length_text
from changewindow.documents.refusal import refusal
from changewindow.documents.text import nearest, shown

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
RANGES = {
    "INTERVAL": (1, 10_000),
    "COUNT": (1, 100_000),
    "BYMONTH": (1, 12),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
SIGNED = {"BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
"""Parts that also count from the end: -1 is the last."""
PARTS = {"FREQ", "UNTIL", "BYDAY", "WKST", *RANGES, *SIGNED}
SINGLE = {"INTERVAL", "COUNT", "BYMINUTE", "BYSECOND"}
"""Parts of one value; a list of minutes would make thousands of occurrences a day."""
ONLY_WITH = {"BYYEARDAY": {"YEARLY"}, "BYWEEKNO": {"YEARLY"}, "BYMONTHDAY": {"DAILY", "MONTHLY", "YEARLY"}}
DAY = "(MO|TU|WE|TH|FR|SA|SU)"
NUMBERED_DAY = f"([+-]?[1-9][0-9]?)?{DAY}"
IN_UTC = r"[0-9]{8}T[0-9]{6}Z"
LOOKED_AT = 60
"""How many occurrences show whether they overlap: every rule that people write has repeated by then."""


def parse_rule(value: str, until: str = IN_UTC) -> str:
    """Return a repeat rule in capitals, FREQ first, if it is one that repeats daily or less often.

    Raises:
        ValueError: it is not a rule, or it repeats more often.
    """
    parts: dict[str, str] = {}
    for part in value.strip().upper().split(";"):
        name, sign, given = part.partition("=")
        if not sign or name not in PARTS:
            near = nearest(name, PARTS) if sign else None
            remedy = f"Did you mean {near}=…?" if near else "Write it like FREQ=WEEKLY;BYDAY=MO,TU."
            raise refusal(f"{shown(part)} is not part of a repeat rule", remedy)
        if name in parts:
            raise refusal(f"{name} is given twice", "Remove one of them.")
        parts[name] = given
    _check_frequency(parts)
    _check_values(parts)
    _check_end(parts, until)
    frequency = parts.pop("FREQ")
    return ";".join([f"FREQ={frequency}", *(f"{name}={given}" for name, given in parts.items())])


def _check_frequency(parts: dict[str, str]) -> None:
    """Refuse what repeats more often than daily; BYHOUR still allows several occurrences a day."""
    frequency = parts.get("FREQ", "")
    if frequency in {"SECONDLY", "MINUTELY", "HOURLY"}:
        raise refusal(f"FREQ={frequency} repeats too often", "Write FREQ=DAILY, with BYHOUR for several times a day.")
    if frequency not in FREQUENCIES:
        sentence = f"{shown(frequency)} is not a frequency" if frequency else "the repeat rule has no FREQ"
        raise refusal(sentence, f"Write FREQ={', FREQ='.join(FREQUENCIES[:-1])} or FREQ={FREQUENCIES[-1]}.")
    for name, allowed in ONLY_WITH.items():
        if name in parts and frequency not in allowed:
            others = " or ".join(f"FREQ={other}" for other in FREQUENCIES if other in allowed)
            raise refusal(f"{name} makes no sense with FREQ={frequency}", f"Use it with {others}.")


def _check_values(parts: dict[str, str]) -> None:
    for name, given in parts.items():
        for value in given.split(","):
            _check_value(name, value)
        if name in SINGLE and "," in given:
            raise refusal(f"{name}={given} has several values", "Write one.")
    if "BYSETPOS" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYHOUR", "BYMONTH"}:
        raise refusal("BYSETPOS has nothing to choose from", "Add BYDAY or BYMONTHDAY, or remove it.")
    if parts["FREQ"] in {"DAILY", "WEEKLY"} and re.search("[0-9]", parts.get("BYDAY", "")):
        sentence = f"BYDAY={parts['BYDAY']} makes no sense with FREQ={parts['FREQ']}"
        raise refusal(sentence, "Write the days without numbers, or FREQ=MONTHLY.")


def _check_value(name: str, value: str) -> None:
    if name in RANGES or name in SIGNED:
        low, high = RANGES.get(name) or (1, SIGNED[name])
        digits = value.lstrip("+-") if name in SIGNED else value
        if not re.fullmatch("[0-9]{1,6}", digits) or not low <= int(digits) <= high:
            signed = f", or -{high} to -{low} from the end" if name in SIGNED else ""
            raise refusal(f"{name}={value} is not possible", f"Write {low} to {high}{signed}.")
    elif name in {"BYDAY", "WKST"} and not re.fullmatch(NUMBERED_DAY if name == "BYDAY" else DAY, value):
        raise refusal(f"{name}={value} is not a day", "Write MO, TU, WE, TH, FR, SA or SU.")


def _check_end(parts: dict[str, str], until: str) -> None:
    """Refuse an UNTIL that RFC 5545, 3.3.10 does not allow: with a time zone it is a moment in UTC."""
    if "UNTIL" not in parts:
        return
    if "COUNT" in parts:
        raise refusal("COUNT and UNTIL exclude each other", "Remove one of them.")
    given = parts["UNTIL"]
    if not re.fullmatch(until, given):
        wanted = "a moment in UTC" if until == IN_UTC else "of the kind of DTSTART"
        example = "20261231T225959Z" if until == IN_UTC else "20261231T235959" if "T" in until else "20261231"
        raise refusal(f"UNTIL={given} is not {wanted}", f"Write it like UNTIL={example}.")
    try:
        datetime.fromisoformat(given)
    except ValueError as error:
        raise refusal(f"UNTIL={given} is not a real date ({error})", "Write it like UNTIL=20261231T225959Z.") from error


def beginnings(rule: str, start: datetime) -> Iterator[datetime]:
    """Yield the local times at which a rule lets occurrences begin, as if it never ended."""
    endless = ";".join(part for part in rule.split(";") if not part.startswith(("UNTIL=", "COUNT=")))
    yield from rrulestr(endless, dtstart=start.replace(tzinfo=None))


def beginnings_until(rule: str | None, start: datetime, day: date) -> Iterator[datetime]:
    """Yield the local times at which occurrences begin, up to the end of a day."""
    every = beginnings(rule, start) if rule else iter((start,))
    return takewhile(lambda begin: begin.date() <= day, every)


def check_start(rule: str, start: datetime) -> None:
    """Find a first occurrence that the rule itself would not yield: whether it happens is undefined.

    Raises:
        ValueError: the start is not among the rule's own.
    """
    first = next(beginnings(rule, start), None)
    if first is None:
        raise refusal(f"no day matches {rule}", "Correct the rule.")
    if first != start.replace(tzinfo=None):
        begins = f"{start:%Y-%m-%d %H:%M}, a {start:%A}, is no occurrence of {rule}"
        raise refusal(begins, f"Start at {first:%Y-%m-%d %H:%M}, or correct the rule.")


def check_length(rule: str, start: datetime, end: datetime) -> None:
    """Find occurrences that last longer than until the next begins.

    Raises:
        ValueError: some do.
    """
    length = end - start
    shortest = min(
        (after - begin for begin, after in pairwise(islice(beginnings(rule, start), LOOKED_AT))), default=length
    )
    if shortest < length:
        sentence = f"it lasts {length_text(length)}, but begins again after {length_text(shortest)}"
        raise refusal(sentence, "Let it end earlier, or repeat less often.")
