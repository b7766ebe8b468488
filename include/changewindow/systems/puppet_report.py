"""Reads what Puppet changed, from the events of PuppetDB or from the report of a host's last run.

Sources: https://www.puppet.com/docs/puppetdb/latest/api/query/v4/events.html
         https://www.puppet.com/docs/puppet/latest/format_report.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from changewindow.documents.moments import utc
from changewindow.systems.collection import Entry

LARGEST = 8 << 20
"""In bytes: the report of a host with thousands of resources."""
DEEPEST = 40
"""How deep values may lie in each other: the parser would crash the process of one that is as deep as can be."""
UNFOLDED = 4 * LARGEST
"""How large it may become when each alias stands for what it repeats."""
OF_REPORT = "Puppet's own report: it applied a catalog, and does not say who wrote that"
CORRECTED = "; it had been changed since the last run, by something other than Puppet"
NEITHER = {"audit", "skipped", "noop"}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML with the tags of Ruby's objects as plain values, and makes none of them."""


def _plain(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!ruby/", _plain)


@dataclass(frozen=True)
class Run:
    """The last run on a host."""

    host: str
    at: datetime
    entries: tuple[Entry, ...]
    unreadable: int


def last_run(content: bytes) -> Run:
    """Return what stands in `last_run_report.yaml`.

    Raises:
        ValueError: it is no report.
    """
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    try:
        _require_bounded(content)
        report = yaml.load(content, Loader=_Loader)  # noqa: S506  it is a safe loader
        host, at, statuses = str(report["host"]), _time(report["time"]), (report.get("resource_statuses") or {})
        version = str(report.get("configuration_version") or "?")
        events = [(status, event) for status in statuses.values() for event in status.get("events") or ()]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is no report of Puppet") from error
    read = [_of_report(host, version, status, event) for status, event in events]
    entries = [entry for entry in read if isinstance(entry, Entry)]
    return Run(host, at, tuple(entries), len([entry for entry in read if entry is False]))


def _require_bounded(content: bytes) -> None:
    """Make sure that a report can be read: whoever is root on its host writes what he likes.

    Raises:
        ValueError: it lies too deep, or its aliases unfold to more than anybody can keep.
    """
    sizes: dict[str | None, int] = {}
    opened: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(content, Loader=_Loader):
        size = 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, 0))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = opened.pop()
            sizes[anchor] = size
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = size = 1 + len(event.value)
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor, UNFOLDED)
        anchor, before = opened[-1]
        opened[-1] = anchor, before + size
        if len(opened) > DEEPEST or before + size > UNFOLDED:
            raise ValueError("it lies deeper, or its aliases unfold to more, than a report of Puppet does")


def of_puppetdb(event: Mapping[str, Any]) -> Entry | None:
    """Return the entry of an event; None if it has changed nothing.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no event.
    """
    if event["status"] in NEITHER:
        return None
    resource = f"{event['resource_type']}[{event['resource_title']}]"
    place = ":".join(str(event[name]) for name in ("file", "line") if event.get(name))
    details = [f"declared in {place}" if place else "", f"environment {event.get('environment') or '?'}"]
    values = {name: event.get(f"{name}_value") for name in ("old", "new")}
    return _entry(str(event["certname"]), resource, {**event, **values}, "; ".join(filter(None, details)))


def _of_report(host: str, version: str, status: Any, event: Any) -> Entry | bool | None:
    try:
        if event["status"] in NEITHER:
            return None
        resource = f"{status['resource_type']}[{status['title']}]"
        values = {"old": event.get("previous_value"), "new": event.get("desired_value"), "timestamp": event["time"]}
        return _entry(host, resource, {**event, **values}, f"catalog {version}")
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _entry(host: str, resource: str, event: Mapping[str, Any], details: str) -> Entry:
    has_failed = event["status"] == "failure"
    prop = f" {event['property']}" if event.get("property") else ""
    text = f"Puppet {'failed to change' if has_failed else 'changed'}{prop}: {event.get('message') or ''}; {details}"
    what = f"{text}{CORRECTED if event.get('corrective_change') else ''}"
    old, new = (_text(event.get(name)) for name in ("old", "new"))
    return Entry(_time(event["timestamp"]), f"{host}:{resource}", what, old, new, "Puppet", OF_REPORT)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _time(moment: Any) -> datetime:
    """Return a time of a report, which YAML reads as one if it is written like one."""
    return utc(moment.isoformat() if isinstance(moment, datetime) else moment)
