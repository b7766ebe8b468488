"""Makes the form of an emergency from the options of a command, and asks at the terminal for what is missing."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from changewindow.changes.emergency_ticket import CONDITION
from changewindow.documents.yaml import BadYaml, parse
from changewindow.errors import AuthorError

Misuse = Callable[[str], object]
"""Ends the command with what was wrong in how it was called."""
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
OPTIONS = {name: f"--{name.replace('_', '-')}" for name in (*PLAIN, *DONE, "declare_incident")} | {"values": "--value"}
"""The options of the form's fields."""


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
        form["values"] = dict(_values(arguments.value, arguments.misuse))
    missing = [*(name for name in ("broken", "commander") if name not in form), *_nothing_done(form)]
    missing += _missing_of_a_step(form)
    if missing and (arguments.yes or not sys.stdin.isatty()):
        arguments.misuse(f"missing: --{', --'.join(missing)}; without a terminal nobody can be asked")
    return form | (_asked(form, arguments.misuse) if missing else {})


def is_confirmed(arguments: argparse.Namespace, question: str) -> bool:
    """Return whether somebody at the terminal says yes; with --yes, nobody is asked."""
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        arguments.misuse("without a terminal nobody can be asked: add --yes")
    return _answer(f"{question} [y/N]").casefold() in {"y", "yes"}


def _nothing_done(form: dict[str, Any]) -> list[str]:
    return [] if any(name in form for name in DONE) else ["ticket (or --standard, or --step)"]


def _missing_of_a_step(form: dict[str, Any]) -> list[str]:
    """Return the options without which one step is not declared."""
    if "step" not in form:
        return []
    is_judged = "works_when" in form or "unwatched_because" in form
    wanted = {"target": "target" in form, "works-when (or --unwatched-because)": is_judged}
    return [name for name, is_given in wanted.items() if not is_given]


def _asked(form: dict[str, Any], misuse: Misuse) -> dict[str, Any]:
    """Ask for what is missing: seven questions at most."""
    asked: dict[str, Any] = {}
    if "broken" not in form:
        asked["broken"] = _answer("What is broken, in a sentence?")
        asked["incident"] = form.get("incident") or _answer("Incident, its id or address (empty: none is open)?")
    if "commander" not in form:
        asked["commander"] = _answer("Who commands the incident and has said yes (user name)?")
    if _nothing_done(form):
        asked |= _what_is_done(form, misuse)
    if _missing_of_a_step({**form, **asked}):
        asked |= _of_a_step(form)
    return asked


def _what_is_done(form: dict[str, Any], misuse: Misuse) -> dict[str, Any]:
    """Ask what is done: what a file holds with a kind of its own is one step, what else it holds a ticket."""
    given = _answer("What is done: a file with a ticket or with one step, one step as YAML, or a standard change?")
    is_file, is_typed = Path(given).is_file(), given.startswith("{")
    if is_file or is_typed:
        text = _text(Path(given)) if is_file else given
        return {"step" if _is_step(text) or is_typed else "ticket": text}
    if "values" in form:
        return {"standard": given}
    values = _answer("Values of its parameters, like instance=2 (empty: as the standard change has them)?").split()
    return {"standard": given, "values": dict(_values(values, misuse))}


def _is_step(text: str) -> bool:
    try:
        data = parse(text).data
    except BadYaml:
        return False
    return isinstance(data, dict) and "kind" in data


def _of_a_step(form: dict[str, Any]) -> dict[str, Any]:
    """Ask what one step changes, and what shows that it worked."""
    asked: dict[str, Any] = {}
    if "target" not in form:
        asked["target"] = _answer("What does it change, as environment/service?")
    if "works_when" not in form and "unwatched_because" not in form:
        asked["works_when"] = _answer(f"What shows that it worked, like {CONDITION} (empty: nothing can)?")
        if not asked["works_when"]:
            asked["unwatched_because"] = _answer("Why can nothing show it?")
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


def _values(listed: Iterable[str], misuse: Misuse) -> Iterator[tuple[str, Any]]:
    """Yield the values of parameters; what reads as JSON is a number or true, all else is text."""
    for given in listed:
        name, sign, value = given.partition("=")
        if not sign:
            misuse(f"--value {given}: write it like max_idle=12")
        try:
            yield name, json.loads(value)
        except ValueError:
            yield name, value
