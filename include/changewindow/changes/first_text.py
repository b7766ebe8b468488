"""The text with which somebody begins a ticket, with what is known already filled in."""

import json
import re
from collections.abc import Mapping

from changewindow.documents.text import PLAIN
from changewindow.documents.yaml import PLAIN_VALUES
from changewindow.ticket.reader import NEW

PLACES = {
    "service": (re.compile(r"^services: \[(.*)\]", re.MULTILINE), "services: [{}]"),
    "environment": (re.compile(r"^environment: (\S+)", re.MULTILINE), "environment: {}"),
    "owner": (re.compile(r"^owner: (<.*?>)", re.MULTILINE), "owner: {}"),
    "start": (re.compile(r"^  start: (<.*?>)", re.MULTILINE), "  start: {}"),
    "end": (re.compile(r"^  end: (<.*?>)", re.MULTILINE), "  end: {}"),
    "zone": (re.compile(r"^  zone: (\S+)", re.MULTILINE), "  zone: {}"),
}
"""Where a new ticket has a place for what is known, and how it is written there."""
TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?")


def first_text(known: Mapping[str, str]) -> str:
    """Return a new ticket with the given ones of `service`, `environment`, `owner`, `start`, `end`, and `zone`.

    Whatever they hold, they stay values: what YAML would take for something else is put into quotes.
    """
    text = NEW.read_text(encoding="utf-8")
    for name, (pattern, written) in PLACES.items():
        place = pattern.search(text)
        if place and (value := known.get(name)):
            text = text[: place.start()] + written.format(_value(value)) + text[place.end() :]
    return text


def _value(text: str) -> str:
    is_plain = TIME.fullmatch(text) or (PLAIN.fullmatch(text) and text[0].isalpha() and not text.endswith(":"))
    is_text = not any(pattern.fullmatch(text) for _, pattern, _ in PLAIN_VALUES)
    return text if is_plain and is_text else json.dumps(text, ensure_ascii=False)
