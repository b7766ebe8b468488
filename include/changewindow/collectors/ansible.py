"""Shows which tasks of Ansible changed which hosts, from the artifacts that ansible-runner leaves (AWX, too).

`folder` is where it keeps them: a folder for each run, with its `job_events`, as `private_data_dir/artifacts` has them.
Tasks that changed something are shown, and those that failed, of which nobody knows what they have done before; also
when each run began and how it ended. Tasks with `no_log` are shown by name alone. A run that was never made by
ansible-runner leaves nothing there, and whoever made one stands only in the account that started it; a folder that is
rotated (`rotate_artifacts`) keeps the newest runs, and the coverage begins with the oldest.
"""

import asyncio
import heapq
import json
import os
import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.moments import utc
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.measurement import SourceError

EXAMPLE = {"kind": "ansible", "folder": "/var/lib/ansible/artifacts", "service": "orders"}
RUNS = 500
"""Runs that are looked at, the newest."""
EVENTS = 20_000
"""Events of all runs that are read."""
LARGEST = 4 << 20
"""In bytes: a larger event is counted, and not read."""
NUMBER = re.compile(r"([0-9]{1,9})-")
SHOWN = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "playbook_on_start", "playbook_on_stats"}
HIDDEN = ("-e", "--extra-vars", "--vault-password-file", "--private-key", "-u", "--user")
"""Options of a command whose values are not shown."""
STARTED = "the account whose process made the run; ansible-runner does not record who called it"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
SLACK = timedelta(days=2)
"""How long before the span a run may have begun that reaches into it."""


class Collector(CollectorBase):
    """A folder of artifacts."""

    kind: Literal["ansible"] = "ansible"
    folder: str = Field(pattern="^/")
    """The folder of artifacts on this machine, with a folder for each run."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the runs that reach into a span; in a thread, since a disk may be slow."""
        return await asyncio.to_thread(_collected, Path(self.folder), span)


@dataclass
class _Read:
    """What was read of artifacts, and what could not be."""

    lost: int = 0
    left: int = field(default_factory=lambda: EVENTS)
    is_cut: bool = False
    entries: list[Entry] = field(default_factory=list)


def _collected(folder: Path, span: Span) -> Collected:
    try:
        with os.scandir(folder) as items:
            runs = heapq.nlargest(RUNS, ((item.stat().st_mtime, item.path) for item in items if item.is_dir()))
    except OSError as error:
        problem = f"{folder} cannot be read: {error.strerror}"
        raise SourceError("unreachable", f"{problem}. Correct `folder`, or let this account read it") from error
    read = _Read()
    oldest = min((datetime.fromtimestamp(at, UTC) for at, _ in runs), default=span.until)
    for at, path in runs:
        if datetime.fromtimestamp(at, UTC) >= span.since - SLACK:
            _read_run(Path(path), span, read)
    return Collected(tuple(read.entries), _coverage(span, read, oldest, is_empty=not runs))


def _coverage(span: Span, read: _Read, oldest: datetime, *, is_empty: bool) -> Coverage:
    reasons = []
    if is_empty:
        reasons.append("there are no artifacts of any run")
    elif oldest > span.since:
        reasons.append(f"the oldest run that is kept is of {oldest:%Y-%m-%d %H:%M} UTC")
    if read.lost:
        reasons.append(f"{read.lost} events cannot be read")
    if read.is_cut:
        reasons.append(f"{EVENTS} events are read, of the newest runs; ask for less time")
    since = min(max(span.since, oldest), span.until) if oldest > span.since or is_empty else span.since
    if read.is_cut:
        since = max(since, min((entry.at for entry in read.entries), default=span.until))
    return Coverage(min(since, span.until), span.until, lost=read.lost, clock_off=timedelta(0), why="; ".join(reasons))


def _read_run(run: Path, span: Span, read: _Read) -> None:
    try:
        owner = _account(run.stat().st_uid)
        names = [file.name for file in (run / "job_events").iterdir() if NUMBER.match(file.name)]
    except OSError:
        read.lost += 1
        return
    command = _command(run)
    for name in sorted(names, key=lambda name: int(name.partition("-")[0]), reverse=True):
        if read.left <= 0:
            read.is_cut = True
            return
        read.left -= 1
        try:
            event = _event(run / "job_events" / name)
            read.entries += (entry for entry in _entries(event, run.name, owner, command) if entry.at in span)
        except (*UNREADABLE, OSError):
            read.lost += 1


def _event(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError("too large")
    event = json.loads(content)
    return event if event["event"] in SHOWN else {}


def _entries(event: dict[str, Any], run: str, owner: str, command: str) -> Iterator[Entry]:
    """Yield the entry of an event, if it is one that changes something."""
    if not event:
        return
    data, at, kind = event["event_data"], utc(event["created"]), event["event"]
    playbook = str(data.get("playbook") or "?")
    if kind == "playbook_on_start":
        what = f"began {playbook}: {command}"
        yield Entry(at, f"Ansible run {run}", what, by=owner, known_by=STARTED, command=command)
    elif kind == "playbook_on_stats":
        changed = {str(host): number for host, number in (data.get("changed") or {}).items() if number}
        failed = sorted({*(data.get("failures") or {}), *(data.get("dark") or {})})
        text = f"ended {playbook}: changed {_hosts(changed)}{f'; failed on {_hosts(failed)}' if failed else ''}"
        yield Entry(at, f"Ansible run {run}", text, by=owner, known_by=STARTED)
    else:
        yield from _of_task(event, at, f"run {run} of {playbook}", owner)


def _of_task(event: dict[str, Any], at: datetime, run: str, owner: str) -> Iterator[Entry]:
    data = event["event_data"]
    result = data.get("res") or {}
    is_hidden, has_failed = "censored" in result, event["event"] != "runner_on_ok"
    # of a hidden result only what Ansible printed tells that it changed something
    has_changed = result.get("changed") or (is_hidden and "changed: [" in str(event.get("stdout")))
    if not (has_changed or has_failed):
        return
    host, action = str(data.get("host") or "?"), str(data.get("resolved_action") or data.get("task_action") or "?")
    target = result.get("dest") or result.get("path") or result.get("name")
    place = f":{target}" if isinstance(target, str) else ""
    how = "failed, perhaps after it changed something" if has_failed else "changed it"
    started, ended = (utc(data[name]) if data.get(name) else at for name in ("start", "end"))
    times = f" from {started:%H:%M:%S} to {ended:%H:%M:%S} UTC"
    what = f"task '{data.get('task')}' ({action}) {how}, {run},{times}{'; its result is hidden' if is_hidden else ''}"
    yield Entry(at, f"{host}{place}", what, by=owner, known_by=STARTED)


def _command(run: Path) -> str:
    """Return the command of a run, without its environment and without values that may be secret."""
    try:
        with (run / "command").open("rb") as file:
            words = json.loads(file.read(LARGEST))["command"]
        words = [str(word) for word in words]
    except (*UNREADABLE, OSError):
        return "its command is not recorded"
    pairs = zip(["", *words], words, strict=False)
    return without_secrets(" ".join("***" if before in HIDDEN else _option(word) for before, word in pairs))


def _option(word: str) -> str:
    """Return a word of a command without the value that it holds, such as `--extra-vars=…` or `-epassword=…`."""
    name, sign, _ = word.partition("=")
    if sign and name in HIDDEN:
        return f"{name}=***"
    return "-e***" if word.startswith("-e") and word != "-e" else word


def _hosts(names: Any) -> str:
    listed = sorted(map(str, names))
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return f"{', '.join(listed[:10]) or 'no host'}{more}"


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
