"""Says whether what was done by hand is what a collector saw: a command has to name the object, or its new value.

Time and service alone explain nothing here: whoever tells of an hour has not told of everything that happened in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from changewindow.changes.announced import PRINT, SHORTEST_LINE, words
from changewindow.changes.naming import folders_in, is_named
from changewindow.policy.manual_change import ManualChange, ManualCommand

MARGIN = timedelta(seconds=5)
"""How much clocks, and the time until something shows, may differ."""
SHORTEST_VALUE = 4
"""Characters of a value that, without its object, is not everybody's."""
READING = re.compile(
    r"(?:sudo\s+(?:-\w+\s+)*)?(?:(?:cat|less|more|ls|head|tail|z?e?grep|stat|file|diff|cmp|md5sum|sha256sum|ps|top|htop|df|du|cd|pwd"
    r"|history|man|which|type|echo|journalctl|dmesg|ping|dig|host|nslookup|ss|netstat|lsof|w|who|id|uptime|free|watch)\b"
    r"|kubectl\s(?:[^|]*\s)?(?:get|describe|logs|top|explain|diff|events|auth|api-resources|cluster-info)\b"
    r"|systemctl\s+(?:-\S+\s+)*(?:status|show|cat|is-active|is-enabled|list-\S+)\b"
    r"|git\s+(?:-\S+\s+)*(?:log|show|diff|status|blame|fetch)\b|(?:docker|podman)\s+(?:ps|logs|inspect|images|stats)\b"
    r"|helm\s+(?:list|ls|status|get|history|diff|template)\b|terraform\s+(?:plan|show|output|validate|state\s+(?:list|show))\b"
    r"|(?:apt|apt-cache|dpkg|rpm|dnf|yum)\s+(?:-q\w*|-l|-L|-s|list|show|search|policy|info)\b)[^|;&`>]*(?:\|\s*(?:z?e?grep|less|head"
    r"|tail|wc|sort|jq)\b[^|;&`>]*)*"
)
"""Commands that only look, alone or with others that do."""
RESTARTING = re.compile(
    r"(?:sudo\s+(?:-\w+\s+)*)?(?:systemctl\s+(?:-\S+\s+)*(?:start|stop|restart|reload|try-restart|reload-or-restart|kill)\b"
    r"|service\s+\S+\s+\w+$|(?:docker|podman)\s+(?:start|stop|restart|kill|exec)\b|kubectl\s(?:[^|]*\s)?rollout\s+restart\b"
    r"|kubectl\s(?:[^|]*\s)?(?:exec|port-forward|attach)\b|p?kill(?:all)?\b)[^|;&`>]*"
)
"""Commands that only stop or start something, or run something in it: no value of it is another one afterwards."""
STEM = re.compile(r"(.+)[:@=/_-]v?[0-9][^:@/]*")
"""A name with its version: `orders:1.4.2`."""


class Seen(Protocol):
    """What a collector saw."""

    @property
    def object(self) -> str:
        """Return what was changed."""

    @property
    def at(self) -> datetime:
        """Return when, at the latest."""

    @property
    def since(self) -> datetime:
        """Return when, at the earliest."""

    @property
    def what(self) -> str:
        """Return what was done to it."""

    @property
    def before(self) -> str:
        """Return its value before."""

    @property
    def after(self) -> str:
        """Return its value now."""


@dataclass(frozen=True)
class Told:
    """Whether a record explains something, and why."""

    explains: bool
    why: str


def told_by(manual: ManualChange, seen: Seen) -> Told:
    """Return whether a record tells of what was seen; its service is somebody else's to compare."""
    if seen.at < manual.began - MARGIN or seen.since > manual.ended + MARGIN:
        return Told(explains=False, why=f"it happened {_when(seen)} UTC, the record is of {manual.span}")
    given = [command for command in manual.commands if command.at is None or command.at - MARGIN <= seen.at]
    if not given:
        return Told(explains=False, why="every command of the record was given later")
    acting = [command for command in given if not READING.fullmatch(command.line)]
    numbers = {id(command): number for number, command in enumerate(manual.commands, 1)}
    folders = folders_in(tuple(command.line for command in given))
    for command in acting:
        if why := _names(command, seen, folders):
            return Told(explains=True, why=f"command {numbers[id(command)]} {why}")
    return Told(explains=False, why=_why_not(acting, given, seen))


def _when(seen: Seen) -> str:
    at = f"{seen.at:%Y-%m-%d %H:%M:%S}"
    return f"at {at}" if seen.since == seen.at else f"between {seen.since:%Y-%m-%d %H:%M:%S} and {at}"


def _names(command: ManualCommand, seen: Seen, folders: frozenset[str]) -> str:
    """Return how a command names what was seen, or nothing."""
    line = " ".join(command.line.split())
    if len(line) >= SHORTEST_LINE and line in " ".join(seen.what.split()):
        return "is what was seen to run"
    named, new = words(line), _new_words(seen)
    is_value = bool(new) and new <= named
    if is_named(seen.object, line, folders):
        if RESTARTING.fullmatch(line) and _is_valued(seen) and not is_value:
            return ""
        other = _other_value(new, named)
        return "" if other else "names it and its new value" if is_value else "names it"
    is_rare = any(len(word) >= SHORTEST_VALUE and not word.isdecimal() for word in new)
    return "names its new value" if is_value and is_rare else ""


def _why_not(acting: Sequence[ManualCommand], given: Sequence[ManualCommand], seen: Seen) -> str:
    new, folders = _new_words(seen), folders_in(tuple(command.line for command in given))
    naming = [command for command in given if is_named(seen.object, command.line, folders)]
    for command in acting:
        if command in naming and (other := _other_value(new, words(command.line))):
            return f"a command names {seen.object}, and another value: {other}"
    if naming:
        only = "restart it" if any(command in acting for command in naming) else "look at it"
        return f"the commands that name {seen.object} only {only}"
    value = f" or the value {', '.join(sorted(new))}"[:100] if new else ""
    return f"no command names {seen.object}{value}"


def _is_valued(seen: Seen) -> bool:
    """Return whether a value was changed, beyond the moment of a restart."""
    return bool(seen.before or seen.after) and "restart" not in f"{seen.what} {seen.after}"


def _new_words(seen: Seen) -> frozenset[str]:
    """Return the words of its new value; no command names the fingerprint of a secret."""
    return frozenset(word for word in words(seen.after) - words(seen.before) if not word.startswith(PRINT))


def _other_value(new: frozenset[str], named: frozenset[str]) -> str:
    """Return the value that a command gives instead of the new one: another version of it, or another number."""
    if not new or new <= named:
        return ""
    stems = {match[1] for word in new if (match := STEM.fullmatch(word))}
    others = [word for word in sorted(named - new) if (match := STEM.fullmatch(word)) and match[1] in stems]
    if all(word.isdecimal() for word in new):
        others += [word for word in sorted(named) if word.isdecimal()]
    return next(iter(others), "")
