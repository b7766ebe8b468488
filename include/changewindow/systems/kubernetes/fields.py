"""Puts single fields of an object forth and back, and notices when somebody else has changed them.

A field is a path with its value before and after a change; an item of a list is found by its `name`. Whatever else
others write into the same object meanwhile stays theirs.
"""

import copy
from collections.abc import Sequence
from typing import Any, Literal

from changewindow.documents.text import shown
from changewindow.documents.types import Model
from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.resource import Json, Resource

Path = tuple[str, ...]
Way = Literal["forth", "back"]
OPEN = {"annotations", "labels", "data"}
"""Mappings with free keys, each of which may belong to somebody else."""
KEPT = {"labels", "annotations", "finalizers"}
"""What of the metadata is not the server's own."""

COUNTERS = {"deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision"}
"""Annotations that only ever go up, the way back included."""


class Field(Model):
    """A field that a step changes; None stands for a field that is not there."""

    path: Path
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        return ".".join(self.path)


def value(found: Any, path: Sequence[str]) -> Any:
    """Return what stands at a path, or None."""
    for name in path:
        found = _item(found, name) if isinstance(found, list) else (found or {}).get(name)
    return found


def differences(old: Json, new: Json) -> list[Field]:
    """Return the fields in which two states of an object differ, without what its server and controllers write."""
    return _differences(_authored(old), _authored(new), ())


def pending(resource: Resource, found: Json, fields: Sequence[Field], way: Way) -> list[Field]:
    """Return the fields that still have to be put forth, or back.

    Raises:
        StepFailed: a field has neither its value of before nor that of after: somebody else has changed it.
    """
    foreign, left = [], []
    for field in fields:
        now = value(found, field.path)
        target, other = (field.after, field.before) if way == "forth" else (field.before, field.after)
        if now == target:
            continue
        if now == other:
            left.append(field)
        else:
            foreign.append(
                f"{field} is {shown(now)}, neither {shown(field.before)} (before this change) nor "
                f"{shown(field.after)} (by this change)"
            )
    if foreign:
        raise StepFailed(
            f"Somebody else has changed {resource} meanwhile: {'; '.join(foreign)}. Nothing of it was touched; "
            "find out who did and decide by hand which value is right."
        )
    return left


def changed_again(found: Json, fields: Sequence[Field], way: Way) -> list[str]:
    """Return which fields that were put forth, or back, are so no longer."""
    ended = [(field, value(found, field.path), field.after if way == "forth" else field.before) for field in fields]
    return [f"{field} is {shown(now)}, not {shown(put)}" for field, now, put in ended if now != put]


def patch(found: Json, fields: Sequence[Field], way: Way) -> Json:
    """Return the merge patch that puts fields forth, or back; it leaves all others as they were found."""
    changed = copy.deepcopy(found)
    for field in fields:
        _put(changed, field.path, field.after if way == "forth" else field.before)
    return _merge_patch(found, changed)


def _item(items: list[Any], name: str) -> Any:
    return next((item for item in items if isinstance(item, dict) and item.get("name") == name), None)


def _authored(found: Json) -> Json:
    metadata = {key: part for key, part in (found.get("metadata") or {}).items() if key in KEPT}
    if metadata.get("annotations"):
        metadata["annotations"] = {key: text for key, text in metadata["annotations"].items() if key not in COUNTERS}
    rest = {key: part for key, part in found.items() if key not in {"status", "metadata"}}
    return {**rest, "metadata": metadata}


def _differences(old: Any, new: Any, path: Path) -> list[Field]:
    if old == new:
        return []
    if path and path[-1] in OPEN and all(isinstance(one, dict | None) for one in (old, new)):
        old, new = old or {}, new or {}
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new})
        return [one for name in names for one in _differences(old.get(name), new.get(name), (*path, name))]
    if _names(old) and _names(old) == _names(new):
        pairs = zip(old, new, strict=True)
        return [one for before, after in pairs for one in _differences(before, after, (*path, before["name"]))]
    return [Field(path=path, before=old, after=new)]


def _names(items: Any) -> list[str]:
    """Return the names of the items of a list, if all have one of their own."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return []
    names = [item.get("name") for item in items]
    if not all(isinstance(name, str) and name for name in names):
        return []
    return names if len(set(names)) == len(names) else []


def _put(found: Any, path: Sequence[str], new: Any) -> None:
    *way, last = path
    for name in way:
        if isinstance(found, list):
            found = _item(found, name)
        else:
            found[name] = found.get(name) or {}
            found = found[name]
    if new is None:
        found.pop(last, None)
    else:
        found[last] = new


def _merge_patch(old: Json, new: Json) -> Json:
    """Return the patch of RFC 7386: mappings by key, None removes, and a list is replaced as a whole."""
    made: Json = {name: None for name in old if name not in new}
    for name, part in new.items():
        if name in old and old[name] == part:
            continue
        both = isinstance(old.get(name), dict) and isinstance(part, dict)
        made[name] = _merge_patch(old[name], part) if both else part
    return made
