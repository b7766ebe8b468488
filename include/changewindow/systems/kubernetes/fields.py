"""Applies and undoes single fields of an object, and notices when somebody else has changed them.

A field is a path with its value before and after a change; an item of a list goes by its `name`. What others write
into other fields of the same object meanwhile stays.
"""

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from changewindow.documents.text import shown
from changewindow.documents.types import Model
from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.resource import Json, Resource

Path = tuple[str, ...]
Direction = Literal["apply", "undo"]
LONGEST = 200
"""Characters of a list or mapping that are told."""
OPEN = {"annotations", "labels", "data"}
"""Mappings with free keys, any of which may belong to somebody else."""
KEPT = {"labels", "annotations", "finalizers"}
"""The metadata that the server does not write itself."""

COUNTERS = {"deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision"}
"""Annotations that only ever go up, during an undo too."""


class Field(Model):
    """A field that a step changes; None stands for a missing field."""

    path: Path
    before: Any = None
    after: Any = None
    stored_before: Any = None
    """What the server makes of `before` when it is written, where that is something else; see `as_stored`."""
    stored_after: Any = None
    """The same of `after`."""

    def __str__(self) -> str:
        return ".".join(self.path)

    def target(self, direction: Direction) -> Any:
        """Return the value that the field is to have."""
        return self.after if direction == "apply" else self.before

    def stored_as(self, stored: Any, direction: Direction) -> "Field":
        """Return the field with what the server makes of what is written, if that is something else."""
        if stored == self.target(direction):
            return self
        return self.model_copy(update={"stored_after" if direction == "apply" else "stored_before": stored})

    def has(self, now: Any, direction: Direction) -> bool:
        """Return whether a value is the one that is written, or what the server makes of that."""
        stored = self.stored_after if direction == "apply" else self.stored_before
        return now == self.target(direction) or (stored is not None and now == stored)


def value(obj: Any, path: Sequence[str]) -> Any:
    """Return the value at a path, or None."""
    for name in path:
        obj = _item(obj, name) if isinstance(obj, list) else (obj or {}).get(name)
    return obj


def differences(old: Json, new: Json) -> list[Field]:
    """Return the fields in which two states of an object differ, except what the server and controllers write."""
    return _differences(_authored(old), _authored(new), ())


def steady(fields: list[Field], manifest: Json, write_again: Callable[[], Json]) -> list[Field]:
    """Return what of fields comes out the same when the manifest is written again.

    What a webhook writes anew each time is left to it: a field, or items of a list that the manifest does not name.
    """
    if not _added_by_others(fields, manifest):
        return fields
    again = write_again()
    return [part for field in fields for part in _steady(field, again, manifest)]


def _added_by_others(fields: Sequence[Field], manifest: Json) -> list[Field]:
    """Return the fields that get something which the manifest does not have: the server or a webhook writes it."""
    return [
        field
        for field in fields
        if field.after is not None and (isinstance(field.after, list) or value(manifest, field.path) is None)
    ]


def _steady(field: Field, again: Json, manifest: Json) -> list[Field]:
    now, wanted = value(again, field.path), value(manifest, field.path)
    if now == field.after:
        return [field]
    if wanted is None:
        return []
    kept = [item for item in field.after if item["name"] in _names(wanted) or item in now] if _names(wanted) else []
    return _differences(field.before, kept, field.path) if kept else [field]


def pending(resource: Resource, obj: Json, fields: Sequence[Field], direction: Direction) -> list[Field]:
    """Return the fields that still have to be written.

    Raises:
        StepFailed: a field has neither its value from before nor the one from after: somebody else has changed it.
    """
    foreign, left = [], []
    for field in fields:
        now = value(obj, field.path)
        if field.has(now, direction):
            continue
        if field.has(now, "apply") or field.has(now, "undo"):
            left.append(field)
        else:
            foreign.append(_neither(field, now))
    if foreign:
        raise StepFailed(
            f"Somebody else has changed {resource} meanwhile: {'; '.join(foreign)}. It was left as it is; "
            "find out who changed it, and decide by hand which value is right."
        )
    return left


def changed_again(obj: Json, fields: Sequence[Field], direction: Direction) -> list[str]:
    """Return which fields no longer have the values that were written."""
    states = [(field, value(obj, field.path)) for field in fields]
    return [_unlike(field.path, now, field.target(direction)) for field, now in states if not field.has(now, direction)]


def values_before(fields: Sequence[Field]) -> str:
    """Return the values that fields had before a change, for people."""
    return ", ".join(f"{field} {told(field.before)}" for field in fields)


def patch(obj: Json, fields: Sequence[Field], direction: Direction) -> Json:
    """Return the merge patch that writes fields; it leaves all others as they are."""
    changed = copy.deepcopy(obj)
    for field in fields:
        _put(changed, field.path, field.target(direction))
    return _merge_patch(obj, changed)


def told(value: Any) -> str:
    """Return a value on one line and not too long; of a list the names of its items, where they have some."""
    if not isinstance(value, dict | list):
        return shown(value)
    text = f"[{', '.join(_names(value))}]" if _names(value) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _neither(field: Field, now: Any) -> str:
    """Return in what a value differs from both that a field may have."""
    if not any(isinstance(state, dict | list) for state in (now, field.before, field.after)):
        before, after = shown(field.before), shown(field.after)
        return f"{field} is {shown(now)}, neither {before} (before this change) nor {after} (by this change)"
    states = {"before this change": field.before, "by this change": field.after}
    return " and ".join(f"{_unlike(field.path, now, state)} ({when})" for when, state in states.items())


def _unlike(path: Path, now: Any, wanted: Any) -> str:
    """Return the first place where two values differ, with what is there and what was wanted there."""
    if isinstance(now, dict) and isinstance(wanted, dict):
        key = next(key for key in (*wanted, *now) if now.get(key) != wanted.get(key))
        return _unlike((*path, key), now.get(key), wanted.get(key))
    if isinstance(now, list) and isinstance(wanted, list):
        number = next(
            (number for number, pair in enumerate(zip(now, wanted, strict=False)) if pair[0] != pair[1]), None
        )
        if number is not None:
            return _unlike((*path, str(number)), now[number], wanted[number])
    return f"{'.'.join(path)} is {told(now)}, not {told(wanted)}"


def _item(items: list[Any], name: str) -> Any:
    return next((item for item in items if isinstance(item, dict) and item.get("name") == name), None)


def _authored(obj: Json) -> Json:
    metadata = {key: part for key, part in (obj.get("metadata") or {}).items() if key in KEPT}
    if metadata.get("annotations"):
        metadata["annotations"] = {key: text for key, text in metadata["annotations"].items() if key not in COUNTERS}
    rest = {key: part for key, part in obj.items() if key not in {"status", "metadata"}}
    return {**rest, "metadata": metadata}


def _differences(old: Any, new: Any, path: Path) -> list[Field]:
    if old == new:
        return []
    if path and path[-1] in OPEN and all(isinstance(state, dict | None) for state in (old, new)):
        old, new = old or {}, new or {}
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new})
        return [field for name in names for field in _differences(old.get(name), new.get(name), (*path, name))]
    if _names(old) and _names(old) == _names(new):
        pairs = zip(old, new, strict=True)
        return [field for before, after in pairs for field in _differences(before, after, (*path, before["name"]))]
    return [Field(path=path, before=old, after=new)]


def _names(items: Any) -> list[str]:
    """Return the names of the items of a list, if all have one of their own."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return []
    names = [item.get("name") for item in items]
    if not all(isinstance(name, str) and name for name in names):
        return []
    return names if len(set(names)) == len(names) else []


def _put(obj: Any, path: Sequence[str], new: Any) -> None:
    *parents, last = path
    for name in parents:
        if isinstance(obj, list):
            obj = _item(obj, name)
        else:
            obj[name] = obj.get(name) or {}
            obj = obj[name]
    if new is None:
        obj.pop(last, None)
    else:
        obj[last] = new


def _merge_patch(old: Json, new: Json) -> Json:
    """Return the patch of RFC 7386: mappings by key, None removes, and a list is replaced as a whole."""
    changes: Json = {name: None for name in old if name not in new}
    for name, part in new.items():
        if name in old and old[name] == part:
            continue
        both = isinstance(old.get(name), dict) and isinstance(part, dict)
        changes[name] = _merge_patch(old[name], part) if both else part
    return changes
