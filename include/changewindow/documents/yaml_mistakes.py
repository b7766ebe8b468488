"""Says what was meant where a text is not YAML: in which line the mistake stands, and how to write it.

The parser notices most mistakes later than they were made, and names its own state.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import yaml

from changewindow.documents.text import shown

Mistake = tuple[int, str, str]
"""The line, counted from 1, what is wrong there, and what to write."""
GLUED = re.compile(r"([\w.-]+):(\S.*)")
"""A name and its value with nothing between them but a colon."""
APART = re.compile(r"([\w.-]+)\s*[=;\s]\s*(\S.*)")
"""A name and its value with no colon between them."""
NAMED = re.compile(r"[^\s:][^:]*:\s+\S")
"""A name with a value in the same line."""
PARTNER = {"[": "]", "{": "}"}
WORDS = 3
"""More words than that behind a first one are probably a text."""


@dataclass(frozen=True)
class Stop:
    """Where the parser has stopped, and the beginning of what it was reading then; lines and columns from 0."""

    lines: list[str]
    line: int
    column: int
    begun: int
    begun_column: int
    last: yaml.ScalarEvent | None
    """The last value before that."""

    def text(self, line: int) -> str:
        """Return what stands in a line, without its indentation and the dash of a list."""
        return re.sub(r"^(-\s+)+", "", self.lines[line].strip()) if line < len(self.lines) else ""

    @property
    def sign(self) -> str:
        """Return the character at which it has stopped; nothing at the end of a line."""
        return self._sign(self.line, self.column)

    @property
    def first_sign(self) -> str:
        """Return the character with which it has begun."""
        return self._sign(self.begun, self.begun_column)

    def _sign(self, line: int, column: int) -> str:
        return self.lines[line][column : column + 1] if line < len(self.lines) else ""

    @property
    def before(self) -> int:
        """Return the line before this one in which something stands."""
        above = (line for line in range(self.line - 1, -1, -1) if not re.match(r"\s*(#|$)", self.lines[line]))
        return next(above, self.line)


def mistake(text: str, error: yaml.MarkedYAMLError) -> Mistake:
    """Return what is wrong with a text that the parser does not read."""
    at, begun = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    if at is None or begun is None:
        return 1, str(error), GENERAL
    stop = Stop(text.split("\n"), at.line, at.column, begun.line, begun.column, _last_value(text))
    explain = EXPLAINED.get(error.problem or "")
    problem = " ".join(filter(None, (error.context, error.problem)))
    return (explain(stop) if explain else None) or (at.line + 1, f"{problem}, at {shown(stop.text(at.line))}", GENERAL)


ITEM = "Begin it with `- `, or indent it."
GENERAL = "Check indentation (spaces, no tabs), colons, and quotes around text with special characters."


def _last_value(text: str) -> yaml.ScalarEvent | None:
    last = None
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            last = event if isinstance(event, yaml.ScalarEvent) else last
    return last


def _no_colon(stop: Stop) -> Mistake:
    above = stop.lines[stop.begun - 1] if stop.begun else ""
    if above[stop.begun_column :].startswith("- "):
        return stop.begun + 1, f"{shown(stop.text(stop.begun))} is no item of the list above it", ITEM
    return _without_colon(stop, stop.begun)


def _without_colon(stop: Stop, line: int) -> Mistake:
    """Return what is wrong with a line that should have been a name with its value."""
    text = stop.text(line)
    if glued := GLUED.fullmatch(text):
        return line + 1, f"{shown(text)} has no blank after its colon", f"Write `{glued[1]}: {glued[2]}`."
    meant = APART.fullmatch(text)
    if meant is None:
        return line + 1, f"{shown(text)} has no colon", f"Write `{text}:`."
    write = f"`{meant[1]}: {meant[2]}`"
    is_text = len(meant[2].split()) > WORDS
    remedy = f"Indent it if it belongs to the text above, else write {write}." if is_text else f"Write {write}."
    return line + 1, f"{shown(text)} has no colon", remedy


def _second_colon(stop: Stop) -> Mistake:
    """Return why a colon stands where none can: in a text, in a line too far in, or because one is missing above."""
    text, above = stop.text(stop.line), stop.text(stop.before)
    name, colon, value = text.partition(": ")
    if ": " in stop.lines[stop.line][: stop.column] and colon:
        return stop.line + 1, f"the text after `{name}:` has a colon in it", f"Write `{name}: {_quoted(value)}`."
    if stop.before == stop.line or not NAMED.match(above):
        return _without_colon(stop, stop.before)
    sentence = f"{shown(text)} is indented below {shown(above)}, which has a value already"
    return stop.line + 1, sentence, "Indent both alike; put a text with a colon into quotes."


def _bad_start(stop: Stop) -> Mistake:
    """Return what a line or a value cannot begin with."""
    if stop.sign == "\t":
        return stop.line + 1, "it is indented with a tab", "Indent it with spaces."
    return _cannot_begin(stop, stop.line, stop.column)


def _bad_begin(stop: Stop) -> Mistake:
    return _cannot_begin(stop, stop.begun, stop.begun_column)


def _cannot_begin(stop: Stop, line: int, column: int) -> Mistake:
    before, behind = stop.lines[line][:column].lstrip(), stop.lines[line][column:].strip()
    remedy = f"Write `{before}{_quoted(behind)}`."
    if behind.startswith("@"):
        remedy = f"Write a person as `{before}{behind[1:]}`; put other text into quotes."
    return line + 1, f"plain text cannot begin with {behind[:1]}", remedy


def _directive(stop: Stop) -> Mistake:
    return (
        stop.begun + 1,
        f"a line cannot begin with {stop.first_sign}",
        "Put what stands before the colon into quotes.",
    )


def _quoted(text: str) -> str:
    if '"' in text or "\\" in text:
        doubled = text.replace("'", "''")
        return f"'{doubled}'"
    return f'"{text}"'


def _open_quote(stop: Stop) -> Mistake:
    sentence = f"the quote in {shown(stop.text(stop.begun))} is never closed"
    return stop.begun + 1, sentence, f"Write {stop.first_sign} at the end of the text."


def _no_key(stop: Stop) -> Mistake | None:
    """Return why no name stands where one should: quotes or brackets that do not match, or the indentation."""
    return _around_quotes(stop) or _closed_twice(stop) or _out_of_line(stop)


def _around_quotes(stop: Stop) -> Mistake | None:
    """Return what is wrong if what stops the parser is behind a closing quote."""
    last = stop.last
    if last is None or last.style not in {"'", '"'} or last.start_mark is None or last.end_mark is None:
        return None
    begun, end = last.start_mark.line, last.end_mark
    if end.line != stop.line or stop.lines[end.line][end.column : stop.column].strip():
        return None
    if begun < stop.line:
        sentence = f"the quote in {shown(stop.text(begun))} is closed only in line {stop.line + 1}"
        return begun + 1, sentence, f"Write {last.style} at the end of the text."
    inside = "''" if last.style == "'" else '\\"'
    sentence = f"in {shown(stop.text(begun))}, something stands behind the closing quote"
    return begun + 1, sentence, f"Put the whole text into quotes; inside them, write {inside} for {last.style}."


def _closed_twice(stop: Stop) -> Mistake | None:
    if stop.sign not in {"]", "}"}:
        return None
    return stop.line + 1, f"a {stop.sign} in {shown(stop.text(stop.line))} closes nothing", "Remove it."


def _out_of_line(stop: Stop) -> Mistake | None:
    """Return what is wrong with the beginning of a line."""
    written, above = stop.lines[stop.line], stop.text(stop.before)
    if written[: stop.column].strip():
        return None
    if glued := re.fullmatch(r"-(\w.*)", above):
        return stop.before + 1, f"{shown(above)} has no blank after its dash", f"Write `- {glued[1]}`."
    if stop.last and stop.last.value == stop.lines[stop.before].strip():
        return _without_colon(stop, stop.before)
    if stop.column != stop.begun_column:
        sentence = f"{shown(written.strip())} is indented by {stop.column} spaces, unlike the lines around it"
        return stop.line + 1, sentence, "Give lines that belong together the same indentation."
    if stop.sign == "-":
        sentence = f"{shown(written.strip())} is an item of a list, among names with their values"
        return stop.line + 1, sentence, "Write it below the name of its list."
    return stop.line + 1, f"{shown(written.strip())} is no item of the list above it", ITEM


def _open_bracket(stop: Stop) -> Mistake:
    """Return where a bracket is not closed, or a comma is missing within it."""
    if stop.sign not in {":", ""}:
        behind = stop.lines[stop.line][stop.column :].strip()
        return stop.line + 1, f"a comma is missing before {shown(behind)}", "Write one between two values."
    sentence = f"the {stop.first_sign} in {shown(stop.text(stop.begun))} is never closed"
    return stop.begun + 1, sentence, f"Write {PARTNER.get(stop.first_sign, 'its partner')} at its end."


def _not_a_block(stop: Stop) -> Mistake:
    sentence = f"behind {stop.first_sign}, nothing may stand in the same line"
    remedy = f"Begin the text in the next line, indented; put it into quotes if {stop.first_sign} is a part of it."
    return stop.begun + 1, sentence, remedy


def _escape(stop: Stop) -> Mistake:
    sentence = f"{stop.lines[stop.line][stop.column :][:2]} means nothing between double quotes"
    return stop.line + 1, sentence, "Put the text into single quotes, between which a backslash is a backslash."


EXPLAINED: Mapping[str, Callable[[Stop], Mistake | None]] = {
    "could not find expected ':'": _no_colon,
    "mapping values are not allowed in this context": _second_colon,
    "found character that cannot start any token": _bad_start,
    "found a tab character that violates indentation": _bad_start,
    "found unexpected end of stream": _open_quote,
    "did not find expected key": _no_key,
    "did not find expected '-' indicator": _out_of_line,
    "did not find expected ',' or ']'": _open_bracket,
    "did not find expected ',' or '}'": _open_bracket,
    "did not find expected alphabetic or numeric character": _bad_begin,
    "found unexpected non-alphabetical character": _directive,
    "did not find expected comment or line break": _not_a_block,
    "found unknown escape character": _escape,
}
"""What each problem of libyaml means to the author of a text; of others, its own sentence has to do."""
