"""Keeps Python's search for garbage short in a triggerer, where it stops every watch at once.

A full search looks at all that lives: more than a second for a thousand watches, again and again. What is there when a
watch begins will live long, so it is put aside (`gc.freeze`), and searched again only now and then, because the watches
that have ended leave garbage in it.
"""

import gc
import time

EVERY = 600.0
"""Seconds between two searches through everything, at the least."""
_searched = time.monotonic()


def put_aside() -> None:
    """Let later searches pass over all that lives now."""
    global _searched  # noqa: PLW0603  one process has one collector
    if time.monotonic() - _searched >= EVERY:
        _searched = time.monotonic()
        gc.unfreeze()
    gc.collect()
    gc.freeze()
