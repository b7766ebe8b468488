"""Makes the form of an emergency from the options of a command, and asks at the terminal for what is missing."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from changewindow.errors import AuthorError

PLAIN = (
    "broken",
    "commander",
    "incident",
    "standard",
    "target",
    "works_when",
    "no_undo_because",
    "unwatched_because",
    "agreed_at",
    "agreed_how",
    "executor",
    "second_person",
    "workaround_until",
    "held",
)
"""Fields of the form that are options of the same name."""
DONE = ("ticket", "standard", "step")


def form_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the form; what nobody has given and nobody can be asked for is misuse.

    Raises:
        AuthorError: a file cannot be read.
    """
    form = {name: getattr(arguments, name) for name in PLAIN if getattr(arguments, name)}
    form |= {name: _text(getattr(arguments, name)) for name in ("ticket", "step") if getattr(arguments, name)}
    if arguments.declare_incident:
        form["declare_incident"] = True
    if arguments.value:
        form["values"] = dict(_values(arguments))
    missing = [*(name for name in ("broken", "commander") if name not in form), *_nothing_done(form)]
    if missing and (arguments.yes or not sys.stdin.isatty()):
        arguments.misuse(f"missing: --{', --'.join(missing)}; without a terminal nobody can be asked")
    return form | (_asked(form) if missing else {})


def is_confirmed(arguments: argparse.Namespace, question: str) -> bool:
    """Return whether somebody at the terminal says yes; with --yes, nobody is asked."""
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        arguments.misuse("without a terminal nobody can be asked: add --yes")
    return _answer(f"{question} [y/N]").casefold() in {"y", "yes"}


def _nothing_done(form: dict[str, Any]) -> list[str]:
    return [] if any(name in form for name in DONE) else ["ticket (or --standard, or --step)"]


def _asked(form: dict[str, Any]) -> dict[str, Any]:
    """Ask for what is missing: four questions at most."""
    asked: dict[str, Any] = {}
    if "broken" not in form:
        asked["broken"] = _answer("What is broken, in a sentence?")
        asked["incident"] = form.get("incident") or _answer("Incident, its id or address (empty: none is open)?")
    if "commander" not in form:
        asked["commander"] = _answer("Who commands the incident and has said yes (user name)?")
    if _nothing_done(form):
        given = _answer("What is done: a file with a ticket, or the name of a standard change?")
        is_file = Path(given).is_file()
        asked |= {"ticket": _text(Path(given))} if is_file else {"standard": given}
    return asked


def _answer(question: str) -> str:
    print(question, end=" ", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise AuthorError("Nobody answers. Nothing was touched.")
    return line.strip()


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorError(f"{file} cannot be read: {error}. Nothing was touched.") from error


def _values(arguments: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Yield the values of parameters; what reads as JSON is a number or true, all else is text."""
    for given in arguments.value:
        name, sign, value = given.partition("=")
        if not sign:
            arguments.misuse(f"--value {given}: write it like max_idle=12")
        try:
            yield name, json.loads(value)
        except ValueError:
            yield name, value
