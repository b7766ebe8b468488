"""Reads alerts of OSSEC's alerts.log and of Wazuh's alerts.json: changed files, and agents that fell silent."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

HEAD = re.compile(r"(\d{1,11})\.\d+:.*")
PLACE = re.compile(r"\d{4} \w{3} +\d+ [\d:]{8} (?:\((?P<agent>[^)]*)\) |(?P<host>\S+?)->)")
RULE = re.compile(r"Rule: (\d{1,7}) ")
FILE = re.compile(
    r"(?:(?P<changed>Integrity checksum changed for:) |(?P<new>New )?[Ff]ile )'(?P<path>.*?)'"
    r"(?: (?:was )?(?P<done>modified|added|deleted)\b.*)?"
)
FROM_TO = re.compile(
    r"(Size|Permissions|Ownership|Group ownership) (?:changed|was).*? '(.*?)'(?: to|, now it is) '(.*?)'"
)
AUDIT = re.compile(r"\(Audit\) (User|Login user|Process name): '(.*)'")
MODE = re.compile(r"Mode: (\w+)")
CHANGED = re.compile(r"Changed attributes: (.*)")
AGENT = re.compile(r"Agent (?P<state>started|disconnected|stopped): '(?P<agent>[^']*)'")
SHOWN = ("size", "perm", "uname", "gname", "uid", "gid", "mtime")
"""What is shown of a file before and after, and no checksum of it."""
FLOODED = {"203", "204"}
"""Rules that say that the queue of an agent is full."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Alert:
    """An alert; it has a path if it is about a file, and a state if it is about an agent."""

    at: datetime
    agent: str
    rule: str = ""
    path: str = ""
    done: str = ""
    mode: str = ""
    """`realtime`, `whodata` or `scheduled`, where it is known."""
    attributes: str = ""
    before: str = ""
    after: str = ""
    login: str = ""
    """Who had logged in, by who-data."""
    user: str = ""
    """Whom the program ran as."""
    program: str = ""
    state: str = ""


def of_json(text: str) -> Iterator[Alert | None]:
    """Yield each alert of a file of lines of JSON, and None for a line that cannot be read."""
    for line in filter(str.strip, text.split("\n")):
        try:
            yield _of_json(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            yield None


def _of_json(read: Any) -> Alert:
    at = datetime.fromisoformat(read["timestamp"]).astimezone(UTC)
    alert = Alert(at, str(read.get("agent", {}).get("name", "")), str(read.get("rule", {}).get("id", "")))
    file = read.get("syscheck")
    if not file:
        return _of_agent(alert, str(read.get("full_log", "")))
    audit = file.get("audit") or {}
    return replace(
        alert,
        path=str(file["path"]),
        done=str(file.get("event", "modified")),
        mode=str(file.get("mode", "")),
        attributes=", ".join(map(str, file.get("changed_attributes") or [])),
        before=_values(file, "before"),
        after=_values(file, "after"),
        login=_name(audit, "login_user"),
        user=_name(audit, "user"),
        program=_name(audit, "process"),
    )


def _values(file: Mapping[str, Any], when: str) -> str:
    return ", ".join(f"{name} {file[f'{name}_{when}']}" for name in SHOWN if f"{name}_{when}" in file)


def _name(audit: Mapping[str, Any], who: str) -> str:
    known = audit.get(who) or {}
    return str(known.get("name") or known.get("id") or "")


def of_log(text: str) -> Iterator[Alert | None]:
    """Yield each alert of a log, and None for one that cannot be read; content that it quotes may look like one."""
    for part in f"\n{text}".split("\n** Alert ")[1:]:
        head, place, *lines = [*part.split("\n", 60)[:60], ""]
        match, where = HEAD.fullmatch(head), PLACE.match(place)
        if match and where:
            alert = Alert(EPOCH + timedelta(seconds=int(match[1])), where["agent"] or where["host"] or "")
            yield _of_lines(alert, lines)
        else:
            yield None


def _of_lines(alert: Alert, lines: list[str]) -> Alert:
    before, after = [], []
    for line in lines:
        if line.startswith(("What changed:", "Attributes:")):
            break
        if match := RULE.match(line):
            alert = replace(alert, rule=match[1])
        elif not alert.path and (match := FILE.fullmatch(line)):
            alert = replace(alert, path=match["path"], done="added" if match["new"] else match["done"] or "modified")
        elif match := FROM_TO.match(line):
            before.append(f"{match[1]} {match[2]}")
            after.append(f"{match[1]} {match[3]}")
        elif match := AUDIT.fullmatch(line):
            alert = _audited(alert, match[1], match[2])
        elif match := MODE.fullmatch(line):
            alert = replace(alert, mode=match[1])
        elif match := CHANGED.fullmatch(line):
            alert = replace(alert, attributes=match[1])
        elif not alert.path:
            alert = _of_agent(alert, line)
    return replace(alert, before=", ".join(before), after=", ".join(after))


def _audited(alert: Alert, what: str, value: str) -> Alert:
    if what == "Process name":
        return replace(alert, program=value)
    return replace(alert, user=value) if what == "User" else replace(alert, login=value)


def _of_agent(alert: Alert, text: str) -> Alert:
    """Return an alert with what it says of an agent: the server says it of another one than itself."""
    match = AGENT.search(text)
    return replace(alert, agent=match["agent"], state=match["state"]) if match else alert
