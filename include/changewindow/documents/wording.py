"""The finding for each way in which a value can be wrong: what is wrong, and what would make it right."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from changewindow.documents.findings import Finding, Place
from changewindow.documents.refusal import REFUSED
from changewindow.documents.text import PLAIN, hint, nearest, shown
from changewindow.documents.types import NAME, ON_ONE_LINE, PARAMETER, PERSON, ROOM, duration_text

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
    """A wrong value: where it stands, and what pydantic reports about it."""

    place: Place
    choice: Place | None
    """The place where one of several types of value may stand, if this is about one of them."""
    error: str
    given: Any
    facts: dict[str, Any]
    message: str
    code: str
    """Name of the model that was read, such as `ticket`."""

    def finding(self, sentence: str, remedy: str) -> Finding:
        """Return the finding for this value; its line is not known here."""
        return Finding(self.code, sentence, remedy, self.place)

    @property
    def is_of_wrong_type(self) -> bool:
        """Return whether something else than this kind of value is expected."""
        return self.error in EXPECTED or self.error == "literal_error"

    @property
    def expected(self) -> str:
        """Return what belongs there instead."""
        return EXPECTED.get(self.error) or str(self.facts["expected"])


def finding_of(wrong: Wrong) -> Finding:
    """Return the finding for one value."""
    if wrong.error in EXPECTED:
        return wrong_type([wrong])
    return FINDINGS.get(wrong.error, _other)(wrong)


def wrong_type(wrongs: list[Wrong]) -> Finding:
    """Return one finding for a value that is none of several things that may stand there."""
    first, given = wrongs[0], wrongs[0].given
    *others, last = dict.fromkeys(wrong.expected for wrong in wrongs)
    either = f"{', '.join(others)} or {last}" if others else last
    names = [name for wrong in wrongs if wrong.error == "literal_error" for name in _names(wrong)]
    near = nearest(given, names)
    remedy = f"Did you mean '{near}'?" if near else _remedy(first.expected, first.place[-1:], given)
    return first.finding(f"found {shown(given)} where {either} is expected", remedy)


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


def _bound(relation: str, remedy: str, fact: str) -> Callable[[Wrong], Finding]:
    def bound(wrong: Wrong) -> Finding:
        limit = wrong.facts[fact]
        if isinstance(wrong.given, timedelta):
            given = duration_text(wrong.given)
            return wrong.finding(f"{given} is {relation} {limit}", "Write it like 30s, 15m or 1h30m.")
        return wrong.finding(f"{shown(wrong.given)} is {relation} {limit}", f"Write {remedy} {limit}.")

    return bound


def _not_allowed(wrong: Wrong) -> Finding:
    return wrong.finding(f"{shown(wrong.given)} is not allowed", hint(wrong.given, _names(wrong)))


def _pattern(wrong: Wrong) -> Finding:
    pattern = wrong.facts["pattern"]
    if not wrong.given:
        return _empty(wrong)
    return wrong.finding(f"{shown(wrong.given)} is not allowed", PATTERNS.get(pattern, f"It has to match {pattern}."))


def _empty(wrong: Wrong) -> Finding:
    return wrong.finding("it is empty", "Fill it in.")


def _long_text(wrong: Wrong) -> Finding:
    sentence = f"the text has {len(wrong.given)} characters, {wrong.facts['max_length']} allowed"
    return wrong.finding(sentence, "Shorten it.")


def _few_items(wrong: Wrong) -> Finding:
    sentence = f"it has {len(wrong.given)} items, at least {wrong.facts['min_length']} needed"
    return wrong.finding(sentence, "Add what is missing.")


def _many_items(wrong: Wrong) -> Finding:
    return wrong.finding(f"it has {len(wrong.given)} items, {wrong.facts['max_length']} allowed", "Remove the others.")


def _kind(wrong: Wrong) -> Finding:
    """Return the finding for a `kind` that is no kind, or is not there."""
    if "kind" not in wrong.given:
        return replace(
            wrong.finding("'kind' is missing", "Add it; `changewindow kinds` lists all kinds."), names_field=True
        )
    kind = wrong.given["kind"]
    known = re.findall(r"'([^']*)'", wrong.facts["expected_tags"])
    return wrong.finding(f"{'unknown kind ' if isinstance(kind, str) else 'no kind: '}{shown(kind)}", hint(kind, known))


def _own_words(wrong: Wrong) -> Finding:
    """Return what one of our validators says."""
    return wrong.finding(wrong.facts["sentence"], wrong.facts["remedy"])


def _foreign_words(wrong: Wrong) -> Finding:
    """Return the text of a library's error, which comes without a remedy."""
    return wrong.finding(str(wrong.facts["error"]), "Correct it; `changewindow kinds` explains every kind.")


def _other(wrong: Wrong) -> Finding:
    sentence = wrong.message[:1].lower() + wrong.message[1:]
    return wrong.finding(f"{sentence}, found {shown(wrong.given)}", "Compare it with `changewindow schema`.")


FINDINGS: dict[str, Callable[[Wrong], Finding]] = {
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
    "value_error": _foreign_words,
    REFUSED: _own_words,
}
