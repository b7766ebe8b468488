"""The sentence for each way in which one value can be wrong: what is wrong, and what would make it right."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from changewindow.documents.text import PLAIN, hint, nearest, shown
from changewindow.documents.types import NAME, ON_ONE_LINE, PARAMETER, PERSON, ROOM, duration_text
from changewindow.documents.yaml import Place

Sentence = tuple[str, str]
EXPECTED = {
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
REMEDIES = {
    "text": "Put it into quotes.",
    "a whole number": "Write it like 3, without quotes.",
    "a number": "Write it like 0.5, without quotes.",
    "true or false": "Write true or false, without quotes.",
}
PATTERNS = {
    NAME: "Write lower-case letters, digits and -, beginning with a letter, like api-gateway.",
    PARAMETER: "Write lower-case letters, digits and _, beginning with a letter, like image_tag.",
    PERSON: "Write a user name, without a leading @, like alice.",
    ROOM: "Write a channel, like #deploys.",
    ON_ONE_LINE: "Write it on one line.",
    "^/": "Begin it with /.",
}


@dataclass(frozen=True)
class Wrong:
    """A value that is wrong: where it stands, and what pydantic says of it."""

    place: Place
    choice: Place | None
    """Where one of several things may stand, of which this is one."""
    error: str
    given: Any
    facts: dict[str, Any]
    message: str

    @property
    def is_of_wrong_type(self) -> bool:
        """Return whether something else than this kind of value is expected."""
        return self.error in EXPECTED or self.error == "literal_error"

    @property
    def expected(self) -> str:
        """Return what belongs there instead."""
        return EXPECTED.get(self.error) or str(self.facts["expected"])


def sentence(wrong: Wrong) -> Sentence:
    """Return the sentence for one value."""
    if wrong.error in EXPECTED:
        return wrong_type([wrong])
    return SENTENCES.get(wrong.error, _other)(wrong)


def wrong_type(wrongs: list[Wrong]) -> Sentence:
    """Return one sentence for a value that is none of several things that may stand there."""
    first, given = wrongs[0], wrongs[0].given
    *others, last = dict.fromkeys(wrong.expected for wrong in wrongs)
    either = f"{', '.join(others)} or {last}" if others else last
    names = [name for wrong in wrongs if wrong.error == "literal_error" for name in _names(wrong)]
    near = nearest(given, names)
    remedy = f"Did you mean '{near}'?" if near else _remedy(first.expected, first.place[-1:], given)
    return f"{'it is empty' if given is None else f'{shown(given)} stands'} where {either} belongs", remedy


def _remedy(expected: str, field: Place, given: Any) -> str:
    if given is None:
        return "Fill it in."
    if expected == "a list":
        return _as_list(field, given)
    if expected == "a mapping":
        return "Write `name: value` lines below it, indented."
    if expected == "text" and isinstance(given, dict) and len(given) == 1 and isinstance(field[0], int):
        return "Put text with a colon into quotes."
    return "Write one value." if isinstance(given, dict | list) else REMEDIES[expected]


def _as_list(field: Place, given: Any) -> str:
    if isinstance(given, dict):
        return "Write it as a list: begin each item with `- `."
    item = given if isinstance(given, str) else shown(given)
    items = item if PLAIN.fullmatch(item) else "first, second"
    return f"Write it as a list, e.g. `{''.join(map(str, field))}: [{items}]`."


def _names(wrong: Wrong) -> list[str]:
    return re.findall(r"'([^']*)'", wrong.facts["expected"])


def _bound(says: str, remedy: str, fact: str) -> Callable[[Wrong], Sentence]:
    def bound(wrong: Wrong) -> Sentence:
        limit = wrong.facts[fact]
        if isinstance(wrong.given, timedelta):
            return f"{duration_text(wrong.given)} is {says} {limit}", "Write it like 30s, 15m or 1h30m."
        return f"{shown(wrong.given)} is {says} {limit}", f"Write {remedy} {limit}."

    return bound


def _not_allowed(wrong: Wrong) -> Sentence:
    return f"{shown(wrong.given)} is not allowed", hint(wrong.given, _names(wrong))


def _pattern(wrong: Wrong) -> Sentence:
    pattern = wrong.facts["pattern"]
    if not wrong.given:
        return _empty(wrong)
    return f"{shown(wrong.given)} is not allowed", PATTERNS.get(pattern, f"It has to match {pattern}.")


def _empty(_: Wrong) -> Sentence:
    return "it is empty", "Fill it in."


def _long_text(wrong: Wrong) -> Sentence:
    return f"the text has {len(wrong.given)} characters, {wrong.facts['max_length']} allowed", "Shorten it."


def _few_items(wrong: Wrong) -> Sentence:
    return f"it has {len(wrong.given)} items, at least {wrong.facts['min_length']} needed", "Add what is missing."


def _many_items(wrong: Wrong) -> Sentence:
    return f"it has {len(wrong.given)} items, {wrong.facts['max_length']} allowed", "Remove the others."


def _kind(wrong: Wrong) -> Sentence:
    """Return the sentence for a `kind` that is no kind, or is not there."""
    if "kind" not in wrong.given:
        return "'kind' is missing", "Add it; `changewindow kinds` lists all kinds."
    kind = wrong.given["kind"]
    known = re.findall(r"'([^']*)'", wrong.facts["expected_tags"])
    return f"{'unknown kind ' if isinstance(kind, str) else 'no kind: '}{shown(kind)}", hint(kind, known)


def _own_words(wrong: Wrong) -> Sentence:
    """Return the words of a validator, which writes `what is wrong; what would make it right`."""
    says, _, remedy = str(wrong.facts["error"]).partition("; ")
    remedy = remedy or "correct it; `changewindow kinds` explains every kind"
    return says, remedy[0].upper() + remedy[1:] + "." * (remedy[-1] not in ".?")


def _other(wrong: Wrong) -> Sentence:
    says = wrong.message[:1].lower() + wrong.message[1:]
    return f"{says}, found {shown(wrong.given)}", "Compare it with `changewindow schema`."


SENTENCES: dict[str, Callable[[Wrong], Sentence]] = {
    "greater_than": _bound("not more than", "more than", "gt"),
    "greater_than_equal": _bound("less than", "at least", "ge"),
    "less_than": _bound("not less than", "less than", "lt"),
    "less_than_equal": _bound("more than", "at most", "le"),
    "literal_error": _not_allowed,
    "string_pattern_mismatch": _pattern,
    "string_too_short": _empty,
    "string_too_long": _long_text,
    "too_short": _few_items,
    "too_long": _many_items,
    "union_tag_invalid": _kind,
    "union_tag_not_found": _kind,
    "value_error": _own_words,
}
