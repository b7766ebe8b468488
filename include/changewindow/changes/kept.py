"""What a collector keeps for its next look, in a file of its folder, and the key with which it recognises secrets."""

import hashlib
import json
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

KEY, LENGTH = "fingerprints.key", 32
MOST = 4 << 20
"""In bytes: a collector that keeps more loses it."""


def kept_in(folder: Path, key: bytes) -> dict[str, Any]:
    """Return what a look with this key has kept, or nothing where there is nothing that can be read.

    Looks with different keys keep apart: fingerprints by one mean nothing beside those by another.
    """
    try:
        kept = json.loads((folder / _file(key)).read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(folder: Path, kept: dict[str, Any], key: bytes) -> None:
    """Keep it for the next look with this key, if there is anything and it is small; nobody else reads it."""
    content = json.dumps(kept).encode()
    if not kept or len(content) > MOST:
        return
    with suppress(OSError):  # whoever reads it next expects that it may be lost
        Path(_written(folder, content)).replace(folder / _file(key))


def key_in(folder: Path) -> bytes:
    """Return the key of the fingerprints that collectors keep below a folder; whoever looks there first makes it.

    With another key, each secret that was kept would look as if it had changed. Where nothing can be written, nothing
    is kept either, and any key does.
    """
    if key := _key(folder):
        return key
    with suppress(OSError):
        made = Path(_written(folder, secrets.token_bytes(LENGTH)))
        with suppress(FileExistsError):  # another one was quicker, and its key counts
            os.link(made, folder / KEY)
        made.unlink()
    return _key(folder) or secrets.token_bytes(LENGTH)


def _file(key: bytes) -> str:
    return f"kept-{hashlib.sha256(b'kept by ' + key).hexdigest()[:8]}.json"


def _key(folder: Path) -> bytes:
    """Return the key that is there; one that is broken is thrown away."""
    try:
        key = (folder / KEY).read_bytes()
        if len(key) == LENGTH:
            return key
        (folder / KEY).unlink()
    except OSError:
        pass
    return b""


def _written(folder: Path, content: bytes) -> str:
    """Return the path of a new file that only this user may read."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return name
