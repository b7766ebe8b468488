"""Reads the resources of a state, and what was changed outside of it, without giving away what is secret."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from changewindow.systems.command_lines import holds_secret
from changewindow.systems.remembered import prints
from changewindow.systems.terraform.plan_changes import Document

Fingerprint = Callable[[str], str]


def resources(state: Document, fingerprint: Fingerprint) -> dict[str, str]:
    """Return the managed resources of a state by address, with the fingerprint of each attribute.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is not a state.
    """
    known: dict[str, str] = {}
    for resource in state.get("resources") or ():
        if resource.get("mode") != "managed":
            continue
        for instance in resource.get("instances") or ():
            known[_address(resource, instance)] = prints(instance.get("attributes") or {}, fingerprint)
    return known


def drift(plan: Document, fingerprint: Fingerprint) -> dict[str, str]:
    """Return what was changed outside of a state by address, an attribute a line, by the JSON of a refresh-only plan.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no plan.
    """
    return {
        drifted["address"]: "\n".join(_lines(drifted["change"], fingerprint)) or "nothing that shows"
        for drifted in plan.get("resource_drift") or ()
        if {*drifted["change"]["actions"]} - {"no-op", "read"}
    }


def _address(resource: Document, instance: Document) -> str:
    module = f"{resource['module']}." if resource.get("module") else ""
    index = f"[{json.dumps(instance['index_key'])}]" if instance.get("index_key") is not None else ""
    return f"{module}{resource['type']}.{resource['name']}{index}"


def _lines(change: Document, fingerprint: Fingerprint) -> Iterator[str]:
    """Yield each attribute that differs; one that is secret, or holds what is, only as a fingerprint."""
    before, after = change.get("before"), change.get("after")
    if after is None:
        yield "it is gone"
        return
    before = before or {}
    marked = [change.get("before_sensitive") or {}, change.get("after_sensitive") or {}]
    secrets = {
        secret
        for marks, values in zip(marked, (before, after), strict=True)
        for secret in _marked(marks, values)
        if secret not in {"null", "", "true", "false"}
    }
    for name in sorted({*before, *after}):
        old, new = _text(before.get(name)), _text(after.get(name))
        if old == new:
            continue
        is_secret = any(marks is True or _is_marked(marks.get(name)) for marks in marked)
        is_secret = is_secret or any(secret in text for secret in secrets for text in (old, new))
        is_secret = is_secret or any(holds_secret(name, text.strip('"')) for text in (old, new) if text != "null")
        yield f"{name}: {fingerprint(old)} -> {fingerprint(new)}" if is_secret else f"{name}: {old} -> {new}"


def _is_marked(marks: Any) -> bool:
    if isinstance(marks, dict | list):
        return any(map(_is_marked, marks.values() if isinstance(marks, dict) else marks))
    return marks is True


def _marked(marks: Any, value: Any) -> Iterator[str]:
    """Yield the values that are marked as secret, as JSON."""
    if marks is True:
        yield _text(value).strip('"')
    elif isinstance(marks, dict) and isinstance(value, dict):
        for name, inside in marks.items():
            yield from _marked(inside, value.get(name))
    elif isinstance(marks, list) and isinstance(value, list):
        for inside, item in zip(marks, value, strict=False):
            yield from _marked(inside, item)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
