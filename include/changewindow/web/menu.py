"""The pages that there are: each is a module in `pages`, with its routes and, if it has one, its place in the menu."""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from changewindow.web import pages


@dataclass(frozen=True)
class Item:
    """A page in the menu."""

    path: str
    title: str
    place: int
    """Pages stand in the order of their places."""
    dag: str | None = None
    """Whoever may see this DAG may see the page; None: everybody who is logged in, of changes what they may see."""


@cache
def modules() -> tuple[ModuleType, ...]:
    """Return the module of each page; each has a `router`, and an `ITEM` if the menu leads to it."""
    names = (each.name for each in pkgutil.iter_modules(pages.__path__))
    return tuple(importlib.import_module(f"{pages.__name__}.{name}") for name in names)


@cache
def items() -> tuple[Item, ...]:
    """Return the menu."""
    entries = [module.ITEM for module in modules() if hasattr(module, "ITEM")]
    return tuple(sorted(entries, key=lambda item: item.place))
