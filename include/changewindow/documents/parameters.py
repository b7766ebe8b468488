"""Fills the values of parameters into a ticket's data, and finds uses that cannot be filled in."""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

from changewindow.documents.findings import Finding, Place
from changewindow.documents.text import hint, shown

USE = re.compile(r"\{\{\s*params\.(\w+)\s*\}\}")
LOOKS_LIKE_USE = re.compile(r"\{\{\s{0,99}params?\b[^}]{0,300}\}\}")
"""Bounded: where there are many beginnings without an end, each is looked at once and not to the end of the text."""


def defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each parameter that has one, for the scheduled run."""
    declared = data.get("parameters")
    return {
        name: parameter["default"]
        for name, parameter in (declared.items() if isinstance(declared, dict) else ())
        if isinstance(parameter, dict) and isinstance(parameter.get("default"), bool | int | float | str)
    }


def fill(data: Mapping[str, Any], chosen: Mapping[str, Any], as_text: Container[Place] = ()) -> dict[str, Any]:
    """Replace each `{{ params.name }}` by its chosen value or else its default.

    A use that is the whole value takes the type of its parameter, but becomes text at the places of `as_text`; inside a
    longer text it is always text.
    """
    values = {**defaults(data), **chosen}
    return {
        name: part if name == "parameters" else _filled(part, values, (name,), as_text) for name, part in data.items()
    }


def used(text: Any) -> set[str]:
    """Return the names of the parameters that a value uses."""
    return set(USE.findall(text)) if isinstance(text, str) else set()


def whole_uses(data: Mapping[str, Any]) -> set[Place]:
    """Return the places where a parameter is the whole value."""
    return {place for place, text, is_name in texts(data) if not is_name and USE.fullmatch(text.strip())}


def misuses(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Find each use of a parameter that cannot be filled in."""
    declared = data.get("parameters")
    names = sorted(declared) if isinstance(declared, dict) else []
    for place, text, is_name in texts(data):
        for use in LOOKS_LIKE_USE.findall(text):
            wrong = _misuse(use, names, is_fixed=is_name or place[0] == "parameters")
            if wrong:
                yield replace(wrong, place=place)


def texts(data: Any, place: Place = ()) -> Iterator[tuple[Place, str, bool]]:
    """Return every text of the data with its place, and whether it is the name of a field."""
    if isinstance(data, str):
        yield place, data, False
    elif isinstance(data, dict):
        for key, value in data.items():
            yield (*place, key), key, True
            yield from texts(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from texts(value, (*place, index))


def _misuse(text: str, names: list[str], *, is_fixed: bool) -> Finding | None:
    use = USE.fullmatch(text)
    if not use:
        return Finding("parameters", f"{shown(text)} cannot be filled in", "Write it as {{ params.name }}.")
    if is_fixed:
        return Finding("parameters", f"{text} is not filled in here", "Use it in a value outside `parameters`.")
    if use[1] not in names:
        remedy = hint(use[1], names) if names else "Declare it under `parameters`."
        return Finding("parameters", f"there is no parameter '{use[1]}'", remedy)
    return None


def _filled(data: Any, values: Mapping[str, Any], place: Place, as_text: Container[Place]) -> Any:
    if isinstance(data, dict):
        return {key: _filled(value, values, (*place, key), as_text) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(item, values, (*place, index), as_text) for index, item in enumerate(data)]
    if not isinstance(data, str) or "{{" not in data:
        return data
    whole = USE.fullmatch(data.strip())
    if whole and whole[1] in values:
        return _text(values[whole[1]]) if place in as_text else values[whole[1]]
    return USE.sub(lambda use: _text(values.get(use[1], use[0])), data)


def _text(value: Any) -> str:
    return shown(value) if isinstance(value, bool) else str(value)
