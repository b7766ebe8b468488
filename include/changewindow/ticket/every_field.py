"""Shows every field of a ticket beside its plan, the values its parameters may take, and what differs from before."""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from pydantic import BaseModel

from changewindow.documents import parameters
from changewindow.documents.text import shown, visible
from changewindow.documents.types import duration_text
from changewindow.ticket import plan
from changewindow.ticket.model import Parameter
from changewindow.ticket.reader import build_ticket

BARE = re.compile(r"(?!(true|false|null|yes|no|on|off)$)[^\W\d][\w ./@:,%=+#()-]*(?<! )", re.IGNORECASE)
"""Text that nobody takes for anything else without quotes."""
INLINE = 100
"""Characters up to which a list stands on one line."""
LINES = 12
"""Of a folded text, the lines that are shown, and the characters of each."""
WIDTH = 300
MOST = 20
"""Choices of parameters that are drawn out."""
INDENT = "  "


def text(data: Mapping[str, Any], before: Mapping[str, Any] | None = None, *, is_whole: bool = False) -> str:
    """Return all of it as text; long texts are folded unless it is to be `whole`."""
    sections = {
        "Every field:": fields(data, is_whole=is_whole),
        "With other values of parameters:": at_extremes(data),
        "What differs from the text that was approved before:": differences(before, data) if before else [],
    }
    parts = ["\n".join([title, "", *lines]) for title, lines in sections.items() if lines]
    return visible("\n\n".join(parts)) + "\n"


def fields(data: Mapping[str, Any], *, is_whole: bool = False) -> list[str]:
    """Return each field of a ticket's data as lines, and below each group what holds where nothing is written."""
    return list(_members(data, build_ticket(data), is_whole=is_whole))


def in_order(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ticket's data with its fields in the order in which people read a ticket."""
    ordered: dict[str, Any] = _ordered(data, build_ticket(data))
    return ordered


def at_extremes(data: Mapping[str, Any]) -> list[str]:
    """Return how plan and fields differ at the extremes of each parameter, and with all at their least and greatest."""
    ticket = build_ticket(data)
    usual, lines = _with(data, {}), []
    choices = list(_choices(ticket.parameters))
    for chosen in choices[:MOST]:
        changed = difflib.unified_diff(usual, _with(data, chosen), n=0, lineterm="")
        lines.append(f"with {', '.join(f'{name} = {shown(value)}' for name, value in chosen.items())}:")
        lines += [INDENT + line for line in islice(changed, 2, None) if not line.startswith("@@")]
    more = len(choices) - MOST
    return (
        [*lines, f"{more} more choices are not drawn out; their values stand under `parameters`"] if more > 0 else lines
    )


def differences(before: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    """Return what differs between two texts of a change, as a unified diff."""
    old, new = (fields(of, is_whole=True) for of in (before, data))
    return list(difflib.unified_diff(old, new, "approved before", "now", n=2, lineterm=""))


def _members(data: Mapping[str, Any], model: Any, *, is_whole: bool) -> Iterator[str]:
    for name, value in _in_order(data, model):
        yield from _lines(str(name), value, _part(model, name), is_whole=is_whole)
    if unset := "; ".join(_defaults(data, model)):
        yield f"(by default {unset})"


def _in_order(data: Mapping[str, Any], model: Any) -> list[tuple[str, Any]]:
    """Return the fields as people read a ticket, wherever they stand in it; the ledger has them by the alphabet."""
    known = [name for _, name in _names(model)] if isinstance(model, BaseModel) else []
    places = {name: place for place, name in enumerate(known)}
    return sorted(data.items(), key=lambda field: places.get(field[0], len(places)))


def _ordered(value: Any, model: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _ordered(part, _part(model, name)) for name, part in _in_order(value, model)}
    if isinstance(value, list):
        models = model if isinstance(model, tuple | list) and len(model) == len(value) else [None] * len(value)
        return [_ordered(part, of) for part, of in zip(value, models, strict=True)]
    return value


def _lines(name: str, value: Any, model: Any, *, is_whole: bool) -> Iterator[str]:
    """Yield a field: on one line, or with what is in it indented below its name."""
    if isinstance(value, dict) and value:
        inner = _members(value, model, is_whole=is_whole)
    elif isinstance(value, list) and (len(_inline(value)) > INLINE or any(isinstance(part, dict) for part in value)):
        models = model if isinstance(model, tuple | list) and len(model) == len(value) else [None] * len(value)
        pairs = enumerate(zip(value, models, strict=True), 1)
        inner = (line for at, (part, of) in pairs for line in _lines(str(at), part, of, is_whole=is_whole))
    elif isinstance(value, str) and ("\n" in value or len(value) > WIDTH):
        name, inner = f"{name}: {_size(value)}", _block(value, is_whole=is_whole)
    else:
        yield f"{name}: {_inline(value)}"
        return
    yield name if name.endswith(")") else f"{name}:"
    yield from (INDENT + line for line in inner)


def _inline(value: Any) -> str:
    return value if isinstance(value, str) and BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _size(value: str) -> str:
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    return f"({len(value):,} characters in {len(value.splitlines()):,} lines, sha256 {digest})"


def _block(value: str, *, is_whole: bool) -> Iterator[str]:
    """Yield the lines of a long text; folded, the first ones, and how many more there are."""
    lines = value.split("\n")
    for line in lines if is_whole else lines[:LINES]:
        left_out = 0 if is_whole else len(line) - WIDTH
        yield f"| {line[:WIDTH]}… {left_out:,} more characters" if left_out > 0 else f"| {line}"
    if not is_whole and len(lines) > LINES:
        yield f"… {len(lines) - LINES:,} more lines"


def _part(model: Any, name: Any) -> Any:
    """Return what became of one field."""
    if isinstance(model, BaseModel):
        return next((getattr(model, field) for field, known in _names(model) if known == name), None)
    return model.get(name) if isinstance(model, dict) else None


def _names(model: BaseModel) -> list[tuple[str, str]]:
    return [(field, info.alias or field) for field, info in type(model).model_fields.items()]


def _defaults(data: Mapping[str, Any], model: Any) -> Iterator[str]:
    """Yield what holds where nothing is written; groups of which nothing is written are in the schema."""
    for field, name in _names(model) if isinstance(model, BaseModel) else ():
        value = getattr(model, field)
        if name not in data and value and isinstance(value, timedelta | str | int | float):
            yield f"{name}: {duration_text(value) if isinstance(value, timedelta) else _inline(value)}"


def _with(data: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[str]:
    """Return plan and fields with values chosen for parameters."""
    filled = {name: part for name, part in parameters.fill(data, chosen).items() if name != "parameters"}
    lines = _members(filled, build_ticket(data, chosen), is_whole=True)
    return [*plan.text("", build_ticket(data, chosen)).splitlines(), *lines]


def _choices(declared: Mapping[str, Parameter]) -> Iterator[dict[str, Any]]:
    """Yield what may be chosen besides the defaults: one parameter at a time, then all at once."""
    for name, parameter in declared.items():
        yield from ({name: value} for value in _extremes(parameter) if value != parameter.default)
    numbers = {name: _extremes(parameter) for name, parameter in declared.items() if _is_number(parameter)}
    if len(numbers) > 1:
        yield {name: least for name, (least, *_) in numbers.items()}
        yield {name: greatest for name, (*_, greatest) in numbers.items()}


def _extremes(parameter: Parameter) -> Iterable[Any]:
    """Return the least and the greatest number; of what has no order, every value."""
    choices = parameter.choices
    return (min(choices), max(choices)) if _is_number(parameter) else choices


def _is_number(parameter: Parameter) -> bool:
    return parameter.type in {"integer", "number"}
