"""Selects alerts by matchers of their labels, as Alertmanager has them, and says whether two selections share one."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from changewindow.documents import expressions
from changewindow.documents.refusal import refusal
from changewindow.documents.text import shown

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
VALUE = r"\s*([^'~\s][^\n]*)?"
"""Alertmanager takes single quotes for a part of the value, which then nothing matches."""
MatcherText = Annotated[str, StringConstraints(pattern=rf"^\s*{NAME}\s*(=~|=|!=|!~){VALUE}$", max_length=500)]
"""A matcher as an author writes it: `service="orders"`."""
PARTS = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL)
QUOTES = re.compile(r'[^"=~!]*(=~|=|!=|!~)\s*("([^"\\]|\\.)*"|([^"\\]|\\.)*)\s*')
"""A matcher whose double quotes stand around its whole value, or are escaped."""
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
MEANS = {"n": "\n", '"': '"', "\\": "\\"}
"""What stands for itself behind a backslash; before any other sign the backslash stays."""


@dataclass(frozen=True)
class Matcher:
    """What one label must be; an alert without the label has it as an empty text."""

    label: str
    operator: str
    value: str

    @property
    def is_narrow(self) -> bool:
        """Return whether it names the one value that the label has."""
        return self.operator == "=" and bool(self.value)

    def refuses(self, value: str) -> bool:
        """Return whether an alert whose label has this value is certainly not meant."""
        if "~" not in self.operator:
            return (self.value == value) == self.operator.startswith("!")
        if "\n" in value:
            return False  # whether a dot matches it differs between versions
        try:
            is_match = expressions.compiled(self.value).fullmatch(value.encode()) is not None
        except ValueError:
            return False  # nobody here can say
        return is_match == self.operator.startswith("!")


@dataclass(frozen=True)
class Selection:
    """Some of all alerts, or some of the incidents that they open: those for which every matcher holds."""

    of: Literal["alerts", "incidents"]
    matchers: tuple[Matcher, ...] = ()
    """Without any, all of them, or nobody can say which."""

    def excludes(self, other: "Selection") -> bool:
        """Return whether nothing can be in both: one names the value of a label that the other one refuses."""
        return self.of != other.of or _never(self.matchers, other.matchers) or _never(other.matchers, self.matchers)


def _never(named: tuple[Matcher, ...], others: tuple[Matcher, ...]) -> bool:
    return any(
        other.refuses(matcher.value)
        for matcher in named
        if matcher.operator == "="
        for other in others
        if other.label == matcher.label
    )


def parsed(text: str) -> Matcher:
    """Return the matcher of a text, as Alertmanager reads it.

    Raises:
        ValueError: it is none.
    """
    parts = PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"{shown(text)} is no matcher")
    label, operator, value = parts.groups()
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    plain = ESCAPED.sub(lambda sign: MEANS.get(sign[1], sign[0]), value)
    return Matcher(label, operator, plain)


def _are_narrow(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse matchers that select more than one can foresee."""
    matchers = [parsed(text) for text in texts]
    for text in texts:
        if not text.isprintable():
            sentence = f"{shown(text)} has a sign that nobody sees, or an end of line"
            raise refusal(sentence, "Write it on one line, with spaces only.")
        if QUOTES.fullmatch(text) is None:
            sentence = f"{shown(text)} has a double quote that closes nothing, which no product takes"
            raise refusal(sentence, 'Write one matcher like `service="orders"`, and \\" for a quote in a value.')
    for matcher in matchers:
        if matcher.operator == "=" and not matcher.value:
            sentence = f'{matcher.label}="" means every alert that has no label {matcher.label}'
            raise refusal(sentence, "Write the value that it has, or remove the matcher.")
    if not any(matcher.is_narrow for matcher in matchers):
        sentence = "no matcher names one value of a label, so that nobody can foresee which alerts are silenced"
        raise refusal(sentence, 'Add one like `service="orders"`.')
    return texts


NarrowMatchers = Annotated[tuple[MatcherText, ...], Field(min_length=1, max_length=20), AfterValidator(_are_narrow)]
"""Matchers of which at least one names the value of a label."""
