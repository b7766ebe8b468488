"""Finds the kinds (steps, sources, checks, channels) by the names of their files."""

import importlib
import pkgutil
import textwrap
from functools import cache, reduce
from operator import or_
from types import ModuleType, new_class
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from changewindow.errors import BadKind


@cache
def modules(folder: str) -> dict[str, ModuleType]:
    """Return every kind of a folder such as `steps`, as its module, by kind."""
    package = importlib.import_module(f"changewindow.{folder}")
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.ispkg)
    return {name: importlib.import_module(f"changewindow.{folder}.{name}") for name in names if name != "base"}


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
def models(folder: str, name: str) -> dict[str, type[BaseModel]]:
    """Return the model `name` of each kind of a folder, with the field `kind` that selects it."""
    return {kind: _selected(folder, kind, contract(module, name)) for kind, module in modules(folder).items()}


def _selected(folder: str, kind: str, model: type[BaseModel]) -> type[BaseModel]:
    """Return a model with the field `kind`, which selects it; pydantic need not look for docstrings it has read."""
    said = {"__module__": model.__module__, "__doc__": modules(folder)[kind].__doc__}
    field = {"kind": Field(description=summary(folder, kind)), "__annotations__": {"kind": Literal[kind]}}
    quick = {"model_config": ConfigDict(use_attribute_docstrings=False)}
    return new_class(model.__name__, (model,), exec_body=lambda body: body.update({**said, **field, **quick}))


def any_of(folder: str, name: str) -> Any:
    """Return the type of a field that takes any kind of a folder, selected by its `kind`."""
    return Annotated[reduce(or_, models(folder, name).values()), Field(discriminator="kind")]


def summary(folder: str, kind: str) -> str:
    """Return the first line of what a kind says of itself."""
    return (modules(folder)[kind].__doc__ or "").strip().split("\n")[0]


def describe(folder: str, name: str, kind: str) -> str:
    """Return what a kind says of itself, with the fields authors write and an example."""
    module = modules(folder)[kind]
    parts = [f"{folder} {kind}", (module.__doc__ or "").strip()]
    example = getattr(module, "EXAMPLE", None)
    if example is not None:
        parts.append("Fields:\n" + "\n".join(map(_field_line, _fields(models(folder, name)[kind]))))
        parts.append("Example:\n" + textwrap.indent(yaml.safe_dump(example, sort_keys=False), "  "))
    return "\n\n".join(parts).rstrip() + "\n"


def _fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    return [(field.alias or name, field) for name, field in model.model_fields.items() if name != "kind"]


def _field_line(named: tuple[str, FieldInfo]) -> str:
    name, field = named
    return f"  {name:12} {'needed  ' if field.is_required() else 'optional'}  {field.description or ''}".rstrip()
