"""What the fields of a model are for, read from the source when somebody asks: most processes never do."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def description(model: type[BaseModel], name: str) -> str:
    """Return what a field is for: the text that stands below it, where it is annotated."""
    if written := model.model_fields[name].description:
        return written
    owner = next(base for base in model.__mro__ if name in inspect.get_annotations(base))
    return _texts(owner.__module__).get((owner.__qualname__, name), "")


@cache
def _texts(module: str) -> Mapping[tuple[str, str], str]:
    """Return the text below each field of each class of a module; none where its source is not at hand."""
    try:
        source = inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return {}
    return {(place, name): text for place, made in _classes(ast.parse(source)) for name, text in _below_fields(made)}


def _classes(within: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.iter_child_nodes(within):
        inside = prefix
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name, node
            inside = f"{prefix}{node.name}."
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{prefix}{node.name}.<locals>."
        yield from _classes(node, inside)


def _below_fields(made: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for pair in pairwise(made.body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
