"""Writes an approved revision as its DAG file, once and atomically."""

import json
import os
import re
from pathlib import Path
from typing import Any

from changewindow.documents.canonical import canonical

IDENTITY = re.compile(r"CHG-[0-9]+")


def source(change: str, data: dict[str, Any]) -> str:
    """Return the file: the same few lines of Python every time, with the approved text as literals.

    The text appears line by line through `repr`, so whatever a ticket says stays text: exactly what was approved.

    Raises:
        ValueError: the name is no id of a change, or the data cannot be written as UTF-8.
    """
    if not IDENTITY.fullmatch(change):
        raise ValueError(f"{change!r} is not the id of a change")
    canonical(data).encode()  # half a character has no UTF-8
    lines = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).splitlines(keepends=True)
    literal = "\n".join(f"    {line!r}" for line in lines)
    return (
        f'"""The approved change {change} as an Airflow DAG; published by Change Windows, never edited."""\n\n'
        "from changewindow.flow.dag import build_dag\n\n"
        f"REVISION = (\n{literal}\n)\n\n"
        f"dag = build_dag({change!r}, REVISION)\n"
    )


def publish(folder: Path, change: str, data: dict[str, Any]) -> Path:
    """Write the file of a change into the bundle of approved changes; return its path. May be called twice."""
    path, text = folder / f"{change}.py", source(change, data)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{change}.{os.getpid()}.partial"
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
