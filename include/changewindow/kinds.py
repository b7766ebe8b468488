"""Finds the kinds (steps, sources, checks, channels, collectors, silences, markers) by the names of their files."""

import importlib
import inspect
import pkgutil
import sys
import textwrap
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, reduce
from operator import or_
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, to_json
from pydantic_core.core_schema import tagged_union_schema, with_info_plain_validator_function

from changewindow.documents.descriptions import description
from changewindow.documents.types import duration_text
from changewindow.errors import BadKind

CONTRACTS = {
    "steps": "Step",
    "sources": "Source",
    "checks": "check",
    "notify": "Channel",
    "collectors": "Collector",
    "silences": "Silence",
    "markers": "Marker",
}
"""What every kind of a room defines."""
UNDECLARED = "nobody has declared what asking it would run"
"""Why a kind that does not say otherwise is not asked before a change is approved."""


@cache
def names(folder: str) -> tuple[str, ...]:
    """Return every kind of a folder such as `steps`, without importing it."""
    package = importlib.import_module(f"changewindow.{folder}")
    files = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg)
    return tuple(name for name in files if name != "base")


def modules(folder: str) -> dict[str, ModuleType]:
    """Return every kind of a folder as its module, by kind."""
    return {kind: importlib.import_module(f"changewindow.{folder}.{kind}") for kind in names(folder)}


def contract(module: ModuleType, name: str) -> Any:
    """Return what every kind of the folder must define.

    Raises:
        BadKind: the module does not define it.
    """
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise BadKind(module.__name__, name) from error


@cache
def model(folder: str, name: str, kind: str) -> type[BaseModel]:
    """Return the model `name` of one kind; its field `kind` selects it.

    Raises:
        BadKind: the field `kind` does not hold the name of its file.
    """
    defined: type[BaseModel] = contract(importlib.import_module(f"changewindow.{folder}.{kind}"), name)
    field = defined.model_fields.get("kind")
    if field is None or get_args(field.annotation) != (kind,):
        raise BadKind(defined.__module__, f'field `kind: Literal["{kind}"] = "{kind}"` in its {name}')
    return defined


def models(folder: str, name: str) -> dict[str, type[BaseModel]]:
    """Return the model `name` of each kind of a folder.

    Raises:
        BadKind: a kind's field `kind` does not hold the name of its file.
    """
    return {kind: model(folder, name, kind) for kind in names(folder)}


@dataclass(frozen=True)
class AnyKind:
    """Annotates a field that takes any kind of a folder, selected by its `kind`; only kinds that are used are imported.

    A task reads the ticket of one change, whose few kinds need few of the libraries that all kinds together load.
    """

    folder: str
    name: str

    def model(self, kind: Any) -> type[BaseModel] | None:
        """Return the model of a kind, if there is such a kind."""
        return model(self.folder, self.name, kind) if kind in names(self.folder) else None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by the kind that the value names: JSON strictly, with the errors of a union of all kinds."""

        def validate(value: Any, info: ValidationInfo) -> Any:
            if isinstance(value, source):
                return value
            kind = value.get("kind") if isinstance(value, dict) else None
            union = self._union(kind if self.model(kind) else None)
            if info.mode == "json":
                return union.validate_json(to_json(value), strict=True)
            return union.validate_python(value)

        return with_info_plain_validator_function(validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe every kind."""
        return handler(self._all.core_schema)

    @property
    def _all(self) -> TypeAdapter[Any]:
        of_any: Any = Annotated[reduce(or_, models(self.folder, self.name).values()), Field(discriminator="kind")]
        return TypeAdapter(of_any)

    @cache  # noqa: B019  there is one for each room of kinds, for as long as the process lives
    def _union(self, kind: str | None) -> SchemaValidator:
        """Return what validates one kind, or any of them: both tell the same mistakes."""
        if kind is None:
            return SchemaValidator(self._all.core_schema)
        schema = model(self.folder, self.name, kind).__pydantic_core_schema__
        return SchemaValidator(tagged_union_schema({kind: schema}, discriminator="kind"))


def explain_kind(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Complete the JSON schema of a kind for editors: what it does, and that authors always write `kind`."""
    documentation = inspect.cleandoc(sys.modules[model.__module__].__doc__ or "")
    schema["description"] = documentation
    kind = schema["properties"]["kind"]
    kind["description"] = documentation.split("\n")[0]
    kind.pop("default", None)
    schema["required"] = [*schema.get("required", []), "kind"]


def summary(folder: str, kind: str) -> str:
    """Return the first line of a kind's documentation."""
    return (modules(folder)[kind].__doc__ or "").strip().split("\n")[0]


def describe(folder: str, name: str, kind: str) -> str:
    """Return a kind's documentation, with the fields authors write and an example."""
    module = modules(folder)[kind]
    parts = [f"{folder} {kind}", (module.__doc__ or "").strip()]
    example = getattr(module, "EXAMPLE", None)
    if example is not None:
        fields = _fields(models(folder, name)[kind])
        width = max([12, *(len(place) for place, _, _ in fields)])
        lines = [f"  {place:{width}} {_field_line(field, about)}".rstrip() for place, field, about in fields]
        parts.append("\n".join(["Fields:", *lines]))
        parts.append("Example:\n" + textwrap.indent(yaml.safe_dump(example, sort_keys=False), "  "))
    return "\n\n".join(parts).rstrip() + "\n"


def facts(folder: str, name: str, kind: str) -> dict[str, Any]:
    """Return the same as data; checks and channels have no fields and no example."""
    module = modules(folder)[kind]
    example = getattr(module, "EXAMPLE", None)
    fields = [] if example is None else _fields(models(folder, name)[kind])
    return {
        "room": folder,
        "kind": kind,
        "summary": summary(folder, kind),
        "documentation": (module.__doc__ or "").strip(),
        "fields": [_field_facts(place, field, about) for place, field, about in fields],
        "example": example,
    }


def _field_facts(place: str, field: FieldInfo, about: str) -> dict[str, Any]:
    has_default = not field.is_required() and field.default not in (None, "", (), {})
    return {
        "name": place,
        "required": field.is_required(),
        "description": about or None,
        "choices": _parts(field.annotation, Literal),
        "default": _text(field.default) if has_default else None,
    }


def _fields(model: type[BaseModel], within: str = "") -> list[tuple[str, FieldInfo, str]]:
    """Return the fields that authors write with their places and what they are for, including nested ones."""
    fields = []
    for name, field in model.model_fields.items():
        if name != "kind":
            place = within + (field.alias or name)
            fields.append((place, field, description(model, name)))
            for inner in _parts(field.annotation, BaseModel):
                fields += _fields(inner, f"{place}.")
    return fields


def _parts(annotation: Any, of: Any) -> list[Any]:
    """Return what an annotation is made of: the classes of a base, or the words of a Literal."""
    if of is Literal and get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(annotation, type) and isinstance(of, type) and issubclass(annotation, of):
        return [annotation]
    return [part for argument in get_args(annotation) for part in _parts(argument, of)]


def _field_line(field: FieldInfo, about: str) -> str:
    words = _parts(field.annotation, Literal)
    choice = [" | ".join(map(str, words))] if len(words) > 1 else []
    default = (
        [] if field.is_required() or field.default in (None, "", (), {}) else [f"by default {_text(field.default)}"]
    )
    more = "; ".join(choice + default)
    text = " ".join(filter(None, (about, f"[{more}]" if more else "")))
    return f"{'needed  ' if field.is_required() else 'optional'}  {text}"


def _text(value: Any) -> str:
    """Return a default as an author would write it."""
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
