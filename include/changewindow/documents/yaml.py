"""Reads YAML so that every mistake has its line: no aliases, no duplicate keys, YAML 1.2 values, limited size."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from changewindow.documents.findings import Finding, Place
from changewindow.documents.text import UNSEEN, shown
from changewindow.documents.yaml_mistakes import mistake

LARGEST = 1_000_000
DEEPEST = 40
HIGHEST = 2**64
LONGEST_NUMBER = 400
ALIAS = "Write the value where it is used; put a text that begins with & or * into quotes."


class BadYaml(Exception):
    """A text, or a value in it, cannot be read as YAML; its finding says where and why."""

    def __init__(self, line: int, sentence: str, remedy: str, place: Place = ()) -> None:
        super().__init__(f"line {line}: {sentence}. {remedy}")
        self.finding = Finding("yaml", sentence, remedy, place, line)


@dataclass(frozen=True)
class Document:
    """The data of a YAML text, with the line of each value by its path."""

    data: Any
    lines: dict[Place, int]
    findings: tuple[Finding, ...] = ()
    """What is wrong with single names and values, though the text as a whole can be read."""
    columns: Mapping[Place, int] = field(default_factory=dict)
    """The column at which each value, or its name, begins in its line, from 1."""

    def line(self, path: Place) -> int:
        """Return the line of a value, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def column(self, path: Place) -> int:
        """Return the column at which the same begins in that line."""
        while path and path not in self.columns:
            path = path[:-1]
        return self.columns.get(path, 1)

    def at(self, path: Place) -> Any:
        """Return the value at a path, or None when there is none."""
        data = self.data
        for part in path:
            try:
                data = data[part]
            except (KeyError, IndexError, TypeError):
                return None
        return data


class _Loader(yaml.CSafeLoader):
    """PyYAML with the plain values of YAML 1.2: `on`, `yes`, `12:30` and dates are text; so are `.inf` and `.nan`."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


PLAIN_VALUES: tuple[tuple[str, re.Pattern[str], list[str]], ...] = tuple(
    (f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
    for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    )
)
"""What a value without quotes is: its tag, how it is written, and with which signs that begins."""
for _plain in PLAIN_VALUES:
    _Loader.add_implicit_resolver(*_plain)


def read_file(path: Path) -> str:
    """Return the text of a file.

    Raises:
        BadYaml: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise BadYaml(1, f"the file cannot be read: {error.strerror}", "Check the name and its permissions.") from error
    _refuse_size(len(raw), "bytes")
    return decode(raw)


def decode(raw: bytes) -> str:
    """Return the text of UTF-8 bytes, with or without a byte order mark.

    Raises:
        BadYaml: the bytes are not UTF-8.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        sentence = f"byte {error.start} ({raw[error.start]:#04x}) is not UTF-8"
        raise BadYaml(line, sentence, "Save the file as UTF-8.") from error


def parse(text: str) -> Document:
    """Return the data of a YAML text.

    Raises:
        BadYaml: it cannot be read as a whole; says why, at the first such place.
    """
    _refuse_size(len(text), "characters")
    _refuse_forbidden(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    try:
        _refuse_traps(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise BadYaml(*mistake(text, error)) from error
    except yaml.YAMLError as error:
        sentence = f"not YAML: {str(error).splitlines()[0]}"
        raise BadYaml(1, sentence, "Remove the unprintable character.") from error
    if node is None:
        raise BadYaml(1, "the file is empty", "`changewindow new` writes a ticket to start from.")
    builder = _Builder()
    data = builder.build(node, ())
    return Document(data, builder.lines, tuple(builder.findings), builder.columns)


def _refuse_size(size: int, unit: str) -> None:
    if size > LARGEST:
        sentence = f"the file has more than {LARGEST:,} {unit}"
        raise BadYaml(1, sentence, "A ticket is a page or two of text; link to what is larger.")


def _refuse_forbidden(text: str, line: int | None = None, place: Place = ()) -> None:
    """Refuse a sign in the whole text, or in one value of a line: there it was written as an escape."""
    character = UNSEEN.search(text)
    if character:
        sentence = f"the control character U+{ord(character[0]):04X} is not allowed"
        at = text.count("\n", 0, character.start()) + 1 if line is None else line
        raise BadYaml(at, sentence, "Remove it, or save the file as UTF-8 text.", place)


def _refuse_traps(text: str) -> None:
    """Walk the events without recursion, so that neither depth nor aliases can hurt what comes after."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadYaml(_line(event), "anchors and aliases (& and *) are not allowed", ALIAS)
        if tag := getattr(event, "tag", None):
            tag = str(tag).replace("tag:yaml.org,2002:", "!!")
            raise BadYaml(_line(event), f"the tag {shown(tag)} is not allowed", "Write a plain value, text in quotes.")
        if isinstance(event, yaml.DocumentStartEvent) and (documents := documents + 1) > 1:
            raise BadYaml(_line(event), "a second document begins here", "Write one ticket per file.")
        if isinstance(event, yaml.CollectionStartEvent) and (depth := depth + 1) > DEEPEST:
            raise BadYaml(_line(event), f"nested deeper than {DEEPEST} levels", "Check the brackets.")
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(marked: yaml.Event | yaml.Node) -> int:
    return marked.start_mark.line + 1 if marked.start_mark else 1


class _Builder:
    """Builds the data of a document; notes lines and findings on the way."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.columns: dict[Place, int] = {}
        self.findings: list[Finding] = []

    def build(self, node: yaml.Node, path: Place) -> Any:
        """Return the data of a node."""
        self._note(path, node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        try:
            return _scalar(node, path)
        except BadYaml as bad:
            self.findings.append(bad.finding)
            return None

    def _note(self, path: Place, node: yaml.Node) -> None:
        """Keep where something begins: a value that has a name, at the name."""
        self.lines.setdefault(path, _line(node))
        self.columns.setdefault(path, node.start_mark.column + 1 if node.start_mark else 1)

    def _mapping(self, node: yaml.MappingNode, path: Place) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            try:
                key = self._key(key_node, path, built)
            except BadYaml as bad:
                self.findings.append(bad.finding)
            else:
                self._note((*path, key), key_node)
                built[key] = self.build(value_node, (*path, key))
        return built

    def _key(self, node: yaml.Node, path: Place, built: dict[str, Any]) -> str:
        line = _line(node)
        if not isinstance(node, yaml.ScalarNode):
            raise BadYaml(line, "a list or mapping cannot be a name", "Put {{ … }} and [ … ] into quotes.", path)
        _refuse_forbidden(node.value, line)
        if node.value in built:
            sentence = f"it is written twice, first in line {self.lines[(*path, node.value)]}"
            raise BadYaml(line, sentence, "Remove one of them.", (*path, str(node.value)))
        return str(node.value)


def _scalar(node: yaml.Node, path: Place) -> Any:
    tag, text, line = node.tag.rpartition(":")[2], str(node.value), _line(node)
    _refuse_forbidden(text, line, path)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag not in {"int", "float"}:
        return text
    number = _number(tag, text)
    if number is None:
        sentence = f"{shown(text)} is too large for a number"
        raise BadYaml(line, sentence, "Correct it, or put it into quotes if it is text.", path)
    return number


def _number(tag: str, text: str) -> int | float | None:
    """Return the number, or None when it is larger than computers count."""
    if len(text) > LONGEST_NUMBER:
        return None
    if tag == "int":
        return int(text) if abs(int(text)) < HIGHEST else None
    return float(text) if math.isfinite(float(text)) else None
