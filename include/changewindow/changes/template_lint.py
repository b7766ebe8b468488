"""Finds what is wrong with templates of messages: each is tried on changes in its state before anybody misses one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from changewindow.changes.card import STATES, Card
from changewindow.changes.card_sandbox import Form
from changewindow.changes.card_text import FOLDER, OURS, BadTemplate, Look, tried
from changewindow.changes.sample_cards import sample
from changewindow.documents.findings import Finding
from changewindow.documents.text import hint
from changewindow.policy.messages import FILE, Messages

CHECK = "messages"
FORMS = ("txt", "json")
NAMES = frozenset(f"{name}.{form}.j2" for name in STATES for form in FORMS)
SHARED = frozenset(f"parts.{form}.j2" for form in FORMS)


def template_findings(templates: Path) -> Iterator[tuple[Path, Finding]]:
    """Yield what is wrong with each template of messages below a folder of templates, with its file."""
    folder = templates / FOLDER
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.resolve().parent == OURS or path.name in SHARED:
            continue
        if path.name in NAMES:
            yield from ((path, finding) for finding in _tried(path))
        else:
            sentence = f"no message uses a file called '{path.name}'"
            yield path, Finding(CHECK, sentence, hint(path.name, NAMES | SHARED), is_warning=True)


def missing_folders(policy: Path, templates: Path, rules: Messages) -> Iterator[tuple[Path, Finding]]:
    """Yield each room whose own templates there are none of."""
    for room, of_room in rules.rooms.items():
        if of_room.templates and not (templates / FOLDER / of_room.templates).is_dir():
            sentence = (
                f"{room} has templates of its own in {templates / FOLDER / of_room.templates}, which is no folder"
            )
            place = ("rooms", room, "templates")
            yield policy / FILE, Finding(CHECK, sentence, "Make it, or correct the name.", place, is_warning=True)


def _tried(path: Path) -> Iterator[Finding]:
    """Try a template on a change that has everything, on an emergency, a drill, and on one that has nothing."""
    state, form, _ = path.name.split(".")
    card = sample(state)
    for each in (card, sample(state, is_emergency=True), replace(card, is_drill=True), _bare(card)):
        try:
            tried(each, Look(), path, cast("Form", form))
        except BadTemplate as bad:
            yield Finding(CHECK, bad.why, "Correct it; until then, the one that comes with Change Windows is used.")
            return


def _bare(card: Card) -> Card:
    """Return a card with nothing in what may be empty."""
    bare = replace(card, on_call="", asks=(), waits_for=(), until=None, watch=None, approvals=(), owes=(), links={})
    if bare.ending is None:
        return bare
    return replace(bare, ending=replace(bare.ending, started=None, restored=None, back_to=(), validated=(), head=""))
