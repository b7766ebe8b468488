"""How messages show values and suggest names."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

LONGEST = 60
PLAIN = re.compile(r"[\w./@+:-]+")


def shown(value: Any) -> str:
    """Return a value as its author wrote it, on one line and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]}…{text[0]}"


def nearest(word: object, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, if any is close."""
    by_lower_case = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(word)[:LONGEST].lower(), by_lower_case, 1)
    return by_lower_case[close[0]] if close else None


def hint(word: object, names: Iterable[str]) -> str:
    """Return what to write instead of a word: the closest name, or all names if none is close."""
    allowed = sorted(names)
    near = nearest(word, allowed)
    return f"Did you mean '{near}'?" if near else f"Allowed: {', '.join(allowed)}."


def escaped(text: str) -> str:
    """Return a text as Markdown that shows exactly this text."""
    return re.sub(r"([\\`*_\[\]<>#|~$])", r"\\\1", text)


def dotted(place: Iterable[int | str]) -> str:
    """Return a place as text, like `steps.0.run`."""
    return ".".join(str(part) if PLAIN.fullmatch(str(part)) else shown(part) for part in place)
