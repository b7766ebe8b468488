"""Patches objects as the API server does: merge, strategic merge, JSON patch, and server-side apply with its owners."""

import json
import marshal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Path = tuple[str, ...]
Who = tuple[str, str, str]
"""Manager, operation and subresource."""

KEYS = {"containers": ("name",), "initContainers": ("name",), "volumes": ("name",), "env": ("name",)}
KEYS |= {"ports": ("containerPort", "protocol"), "volumeMounts": ("mountPath",), "conditions": ("type",)}
KEYS |= {"ownerReferences": ("uid",), "imagePullSecrets": ("name",)}
"""By which fields the items of a list are told apart; all other lists are replaced as a whole."""
OPEN = {"annotations", "labels", "data", "nodeSelector"}
UNOWNED = {"apiVersion", "kind", "status"}
DIRECTIVES = ("$setElementOrder", "$retainKeys")


class Conflicts(Exception):
    """Server-side apply wants fields that others manage; `of` holds manager and field."""

    def __init__(self, of: list[tuple[str, str]]) -> None:
        self.of = of
        super().__init__(", ".join(f'conflict with "{manager}": {name}' for manager, name in of))


def copied(obj: Any) -> Any:
    """Return a copy of JSON all the way down; controllers make thousands in a second, for which `deepcopy` is slow."""
    return marshal.loads(marshal.dumps(obj))  # noqa: S302  it is ours


def tidy(obj: Any, name: str = "") -> Any:
    """Return an object without nulls and without empty maps, which the API leaves out."""
    if isinstance(obj, dict):
        made = {key: tidy(part, key) for key, part in obj.items() if part is not None}
        return {key: part for key, part in made.items() if not (part == {} and key in OPEN)}
    return [tidy(element, name) for element in obj] if isinstance(obj, list) else obj


def merge(old: Any, patch: Any) -> Any:
    """Return what RFC 7386 makes of an object."""
    if not isinstance(patch, dict):
        return patch
    made = dict(old) if isinstance(old, dict) else {}
    for name, part in patch.items():
        if part is None:
            made.pop(name, None)
        else:
            made[name] = merge(made.get(name), part)
    return made


def strategic(old: Any, patch: Any, name: str = "") -> Any:
    """Return what a strategic merge patch makes of an object: lists whose items have keys are merged by them."""
    if isinstance(patch, list) and name in KEYS and all(isinstance(element, dict) for element in patch):
        return _strategic_list(list(old or []), patch, KEYS[name][:1])
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: part for key, part in patch.items() if key != "$patch"}
    made = dict(old) if isinstance(old, dict) else {}
    for key, part in patch.items():
        if key.startswith(DIRECTIVES):
            continue
        if part is None:
            made.pop(key, None)
        else:
            made[key] = strategic(made.get(key), part, key)
    return made


def _strategic_list(items: list[Json], patch: list[Json], keys: Path) -> list[Json]:
    for element in patch:
        identity = [element.get(key) for key in keys]
        place = next((at for at, item in enumerate(items) if [item.get(key) for key in keys] == identity), None)
        if element.get("$patch") == "delete":
            items = [item for at, item in enumerate(items) if at != place]
        elif place is None:
            items = [*items, element]
        else:
            items[place] = strategic(items[place], element)
    return items


def json_patch(old: Json, operations: list[Json]) -> Json:
    """Return what RFC 6902 makes of an object, as far as kubectl uses it."""
    made = copied(old)
    for element in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in element["path"].split("/")[1:]]
        place: Any = made
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if element["op"] == "remove":
            place.pop(last)
        elif element["op"] in {"add", "replace"}:
            place[int(last) if isinstance(place, list) else last] = element["value"]
    return made


def leaves(obj: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each field with its value, as managed fields name them: `f:spec`, `k:{"name":"cart"}`."""
    name = path[-1][2:] if path else ""
    if isinstance(obj, dict) and obj:
        for key, part in obj.items():
            if path or key not in UNOWNED:
                yield from leaves(part, (*path, f"f:{key}"))
    elif isinstance(obj, list) and name in KEYS and all(isinstance(element, dict) for element in obj):
        for element in obj:
            yield from leaves(element, (*path, "k:" + _identity(element, KEYS[name])))
    else:
        yield path, obj


def managed_by_update(old: Json, new: Json, managers: list[Json], writer: tuple[str, str]) -> list[Json]:
    """Return who manages which fields after a manager has written an object or a subresource, other than by apply."""
    before, after = _owned_leaves(old), _owned_leaves(new)
    written = {path for path, part in after.items() if path not in before or before[path] != part}
    entries = {_who(element): set(_paths(element["fieldsV1"])) for element in managers}
    entries = {who: {path for path in paths if path in after} - written for who, paths in entries.items()}
    who = (writer[0], "Update", writer[1])
    if written:
        entries[who] = entries.get(who, set()) | written
    return _entries(entries, new["apiVersion"], {**_times(managers), **({who: _now()} if written else {})})


def apply(live: Json, config: Json, manager: str, *, force: bool) -> Json:
    """Return what server-side apply makes of an object: the fields of the manifest, and who manages them.

    Raises:
        Conflicts: others manage fields that shall get another value, and it is not forced.
    """
    entries = {
        _who(element): set(_paths(element["fieldsV1"])) for element in live["metadata"].get("managedFields") or []
    }
    ours, mine, now = _owned_leaves(config), (manager, "Apply", ""), _owned_leaves(live)
    others = {who: paths for who, paths in entries.items() if who != mine}
    taken = [(who[0], path) for who, paths in others.items() for path in paths & ours.keys() if now[path] != ours[path]]
    if taken and not force:
        raise Conflicts([(who, _dotted(path)) for who, path in sorted(taken)])
    for who in others:
        entries[who] -= {path for _, path in taken}
    elsewhere = set().union(*(paths for who, paths in entries.items() if who != mine))
    made = copied(live)
    for path in entries.get(mine, set()) - ours.keys() - elsewhere:
        _remove(made, path)
    made = _laid_over(made, config)
    entries[mine] = set(ours)
    managers = live["metadata"].get("managedFields") or []
    is_new = made != live or entries[mine] != {
        path for who in managers if _who(who) == mine for path in _paths(who["fieldsV1"])
    }
    times = {**_times(managers), **({mine: _now()} if is_new else {})}
    made["metadata"]["managedFields"] = _entries(entries, config["apiVersion"], times)
    return made


def _laid_over(live: Any, config: Any, name: str = "") -> Any:
    if isinstance(config, dict) and isinstance(live, dict):
        return {**live, **{key: _laid_over(live.get(key), part, key) for key, part in config.items()}}
    if isinstance(config, list) and name in KEYS and isinstance(live, list):
        known = {_identity(element, KEYS[name]): element for element in live}
        known |= {
            key: _laid_over(known.get(key, {}), element)
            for element in config
            for key in [_identity(element, KEYS[name])]
        }
        return list(known.values())
    return copied(config)


def _identity(item: Json, keys: Path) -> str:
    return json.dumps({key: item.get(key, "TCP" if key == "protocol" else None) for key in keys}, sort_keys=True)


def _owned_leaves(obj: Json) -> dict[Path, Any]:
    server = {"f:managedFields", "f:resourceVersion", "f:uid", "f:creationTimestamp", "f:generation", "f:name"}
    server |= {"f:namespace", "f:deletionTimestamp"}
    parts = leaves(obj) if obj else ()
    return {path: part for path, part in parts if path[:1] != ("f:metadata",) or not {*path[1:2]} & server}


def _who(entry: Json) -> Who:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _times(managers: list[Json]) -> dict[Who, str]:
    return {_who(element): element["time"] for element in managers if "time" in element}


def _entries(entries: dict[Who, set[Path]], version: str, times: dict[Who, str]) -> list[Json]:
    made = []
    for (manager, operation, subresource), paths in entries.items():
        fields: Json = {}
        for path in sorted(paths):
            place = fields
            for part in path:
                place = place.setdefault(part, {})
        element = {"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1"}
        if subresource != "scale":  # as Kubernetes 1.36 has it
            element["time"] = times.get((manager, operation, subresource)) or _now()
        if subresource:
            element["subresource"] = subresource
        if fields:
            made.append({**element, "fieldsV1": fields})
    return made


def _paths(fields: Json, path: Path = ()) -> Iterator[Path]:
    if not fields and path:
        yield path
    for part, inside in fields.items():
        yield from _paths(inside, (*path, part))


def _remove(obj: Any, path: Path) -> None:
    trail = [obj]
    for part in path[:-1]:
        obj = _step(obj, part)
        trail.append(obj)
    if isinstance(obj, dict):
        obj.pop(path[-1][2:], None)
    # an item of a list whose last owned field is gone is gone as well
    for at in range(len(path) - 1, 0, -1):
        if path[at - 1].startswith("k:") and set(trail[at] or {}) <= set(json.loads(path[at - 1][2:])):
            trail[at - 1].remove(trail[at])


def _step(obj: Any, part: str) -> Any:
    if part.startswith("k:"):
        wanted = json.loads(part[2:])
        items = obj or []
        return next((element for element in items if _identity(element, tuple(wanted)) == part[2:]), None)
    return (obj or {}).get(part[2:])


def _dotted(path: Path) -> str:
    parts = [f".{part[2:]}" if part.startswith("f:") else _brackets(part) for part in path]
    return "".join(parts)


def _brackets(part: str) -> str:
    return "[" + ",".join(f'{name}="{value}"' for name, value in json.loads(part[2:]).items()) + "]"
