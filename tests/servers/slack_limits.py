"""What Slack takes: the documented limits of messages and blocks, and how special signs are to be written.

Source: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/messaging/formatting-message-text, and
https://docs.slack.dev/reference/methods/chat.update (4,000 characters of text, where chat.postMessage takes 40,000)
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

POSTED, UPDATED = 40_000, 4_000
"""Characters of a text."""
ALL_BLOCKS = 12_000
"""Characters of the texts of all blocks, which Slack answers with `msg_blocks_too_long`, though no page says so."""
METADATA = 8_000
"""Bytes of metadata; Slack tells nobody how many it takes."""
ENTITY = re.compile(
    r"<(@[UW][A-Z0-9]{2,30}|#[CG][A-Z0-9]{2,30}(\|[^<>|]*)?|!subteam\^S[A-Z0-9]+(\|[^<>|]*)?"
    r"|!date\^\d+\^[^<>|]+\|[^<>|]+|https?://[^\s<>|]+(\|[^<>|]+)?)>"
)
"""What may stand between angle brackets: nothing that calls a whole channel."""
BLOCKS: dict[str, set[str]] = {
    "section": {"text", "fields", "accessory", "expand"},
    "header": {"text"},
    "context": {"elements"},
    "actions": {"elements"},
    "divider": set(),
    "image": {"image_url", "alt_text", "title"},
}
"""The fields of each sort of block, besides `type` and `block_id`."""
BUTTON = {"type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"}
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}


def length(text: str) -> int:
    """Return how many characters a text has where an emoji counts as two, to be on the safe side."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def unescaped(text: str) -> list[str]:
    """Return what somebody has written between signs with a meaning, or such a sign by itself."""
    bare = re.sub(r"(?m)^>", "", ENTITY.sub("", text))  # at the beginning of a line it quotes
    return re.findall(r"<[^<>]*>?|>|&(?!(?:amp|lt|gt);)\w*;?", bare)


def of_message(message: dict[str, Any], longest: int) -> tuple[str, list[str]]:
    """Return Slack's error for a message and what is said about it; two times nothing where it takes it."""
    text, blocks, metadata = message.get("text") or "", message.get("blocks"), message.get("metadata")
    if not text and not blocks:
        return "no_text", []
    if length(text) > longest:
        return "msg_too_long", []
    if metadata and not _is_metadata(metadata):
        return "invalid_metadata_format", []
    if metadata and len(json.dumps(metadata)) > METADATA:
        return "metadata_too_large", []
    if blocks is not None and not isinstance(blocks, list):
        return "invalid_blocks_format", []
    problems = list(of_blocks(blocks or []))
    if problems:
        return "invalid_blocks", [f"[ERROR] {problem}" for problem in problems]
    if sum(length(each) for each in texts(blocks or [])) > ALL_BLOCKS:
        return "msg_blocks_too_long", []
    return "", []


def _is_metadata(metadata: Any) -> bool:
    known = isinstance(metadata, dict) and metadata.keys() == {"event_type", "event_payload"}
    return known and isinstance(metadata["event_type"], str) and isinstance(metadata["event_payload"], dict)


def texts(value: Any) -> Iterator[str]:
    """Return all texts of blocks."""
    if isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "plain_text"}:
            yield str(value.get("text", ""))
        else:
            for each in value.values():
                yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def formatted(value: Any) -> Iterator[str]:
    """Return those texts of blocks in which signs have a meaning."""
    if isinstance(value, dict) and value.get("type") == "mrkdwn":
        yield str(value.get("text", ""))
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from formatted(each)


def of_blocks(blocks: list[Any]) -> Iterator[str]:
    """Return what Slack objects to in blocks, with the place of each."""
    if len(blocks) > 50:
        yield "no more than 50 items allowed [json-pointer:/blocks]"
    names = Counter(block.get("block_id") for block in blocks if isinstance(block, dict))
    for place, block in ((f"/blocks/{index}", block) for index, block in enumerate(blocks)):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in BLOCKS:
            yield f"unsupported type: {kind} [json-pointer:{place}/type]"
            continue
        yield from _unknown(block, {"type", "block_id"} | BLOCKS[kind], place)
        yield from _string(block, "block_id", 255, place)
        if block.get("block_id") and names[block["block_id"]] > 1:
            yield f"block_id already exists [json-pointer:{place}/block_id]"
        yield from CHECKS[kind](block, place)


def _section(block: dict[str, Any], place: str) -> Iterator[str]:
    if not block.get("text") and not block.get("fields"):
        yield f"missing required field: text [json-pointer:{place}]"
    if "text" in block:
        yield from _text(block["text"], 3000, f"{place}/text")
    if "fields" in block:
        yield from _count(block["fields"], 10, f"{place}/fields")
        for index, each in enumerate(block["fields"]):
            yield from _text(each, 2000, f"{place}/fields/{index}")
    if "accessory" in block:
        yield from _button(block["accessory"], f"{place}/accessory")


def _header(block: dict[str, Any], place: str) -> Iterator[str]:
    yield from _text(block.get("text"), 150, f"{place}/text", is_plain=True)


def _context(block: dict[str, Any], place: str) -> Iterator[str]:
    yield from _count(block.get("elements", []), 10, f"{place}/elements")
    for index, each in enumerate(block.get("elements", [])):
        if each.get("type") == "image":
            yield from _image(each, f"{place}/elements/{index}")
        else:
            yield from _text(each, 3000, f"{place}/elements/{index}")


def _actions(block: dict[str, Any], place: str) -> Iterator[str]:
    elements = block.get("elements", [])
    yield from _count(elements, 25, f"{place}/elements")
    for index, each in enumerate(elements):
        yield from _button(each, f"{place}/elements/{index}")
    names = Counter(each.get("action_id") for each in elements if each.get("action_id"))
    yield from (f"action_id already exists [json-pointer:{place}/elements]" for name in names if names[name] > 1)


def _image(block: dict[str, Any], place: str) -> Iterator[str]:
    for name, most in (("image_url", 3000), ("alt_text", 2000)):
        if not block.get(name):
            yield f"missing required field: {name} [json-pointer:{place}]"
        yield from _string(block, name, most, place)
    if "title" in block:
        yield from _text(block["title"], 2000, f"{place}/title", is_plain=True)


def _divider(block: dict[str, Any], place: str) -> Iterator[str]:
    yield from ()


def _button(button: dict[str, Any], place: str) -> Iterator[str]:
    if button.get("type") != "button":
        yield f"unsupported type: {button.get('type')} [json-pointer:{place}/type]"
        return
    yield from _unknown(button, BUTTON, place)
    yield from _text(button.get("text"), 75, f"{place}/text", is_plain=True)
    for name, most in (("action_id", 255), ("url", 3000), ("value", 2000), ("accessibility_label", 75)):
        yield from _string(button, name, most, place)
    if button.get("style", "primary") not in {"primary", "danger"}:
        yield f"must be one of: primary, danger [json-pointer:{place}/style]"
    if "confirm" in button:
        confirm = button["confirm"]
        yield from _unknown(confirm, CONFIRM.keys() | {"style"}, f"{place}/confirm")
        for name, most in CONFIRM.items():
            yield from _text(confirm.get(name), most, f"{place}/confirm/{name}", is_plain=True)


def _text(value: Any, most: int, place: str, *, is_plain: bool = False) -> Iterator[str]:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        yield f"missing required field: text [json-pointer:{place}]"
        return
    if value.get("type") not in ({"plain_text"} if is_plain else {"plain_text", "mrkdwn"}):
        yield f"must be a valid enum value [json-pointer:{place}/type]"
    yield from _unknown(value, {"type", "text", "emoji" if value.get("type") == "plain_text" else "verbatim"}, place)
    if not value["text"]:
        yield f"must be more than 0 characters [json-pointer:{place}/text]"
    yield from _string(value, "text", most, place)


def _string(value: dict[str, Any], name: str, most: int, place: str) -> Iterator[str]:
    if name in value and not isinstance(value[name], str):
        yield f"must be a string [json-pointer:{place}/{name}]"
    elif length(value.get(name, "")) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{place}/{name}]"


def _count(values: Any, most: int, place: str) -> Iterator[str]:
    if not values:
        yield f"must have at least 1 item [json-pointer:{place}]"
    elif len(values) > most:
        yield f"no more than {most} items allowed [json-pointer:{place}]"


def _unknown(value: dict[str, Any], known: set[str], place: str) -> Iterator[str]:
    yield from (f"invalid additional property: {name} [json-pointer:{place}]" for name in value.keys() - known)


CHECKS: dict[str, Callable[[dict[str, Any], str], Iterator[str]]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "divider": _divider,
}
