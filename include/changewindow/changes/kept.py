"""What a collector keeps for its next look, in a file of its folder."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE = "kept.json"
MOST = 4 << 20
"""In bytes: a collector that keeps more loses it."""


def kept_in(folder: Path) -> dict[str, Any]:
    """Return what was kept, or nothing where there is nothing that can be read."""
    try:
        kept = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(folder: Path, kept: dict[str, Any]) -> None:
    """Keep it for the next look, if there is anything and it is small; nobody else reads it."""
    content = json.dumps(kept).encode()
    if not kept or len(content) > MOST:
        return
    with suppress(OSError):  # whoever reads it next expects that it may be lost
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(folder / FILE)
