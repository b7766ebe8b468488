"""Turns what pydantic finds wrong with a document into findings, each at its place and without mere consequences."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Annotated, Any, Protocol, get_args, get_origin, runtime_checkable

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from changewindow.documents.descriptions import description
from changewindow.documents.findings import Finding, Place
from changewindow.documents.text import hint, nearest, shown
from changewindow.documents.wording import Wrong, finding_of, wrong_type
from changewindow.documents.yaml import Document


@runtime_checkable
class Choice(Protocol):
    """What annotates a field that takes one of several models, chosen by the `kind` in its data."""

    def model(self, kind: Any) -> type[BaseModel] | None:
        """Return the model of this kind, if there is one."""


@dataclass(frozen=True)
class Given:
    """What pydantic was given: data, and the model it should have been."""

    data: Any
    model: type[BaseModel]


def of_errors(document: Document, given: Given, errors: Iterable[ErrorDetails]) -> Iterator[Finding]:
    """Turn pydantic's errors about the data of a document into findings."""
    code = given.model.__name__.lower()
    for finding in _first_hand(given, [_wrong(given.data, error, code) for error in errors]):
        yield replace(finding, line=document.line(finding.place))


def text_places(data: Any, error: ValidationError) -> Iterator[Place]:
    """Return the places of data where a number, true or false stands and the field is text."""
    for detail in error.errors(include_url=False):
        if detail["type"] == "string_type" and isinstance(detail["input"], bool | int | float):
            yield _wrong(data, detail, "").place


def _first_hand(given: Given, wrongs: list[Wrong]) -> Iterator[Finding]:
    """Return the finding for each wrong value; consequences of others are left out."""
    unknown = [wrong.place for wrong in wrongs if wrong.error == "extra_forbidden"]
    renamed = {(*inside, nearest(name, _fields(tuple(inside), given))) for *inside, name in unknown}
    for choice, group in groupby(wrongs, lambda wrong: wrong.choice):
        branches = _nearest_branches(list(group), choice)
        if choice is not None and all(wrong.is_of_wrong_type and wrong.place == choice for wrong in branches):
            mismatch = wrong_type(branches)
            yield replace(mismatch, remedy=f"{mismatch.remedy} {_about(choice, given)}".strip())
        else:
            yield from (_finding(wrong, given) for wrong in branches if not _is_consequence(wrong, renamed))


def _nearest_branches(wrongs: list[Wrong], choice: Place | None) -> list[Wrong]:
    """Of several things that may stand at a place, return what is wrong with those that the author seems to mean."""
    if choice is None:
        return wrongs
    inside = [wrong for wrong in wrongs if len(wrong.place) > len(choice)]
    return inside or [wrong for wrong in wrongs if not wrong.is_of_wrong_type] or wrongs


def _is_consequence(wrong: Wrong, renamed: set[tuple[Any, ...]]) -> bool:
    """Return whether a list only lacks its wrong items, or a field only its right name."""
    if wrong.error == "too_short":
        return bool(len(wrong.given) >= wrong.facts["min_length"])
    return wrong.error == "missing" and wrong.place in renamed


def _wrong(data: Any, error: ErrorDetails, code: str) -> Wrong:
    """Find the author's place of an error: the parts of its location that are pydantic's own are dropped."""
    place: list[int | str] = []
    choice: Place | None = None
    kind: Any = None
    for number, part in enumerate(error["loc"], 1):
        if part == kind:
            kind = None
        elif _has(data, part):
            data = data[part]
            kind = data.get("kind") if isinstance(data, dict) else None
            place.append(part)
        elif error["type"] == "missing" and number == len(error["loc"]):
            place.append(part)
        else:
            choice = tuple(place)
    if error["type"].startswith("union_tag"):
        place.append("kind")
    return Wrong(tuple(place), choice, error["type"], error["input"], error.get("ctx", {}), error["msg"], code)


def _has(data: Any, part: int | str) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and part in range(len(data))


def _finding(wrong: Wrong, given: Given) -> Finding:
    if wrong.error == "extra_forbidden":
        remedy = hint(wrong.place[-1], _fields(wrong.place[:-1], given))
        return replace(wrong.finding(f"unknown field {shown(wrong.place[-1])}", remedy), names_field=True)
    if wrong.error == "missing":
        return replace(_missing(wrong, given), names_field=True)
    plain = finding_of(wrong)
    is_regular = str(wrong.facts.get("pattern", "nothing")) in plain.remedy
    field = max((number for number, part in enumerate(wrong.place, 1) if isinstance(part, str)), default=0)
    about = _about(wrong.place[:field], given) if is_regular and field else ""
    return replace(plain, remedy=about) if about else plain  # what a field is for says more than an expression


def _missing(wrong: Wrong, given: Given) -> Finding:
    name = wrong.place[-1]
    if isinstance(name, int):
        return wrong.finding(f"item {name + 1} is missing", "Add it to the list.")
    return wrong.finding(f"{shown(name)} is missing", f"Add it. {_about(wrong.place, given)}".strip())


def _about(place: Place, given: Given) -> str:
    """Return the description of a field."""
    return _fields(place[:-1], given).get(str(place[-1]), "")


def _fields(place: Place, given: Given) -> dict[str, str]:
    """Return the names that are allowed at a place with their descriptions, by walking the models along the data."""
    model, data = given.model, given.data
    inside: list[type[BaseModel] | Choice] = []
    for part in place:
        data = data[part]
        field = _by_author_name(model).get(str(part))
        inside = _inside(field.annotation, field.metadata) if field else inside
        if isinstance(data, dict) and inside:
            model = _chosen(inside, data.get("kind")) or model
    return {field.alias or name: description(model, name) for name, field in model.model_fields.items()}


def _by_author_name(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inside(annotation: Any, metadata: Iterable[Any] = ()) -> list[type[BaseModel] | Choice]:
    """Return the models that may stand in a field, and the choices between models."""
    if choices := [choice for choice in metadata if isinstance(choice, Choice)]:
        return [*choices]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return _inside(get_args(annotation)[0], get_args(annotation)[1:])
    return [model for part in get_args(annotation) for model in _inside(part)]


def _chosen(inside: list[type[BaseModel] | Choice], kind: Any) -> type[BaseModel] | None:
    """Return the model that data of this kind is of, or else the first."""
    models = [part.model(kind) if isinstance(part, Choice) else part for part in inside]
    known = [model for model in models if model]
    return next((model for model in known if _kind_of(model) == kind), known[0] if known else None)


def _kind_of(model: type[BaseModel]) -> str | None:
    return str(get_args(model.model_fields["kind"].annotation)[0]) if "kind" in model.model_fields else None
