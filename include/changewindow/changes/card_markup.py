"""Escapes what tickets say for templates, so that nothing in it formats, calls anybody, or ends what it stands in."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from changewindow.documents.text import visible
from changewindow.documents.types import PERSON

USER = re.compile(PERSON)
ID = re.compile(r"[UW][A-Z0-9]{2,30}")
ADDRESS = re.compile(r"https?://[^\s|<>]+")
LOOK_ALIKE = {"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", ":": "∶", ">": "›"}  # noqa: RUF001  they are meant to look alike
"""Slack knows no sign that takes the meaning from these; where one would format, another is shown that looks alike."""
FORMATS = re.compile(
    r"(?<![A-Za-z0-9])[*_~]|[*_~](?![A-Za-z0-9])|`|^>|:(?=(?:[a-z0-9_+'-]*[a-z][a-z0-9_+'-]*|[+-]1|100|1234):)"
)
"""Where a sign may begin or end something bold, in italics, struck out, code, quoted, or an emoji."""


def in_text(value: Any) -> Markup:
    """Return a value as it stands in plain text: on one line."""
    if isinstance(value, Markup):
        return value
    return Markup(" ".join(visible(str(value)).split()))  # noqa: S704  plain text has nothing to escape


def in_blocks(value: Any) -> Markup:
    """Return a value as it stands in a string of JSON that Slack reads as mrkdwn."""
    if isinstance(value, Markup):
        return value
    plain = FORMATS.sub(lambda sign: LOOK_ALIKE[sign.group()], in_text(value))
    return as_json(plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def as_json(text: str) -> Markup:
    """Return a text as it stands in a string of JSON."""
    return Markup(json.dumps(text, ensure_ascii=False)[1:-1])  # noqa: S704  it is made safe here


def mention_in_text(person: str) -> Markup:
    """Return how a person is called in plain text; who is known by no user name cannot be called."""
    return in_text(f"@{person}" if USER.fullmatch(person) else person)


def mention_in_blocks(ids: Mapping[str, str]) -> Callable[[str], Markup]:
    """Return what calls a person in Slack: by their id where it is known, which alone reaches them."""

    def mention(person: str) -> Markup:
        known = ids.get(person, "")
        return as_json(f"<@{known}>") if ID.fullmatch(known) else in_blocks(str(mention_in_text(person)))

    return mention


def link_in_text(address: str, name: str) -> Markup:
    """Return an address with its name; nothing where there is no address."""
    return in_text(f"{name}: {address}" if ADDRESS.fullmatch(address) else "")


def link_in_blocks(address: str, name: str) -> Markup:
    """Return a link; nothing where there is no address."""
    if not ADDRESS.fullmatch(address):
        return Markup()
    return as_json(f"<{address.replace('&', '&amp;')}|") + in_blocks(name.replace("|", "/")) + as_json(">")
