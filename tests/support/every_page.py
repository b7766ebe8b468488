"""The addresses of every page that there is, found by their routes."""

import re
from collections.abc import Iterable

from starlette.routing import Route

from changewindow.web import menu

VALUES = {"change": "CHG-1001", "number": "1", "standard": "restart"}
"""What stands for the parts of addresses that vary."""


def routes() -> list[str]:
    """Return the path of each route of a page, with its parts that vary in braces."""
    found = [route for module in menu.modules() for route in module.router.routes]
    return [route.path.lstrip("/") for route in found if isinstance(route, Route) and "GET" in (route.methods or ())]


def filled(path: str, **values: str) -> str:
    """Return the address of a route."""
    return re.sub(r"{(\w+)(:\w+)?}", lambda part: {**VALUES, **values}[part[1]], path)


def addresses(changes: Iterable[str] = ()) -> list[str]:
    """Return the address of each page; those of one change for each of these, or else for one that acts."""
    every = []
    for path in routes():
        wanted = tuple(changes) if "{change}" in path else ()
        every += [filled(path, change=change) for change in wanted] or [filled(path)]
    return every
