"""Makes blocks fit into what Slack takes, with a mark where something was cut off."""

import re
from collections.abc import Iterable
from typing import Any

BLOCKS = 47
"""Of the 50 that a message may have; the others are for buttons."""
ALL = 10_000
"""Characters of all texts together: Slack takes 12,000 or little more, and those of buttons come in addition."""
TEXT, FIELD, HEADER = 3000, 2000, 150
FIELDS = ELEMENTS = 10
SHORTER = (TEXT, 1500, 700, 300, 100)
"""To how many characters each text is cut, until all of them together fit."""
CUT = "…"
UNIT = re.compile(r"<[^<>]*>|&(?:amp|lt|gt);|.", re.DOTALL)
"""What is shown as one thing, and means something else when it is cut in two."""
Block = dict[str, Any]


def fitted(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks that Slack takes: none without a text, none too long, not too many.

    Raises:
        ValueError, TypeError: one is no block.
    """
    given = list(blocks)
    fitting: list[Block] = []
    for longest in SHORTER:
        fitting = [block for block in (_block(each, longest) for each in given) if block]
        if _size(fitting) <= ALL:
            break
    kept = fitting[:BLOCKS]
    while len(kept) > 1 and _size(kept) > ALL - 100:
        kept.pop()
    if len(kept) == len(fitting):
        return tuple(kept)
    mark = f"{CUT} {len(fitting) - len(kept) + 1} more parts are left out here"
    return (*kept[:-1], {"type": "context", "elements": [{"type": "plain_text", "text": mark}]})


def cut(text: str, longest: int) -> str:
    """Return a text that is not longer, with a mark where it was cut; no link, mention or sign is cut in two."""
    if _length(text) <= longest:
        return text
    kept, length = [], 0
    for unit in (match.group() for match in UNIT.finditer(text)):
        length += _length(unit)
        if length > longest - len(CUT):
            break
        kept.append(unit)
    return "".join(kept) + CUT


def _length(text: str) -> int:
    """Return how many characters a text has where an emoji counts as two, as in most places outside of Python."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _block(block: Any, most: int) -> Block | None:
    """Return a block that fits; nothing where it would show nothing."""
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise ValueError(f"{str(block)[:80]!r} is no block: it has no type")  # noqa: TRY004  a value of a template
    fitting = dict(block)
    longest = min(most, HEADER if block["type"] == "header" else TEXT)
    if "text" in fitting:
        fitting["text"] = _text(fitting["text"], longest)
    for name, count in (("fields", FIELDS), ("elements", ELEMENTS)):
        if name in fitting and block["type"] in {"section", "context"}:
            fitting[name] = _texts(fitting[name], min(most, FIELD))[:count]
            if not fitting[name]:
                del fitting[name]
    if block["type"] in {"header", "section"} and not fitting.get("text"):
        fitting.pop("text", None)
    is_empty = block["type"] in {"header", "section", "context"} and not fitting.keys() & {"text", "fields", "elements"}
    return None if is_empty else fitting


def _texts(values: Any, longest: int) -> list[Any]:
    if not isinstance(values, list):
        raise TypeError(f"{str(values)[:80]!r} is no list")
    return [value for value in (_text(each, longest) for each in values) if value]


def _text(value: Any, longest: int) -> Any:
    """Return a text object that fits; nothing where it is empty; anything else as it is."""
    if not isinstance(value, dict) or value.get("type") not in {"mrkdwn", "plain_text"}:
        return value
    lines = (line.strip() for line in str(value.get("text") or "").splitlines())
    text = cut("\n".join(line for line in lines if line), longest)
    if not text:
        return None
    # Without this, Slack makes links of addresses, and calls of names, that somebody has written into a ticket.
    verbatim = {"verbatim": True} if value["type"] == "mrkdwn" else {}
    return {**value, "text": text, **verbatim}


def _size(value: Any) -> int:
    """Return how many characters the texts of blocks have."""
    if isinstance(value, dict):
        is_text = value.get("type") in {"mrkdwn", "plain_text"}
        return _length(str(value.get("text"))) if is_text else sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 0
