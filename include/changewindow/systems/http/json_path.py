"""Finds a value in a JSON document by its path, like `database.pool.open` or `items.0.state`."""

import json
from typing import Any


def parsed(text: str) -> Any:
    """Return a JSON document.

    Raises:
        LookupError: the text is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LookupError(f"the reply is not JSON: {text[:80]!r}") from error


def at(document: Any, path: str) -> Any:
    """Return the value at a path of keys and list positions; an empty path is the whole document.

    Raises:
        LookupError: there is no value.
    """
    part = document
    for key in filter(None, path.split(".")):
        try:
            part = part[int(key)] if isinstance(part, list) else part[key]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise LookupError(f"the reply has nothing at {path} (no {key!r})") from error
    return part
