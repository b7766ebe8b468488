"""Writes an approved revision as data, once and atomically; reads it back only if it is exactly what was written."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from changewindow.documents.canonical import canonical
from changewindow.errors import BadPublication
from changewindow.ledger.seal import Seal
from changewindow.ticket.revision import PublishedChange

IDENTITY = re.compile(r"CHG-[1-9][0-9]{0,15}")
"""One name for each change: with a zero before its number it would be a second DAG of the same change."""
FORM = 1
"""Which version of the form of a published file this is."""
PURPOSE = "published change"
"""What its seal is for; no other seal is taken for it."""
LARGEST = 8_000_000
"""In bytes; a ticket has at most a million characters, and JSON escapes some of them."""
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither a link is followed nor a pipe waited for."""


def text(change: str, data: dict[str, Any], seal: str) -> str:
    """Return the file of a change: JSON with its id, the text, and the seal of both.

    Raises:
        ValueError: the name is no id of a change, or the data cannot be written as JSON in UTF-8.
    """
    if not IDENTITY.fullmatch(change):
        raise ValueError(f"{change!r} is not the id of a change")
    canonical(data).encode()  # half a character has no UTF-8
    published = {"form": FORM, "change": change, "seal": seal, "ticket": data}
    return json.dumps(published, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def path_of(folder: Path, change: str) -> Path:
    """Return the path of a change's file."""
    return folder / f"{change}.json"


def publish(folder: Path, change: str, data: dict[str, Any], seal: Seal) -> Path:
    """Write the file of a change into the folder of published changes; return its path. May be called twice."""
    path, written = path_of(folder, change), text(change, data, seal.of(PURPOSE, [change, data]))
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{change}.{os.getpid()}.partial"
    partial.unlink(missing_ok=True)
    try:
        with partial.open("x", encoding="utf-8", newline="\n") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def read(path: Path, seal: Seal) -> PublishedChange:
    """Return the change of a published file; nothing in it is ever executed.

    Raises:
        BadPublication: it is not, byte for byte, what publishing has written for the change that its name says.
        SealKeyMissing: that cannot be known here.
    """
    if path.suffix != ".json" or not IDENTITY.fullmatch(path.stem):
        raise BadPublication(path, "is not named as published changes are (CHG-1042.json)")
    raw = _bytes(path)
    try:
        given = json.loads(raw)
        data, sealed = given["ticket"], given["seal"]
        is_ours = isinstance(data, dict) and raw == text(path.stem, data, sealed).encode()
        is_ours = is_ours and seal.holds(sealed, PURPOSE, [path.stem, data])
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        raise BadPublication(path, f"cannot be read as a published change ({type(error).__name__})") from error
    if not is_ours:
        raise BadPublication(
            path, f"is not what publishing {path.stem} writes: it was edited or forged, or is another change's"
        )
    return PublishedChange.of(path.stem, data)


def is_published(folder: Path, change: str, data: Any, seal: Seal) -> bool:
    """Return whether the file of a change is there and holds exactly this text."""
    try:
        return canonical(read(path_of(folder, change), seal).data) == canonical(data)
    except BadPublication:
        return False


def _bytes(path: Path) -> bytes:
    """Return what a regular file holds that has this one name only.

    Raises:
        BadPublication: it is none, or it is too large.
    """
    try:
        descriptor = os.open(path, FLAGS)
    except OSError as error:
        what = "is a link" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise BadPublication(path, what) from error
    try:
        _require_regular(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            raw = file.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(raw) > LARGEST:
        raise BadPublication(path, f"has more than {LARGEST} bytes")
    return raw


def _require_regular(path: Path, known: os.stat_result) -> None:
    if not stat.S_ISREG(known.st_mode):
        raise BadPublication(path, "is no regular file")
    if known.st_nlink > 1:
        raise BadPublication(path, "has a second name elsewhere (a hard link)")
