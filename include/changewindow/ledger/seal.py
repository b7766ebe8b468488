"""Seals what users and owners of a database could otherwise write: keyed hashes, by a key that neither of them has.

The key is one secret that every process of Change Windows has. It may be changed: of several keys the first one seals,
and all of them are known when a seal is checked.
"""

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from changewindow import settings
from changewindow.documents.canonical import canonical
from changewindow.errors import SealKeyMissing
from changewindow.settings import Settings

FORM = re.compile("[0-9a-f]{8}:[0-9a-f]{64}")
"""What every seal looks like; anything else was never one."""
SHORTEST = 16
"""Characters that a key has at least."""


class Seal:
    """Makes and checks seals; the keys are read when the first one is needed."""

    def __init__(self, read: Callable[[], Settings] = settings.read) -> None:
        self._read = read

    @cached_property
    def keys(self) -> dict[str, bytes]:
        """Return each key by its id, that which seals first.

        Raises:
            SealKeyMissing: there is none.
        """
        places = self._read()
        text = places.seal_keys or _text(places.seal_key_file, makes=places.may_make_seal_key)
        keys = text.replace(",", " ").split()
        if not keys:
            raise SealKeyMissing(f"{places.seal_key_file} is empty")
        if short := [key for key in keys if len(key) < SHORTEST]:
            raise SealKeyMissing(f"a key of {len(short[0])} characters is given, {SHORTEST} are the least")
        return {_id(key): key.encode() for key in keys}

    @property
    def origin(self) -> str:
        """Return where the keys were looked for, for people; it says nothing of a key."""
        places = self._read()
        return "the variable CHANGEWINDOW_SEAL_KEY" if places.seal_keys else f"the file {places.seal_key_file}"

    @property
    def newest(self) -> str:
        """Return the id of the key that seals.

        Raises:
            SealKeyMissing: there is no key.
        """
        return next(iter(self.keys))

    def of(self, purpose: str, content: Any, *, key: str = "") -> str:
        """Return the seal of something; the purpose keeps it from being taken for the seal of something else.

        The newest key seals, if none of those that are known is named.

        Raises:
            SealKeyMissing: there is no key.
        """
        name = key or self.newest
        return f"{name}:{self._hash(name, purpose, content)}"

    def holds(self, seal: object, purpose: str, content: Any) -> bool:
        """Return whether a seal is that of this content, by a key that is known here.

        Raises:
            SealKeyMissing: there is no key.
        """
        name, _, given = str(seal).partition(":")
        return name in self.keys and hmac.compare_digest(given.encode(), self._hash(name, purpose, content).encode())

    def why_strange(self, seal: object) -> str:
        """Return what to say of a seal by a key that is not known here, which accuses nobody; of any other, nothing."""
        if FORM.fullmatch(str(seal)) is None or key_of(seal) in self.keys:
            return ""
        return (
            f"is sealed by key {key_of(seal)}, which is not known here, so it cannot be checked. Add that key behind "
            f"the first one in {self.origin}; every process of Change Windows needs the same keys. If the ledger is "
            "that of another installation, set AIRFLOW_HOME to the folder of that one, or CHANGEWINDOW_SEAL_KEY_FILE "
            "to the file of its key. If nobody has that key any more, restore the ledger from backup"
        )

    def _hash(self, name: str, purpose: str, content: Any) -> str:
        return hmac.digest(self.keys[name], canonical([purpose, _plain(content)]).encode(), "sha256").hex()


def key_of(seal: object) -> str:
    """Return the id of the key that made a seal."""
    return str(seal).partition(":")[0]


def _id(key: str) -> str:
    """Return by what a key is named in seals; it says nothing of the key."""
    return hashlib.sha256(b"changewindow key " + key.encode()).hexdigest()[:8]


def _plain(value: Any) -> Any:
    """Return JSON as a database may give it back: PostgreSQL writes 1e22 and 1.0 as whole numbers."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(path: Path, *, makes: bool) -> str:
    """Return the text of the file of keys; where it may be made and is not there, it is."""
    try:
        if makes and not path.exists():
            _make(path)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SealKeyMissing(f"{path} cannot be read ({error})") from error


def _make(path: Path) -> None:
    """Make the file of a new key, whole or not at all; of two processes that do so at once, both read the first's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # only its owner may read it
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)
    except FileExistsError:
        return
    finally:
        Path(partial).unlink()
