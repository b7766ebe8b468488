"""Takes objects apart into single fields, and shows their values without giving away what may be secret."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from changewindow.systems.command_lines import holds_secret

Path = tuple[str, ...]
Leaves = Mapping[Path, Any]
DEEPEST = 25
MOST = 2000
"""Fields of an object that are looked at."""
NOTHING = object()
"""Stands for a field that is not there."""
PLAIN = {"image", "imagePullPolicy", "restartedAt", "kubectl.kubernetes.io/restartedAt", "serviceAccountName", "name"}
"""Texts that are no secrets; of others, such as the value of a variable, only a fingerprint is shown."""
PLAIN_BELOW = {"resources", "roleRef", "subjects", "rules", "rollingUpdate", "strategy", "updateStrategy", "ports"}


def leaves(obj: Any) -> dict[Path, Any]:
    """Return the fields of an object with their values; an item of a list goes by its name, or else its place."""
    return {path: value for _, (path, value) in zip(range(MOST), _leaves(obj, ()), strict=False)}


def changed(old: Leaves, new: Leaves) -> list[Path]:
    """Return the fields that differ."""
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def described(fields: Leaves, paths: Sequence[Path], fingerprint: Callable[[str], str]) -> str:
    """Return some fields with their values, a line each; of what may be secret only a fingerprint."""
    return "\n".join(f"{dotted(path)} = {_shown(path, fields[path], fingerprint)}" for path in paths if path in fields)


def dotted(path: Path) -> str:
    """Return a path as people write it."""
    return ".".join(path)


def _leaves(obj: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    inside: Mapping[str, Any] = {}
    if isinstance(obj, dict):
        inside = obj
    elif isinstance(obj, list) and all(isinstance(item, dict) for item in obj):
        inside = dict(_named(place, item) for place, item in enumerate(obj))
    if not inside or len(path) >= DEEPEST:
        yield path, obj
    for name, part in inside.items() if len(path) < DEEPEST else ():
        yield from _leaves(part, (*path, str(name)))


def _named(place: int, item: Mapping[str, Any]) -> tuple[str, Any]:
    """Return an item of a list under its name, or else its place."""
    name = item.get("name")
    return (str(name), {key: part for key, part in item.items() if key != "name"}) if name else (str(place), item)


def _is_secret(key: str, value: Any) -> bool:
    """Return whether a value of a ConfigMap looks like one that should not be there."""
    return isinstance(value, str) and holds_secret(key, value)


def _shown(path: Path, value: Any, fingerprint: Callable[[str], str]) -> str:
    if value is NOTHING:
        return "nothing"
    is_plain = path[-1] in PLAIN or PLAIN_BELOW & {*path} or (path[0] == "data" and not _is_secret(path[-1], value))
    if is_plain or value is None or isinstance(value, bool | int | float) or value in ({}, []):
        return str(value)
    return fingerprint(str(value))
