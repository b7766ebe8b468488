"""Publishes as data the changes that earlier versions published as Python, if they are exactly what was approved."""

import json
from pathlib import Path
from typing import Any

from changewindow.changes.publication import IDENTITY, publish
from changewindow.errors import LedgerUnknown
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger


def source(change: str, data: dict[str, Any]) -> str:
    """Return the file that versions up to 0.1.0 wrote; it is compared, and never executed any more."""
    lines = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).splitlines(keepends=True)
    literal = "\n".join(f"    {line!r}" for line in lines)
    return (
        f'"""The approved change {change} as an Airflow DAG; published by Change Windows, never edited."""\n\n'
        "from changewindow.flow.dag import build_dag\n\n"
        f"REVISION = (\n{literal}\n)\n\n"
        f"dag = build_dag({change!r}, REVISION)\n"
    )


def replace_earlier(ledger: Ledger, folder: Path, *, keep: bool = False) -> list[str]:
    """Replace each file of an earlier version that holds what the ledger does by data; return their changes.

    Any other file stays where it is, as an import error: somebody has to look at it. With `keep`, the earlier files
    stay too, for an Airflow that is not yet told to read data.
    """
    replaced = [path for path in sorted(folder.glob("CHG-*.py")) if _holds_the_same(ledger, path)]
    for path in replaced:
        publish(folder, path.stem, changes.revision(ledger, path.stem), ledger.seal)
        if not keep:
            path.unlink()
    return [path.stem for path in replaced]


def _holds_the_same(ledger: Ledger, path: Path) -> bool:
    """Return whether a file is what an earlier version wrote for the text that the ledger holds."""
    if not IDENTITY.fullmatch(path.stem) or path.is_symlink() or not path.is_file():
        return False
    try:
        known = changes.revision(ledger, path.stem)
    except LedgerUnknown:
        return False
    return path.read_bytes() == source(path.stem, known).encode()
