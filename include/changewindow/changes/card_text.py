"""Renders the card of a change: as plain text, and as Block Kit, from the templates of its room or else from ours.

A template of a team that fails costs nobody a message: ours stands in for it, and the log says so.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, TemplateNotFound

from changewindow import settings
from changewindow.changes import card_markup, card_words
from changewindow.changes.card import LOUD, Card
from changewindow.changes.card_fit import Block, cut, fitted
from changewindow.changes.card_sandbox import Form, environment
from changewindow.errors import AuthorError
from changewindow.notify.base import Message

log = logging.getLogger("changewindow")
FOLDER = "messages"
"""Below the folder of templates."""
OURS = settings.shipped("templates") / FOLDER
CALLING = LOUD | {"asked", "waiting"}
"""States whose message calls people."""
LONGEST, LONGEST_LINE = 3800, 1000
"""Characters of a text: fewer than the 4,000 that Slack takes in an update, so that there is room for who is called."""
WRONG = (TemplateError, ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
"""What goes wrong in a template."""


@dataclass(frozen=True)
class Look:
    """How a card looks in a room."""

    zone: str = "UTC"
    """The time zone that is shown beside UTC."""
    folders: tuple[Path, ...] = ()
    """Where templates may lie that replace ours, the first one first."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """What people are called there, by their user names."""


def look_of(templates: Path, folder: str | None, *, zone: str, ids: Mapping[str, str]) -> Look:
    """Return the look of a room: `folder` is that of its own templates below `messages`, where it has one."""
    general = templates / FOLDER
    return Look(zone, (general / folder, general) if folder else (general,), ids)


class BadTemplate(AuthorError):
    """A template of a message cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(f"{path} cannot be used: {why}. The template that comes with Change Windows is used instead.")


def rendered(card: Card, look: Look) -> Message:
    """Return the message of a card in every form."""
    return Message(
        text=_text(_first(card, look, "txt")),
        about=card.since,
        key=card.change,
        blocks=fitted(_blocks_of(_first(card, look, "json"))),
        calls=card.calls if card.state in CALLING else (),
        facts=_facts(card),
    )


def tried(card: Card, look: Look, path: Path, form: Form) -> None:
    """Render a card with the template in one file.

    Raises:
        BadTemplate: it does not make what it should.
    """
    try:
        _checked(_rendered(card, look, (path.parent, *_above(path.parent), OURS), form), form)
    except WRONG as error:
        raise BadTemplate(path, _why(error)) from error


def _above(folder: Path) -> tuple[Path, ...]:
    """Return the folder of the templates of all rooms, for those of one room."""
    return () if folder.name == FOLDER else (folder.parent,)


def _first(card: Card, look: Look, form: Form) -> str:
    """Return what the first template makes that can be used."""
    for folder in (each for each in look.folders if each.resolve() != OURS):
        if not (folder / _name(card, form)).is_file():
            continue
        try:
            text = _rendered(card, look, (folder, *look.folders, OURS), form)
            _checked(text, form)
        except WRONG as error:
            log.warning("%s", BadTemplate(folder / _name(card, form), _why(error)))
        else:
            return text
    return _rendered(card, look, (OURS,), form)


def _checked(text: str, form: Form) -> None:
    if form == "json" and not fitted(_blocks_of(text)):
        raise ValueError("it shows nothing")
    if form == "txt" and not _text(text):
        raise ValueError("it says nothing")


def _rendered(card: Card, look: Look, folders: tuple[Path, ...], form: Form) -> str:
    template = environment(folders, form).get_template(_name(card, form))
    is_json = form == "json"
    link = card_markup.link_in_blocks if is_json else card_markup.link_in_text
    return template.render(
        card=card,
        zone=look.zone,
        mention=card_markup.mention_in_blocks(look.ids) if is_json else card_markup.mention_in_text,
        link=link,
        clock=partial(card_words.clock, zone=look.zone, day=card.since.astimezone(UTC).date()),
        span=partial(card_words.span, zone=look.zone),
        hours=partial(card_words.hours, zone=look.zone),
        took=card_words.took,
        of_length=card_words.of_length,
        bar=card_words.bar,
        reasons=card_words.reasons,
        changes=card_words.changes(card),
    )


def _name(card: Card, form: Form) -> str:
    return f"{card.state}.{form}.j2"


def _text(rendered: str) -> str:
    """Return a text without empty lines, in which no long line leaves the others no room."""
    lines = (line.strip() for line in rendered.splitlines())
    return cut("\n".join(cut(line, LONGEST_LINE) for line in lines if line), LONGEST)


def _blocks_of(rendered: str) -> list[Block]:
    """Return the blocks in a text of JSON: one after the other, or in a list, or as Block Kit's builder has them."""
    blocks: list[Block] = []
    for value in _values(rendered):
        inner = value.get("blocks", value) if isinstance(value, dict) else value
        blocks += inner if isinstance(inner, list) else [inner]
    return blocks


def _values(rendered: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(strict=False), 0
    while rest := rendered[place:].lstrip(" \t\r\n,"):
        place = len(rendered) - len(rest)
        value, end = decoder.raw_decode(rest)
        yield value
        place += end


def _facts(card: Card) -> Mapping[str, Any]:
    """Return what machines read."""
    ending = card.ending
    return {
        "change": card.change,
        "state": card.state,
        "since": card.since.isoformat(),
        "summary": card.summary,
        "environment": card.environment,
        "services": list(card.services),
        "owner": card.owner,
        "on_call": card.on_call,
        "risk": card.risk,
        "digest": card.digest,
        "reason": ending.reason if ending else card.reason,
        "is_emergency": card.is_emergency,
        "is_drill": card.is_drill,
        "links": dict(card.links),
    }


def _why(error: Exception) -> str:
    """Return what is wrong, on one line, and where if the template says so."""
    if isinstance(error, TemplateNotFound):
        return f"there is no {error.name}"
    line = getattr(error, "lineno", None)
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{text}{f' (line {line})' if line else ''}"
