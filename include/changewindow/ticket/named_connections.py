"""Finds the Airflow Connections that a ticket names, by the type of the fields that hold them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from changewindow.documents.findings import Place
from changewindow.documents.types import CONNECTION


@dataclass(frozen=True)
class NamedConnection:
    """A connection, with the kind of step or source that uses it, or `silence`, and where it is named."""

    name: str
    kind: str
    place: Place = ()


def named_connections(part: BaseModel, place: Place = (), kind: str = "") -> Iterator[NamedConnection]:
    """Yield each connection that a ticket or a part of it names."""
    kind = getattr(part, "used_as", "") or getattr(part, "kind", kind)
    for name, field in type(part).model_fields.items():
        is_name = CONNECTION in field.metadata or _holds_names(field.annotation)
        yield from _within(getattr(part, name), (*place, field.alias or name), kind, is_name=is_name)


def _within(value: Any, place: Place, kind: str, *, is_name: bool) -> Iterator[NamedConnection]:
    if isinstance(value, BaseModel):
        yield from named_connections(value, place, kind)
    elif isinstance(value, str):
        if is_name and value:
            yield NamedConnection(value, kind, place)
    elif isinstance(value, dict | tuple | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _within(inner, (*place, key), kind, is_name=is_name)


def _holds_names(annotation: Any) -> bool:
    """Return whether a type says, at any depth, that its texts are names of connections."""
    inside = (*get_args(annotation), *getattr(annotation, "__metadata__", ()))
    return CONNECTION in inside or any(_holds_names(part) for part in inside if not isinstance(part, str))
