"""Reads the audit log of a Kubernetes API server (audit.k8s.io/v1): what people wrote, without what they read."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from changewindow.documents.moments import utc
from changewindow.systems.sessions.command import Command, Session

GROUP = "audit.k8s.io/"
WRITING = {"create", "update", "patch", "delete", "deletecollection"}
DONE = {"ResponseComplete", "Panic"}
"""The stages after which it is known what became of a request."""
MACHINES = ("system:serviceaccount:", "system:node:", "system:kube-", "system:apiserver")
"""How users begin that are no people."""
NOT_CHANGES = {"tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "events"}
NOT_CHANGES |= {"leases", "tokenrequests"}
"""What is asked, or beats, by a request that writes."""
VALUES = {"image", "replicas", "suspend", "paused", "schedule", "kubectl.kubernetes.io/restartedAt"}
"""Fields whose values are read: none of them is ever a secret."""
MOST_VALUES = 20
CUT = "the audit log cannot be read, as it was cut off or altered. Paste whole lines of it"


def kubernetes_audit(text: str) -> Session | None:
    """Read lines of the audit log, or a list of its events; None where no line is such an event."""
    left_out = Counter[str]()
    events = list(_events(text, left_out))
    if not events:  # of what was cut off, nothing can be told from a secret
        is_cut = GROUP in text and text.lstrip().startswith(("{", "["))
        return Session((), (CUT,)) if is_cut else None
    seen: set[str] = set()
    commands = []
    for event in events:
        if why := _why_not(event, seen):
            left_out[why] += 1
        else:
            commands.append(Command(_line(event), _moment(event)))
    remarks = tuple(
        f"{number} {'line' if number == 1 else 'lines'} left out: {why}" for why, number in left_out.items()
    )
    return Session(tuple(commands), remarks)


def _events(text: str, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    for line in _documents(text):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            left_out["not JSON"] += 1
            continue
        for event in _listed(document):
            if isinstance(event, dict) and str(event.get("apiVersion", GROUP)).startswith(GROUP) and "verb" in event:
                yield event
            else:
                left_out["no event of an audit log"] += 1


def _documents(text: str) -> list[str]:
    """Return what is parsed one by one: the lines, or the whole of a list that was printed over several."""
    return [text] if text.lstrip().startswith(("{\n", "{ \n", "[\n")) else [line for line in text.splitlines() if line]


def _listed(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    items = document.get("items") if isinstance(document, dict) else None
    return items if isinstance(items, list) else [document]


def _why_not(event: dict[str, Any], seen: set[str]) -> str:
    """Return why an event is no change that a person made, or nothing."""
    reference = _dict(event.get("objectRef"))
    if str(event["verb"]) not in WRITING or str(reference.get("resource")) in NOT_CHANGES or _is_dry(event):
        return "they change nothing"
    if str(event.get("stage", "ResponseComplete")) not in DONE:
        return "a later line says what became of them"
    if str(_dict(event.get("user")).get("username", "")).startswith(MACHINES):
        return "controllers and nodes did it"
    code = _dict(event.get("responseStatus")).get("code", 200)
    if isinstance(code, int) and code >= 400:
        return "the server refused them"
    identity = str(event.get("auditID") or "")
    if identity and identity in seen:
        return "they stand there twice"
    seen.add(identity)
    return ""


def _is_dry(event: dict[str, Any]) -> bool:
    return "dryRun=" in str(event.get("requestURI", "")).partition("?")[2]


def _line(event: dict[str, Any]) -> str:
    """Return what was done, on what and by whom, with the values that are safe to show."""
    reference, user = _dict(event.get("objectRef")), _dict(event.get("user"))
    kind = "/".join(str(reference[name]) for name in ("resource", "subresource") if reference.get(name))
    name = "/".join(str(reference[part]) for part in ("namespace", "name") if reference.get(part))
    as_other = _dict(event.get("impersonatedUser")).get("username")
    by = f"{user.get('username', 'unknown')}{f' as {as_other}' if as_other else ''}"
    values = list(_values(event.get("requestObject")))[:MOST_VALUES] if reference.get("resource") != "secrets" else []
    parts = [
        str(event["verb"]),
        kind or str(event.get("requestURI", "")).partition("?")[0],
        name,
        *values,
        f"(by {by})",
    ]
    return " ".join(part for part in parts if part)


def _values(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, list):
            left += reversed(inner)
        elif isinstance(inner, dict):
            yield from (f"{name}={inner[name]}" for name in sorted(VALUES & inner.keys()) if _is_plain(inner[name]))
            left += reversed([part for part in inner.values() if isinstance(part, dict | list)])


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | bool)


def _moment(event: dict[str, Any]) -> datetime | None:
    """Return when it was asked for; nanoseconds that Kubernetes may write are cut."""
    for name in ("requestReceivedTimestamp", "stageTimestamp"):
        try:
            return utc(event[name])
        except (KeyError, ValueError):
            continue
    return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
