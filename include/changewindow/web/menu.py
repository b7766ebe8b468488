"""The menu of the pages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A page in the menu."""

    path: str
    title: str
    dag: str | None = None
    """Whoever may see this DAG may see the page; None: everybody who is logged in, of changes what they may see."""


MENU = (Item("kinds", "Kinds"),)
