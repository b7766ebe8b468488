"""Draws the blocks of a message as a person sees them, so that a golden text of them can be reviewed."""

from collections.abc import Iterable
from typing import Any


def drawn(blocks: Iterable[dict[str, Any]]) -> str:
    """Return blocks as lines: headers in a frame, sections open, fields in columns, contexts behind a bar."""
    return "\n".join("\n".join(_block(block)) for block in blocks)


def _block(block: dict[str, Any]) -> list[str]:
    if block["type"] == "header":
        text = block["text"]["text"]
        return [f"╔═ {text} ═"]
    if block["type"] == "context":
        return [f"┊ {line}" for element in block["elements"] for line in element["text"].splitlines()]
    if block["type"] == "section":
        fields = [" / ".join(field["text"].splitlines()) for field in block.get("fields", ())]
        text = block.get("text", {}).get("text", "").splitlines()
        return [*(f"║ {line}" for line in text), *(f"║ ▫ {field}" for field in fields), "╟─"]
    return [f"({block['type']})"]
