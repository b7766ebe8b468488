"""Reads the histories of shells, with the times they keep, and commands that were typed or copied with their prompt."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from changewindow.documents.moments import utc
from changewindow.systems.sessions.command import Command, Session

BASH = re.compile(r"#([0-9]{9,11})")
ZSH = re.compile(r": ([0-9]{9,11}):[0-9]+;(.*)", re.DOTALL)
FISH = re.compile(r"- cmd: (.*)")
FISH_WHEN = re.compile(r"\s+when: ([0-9]{9,11})")
LISTED = re.compile(
    r"\s*[0-9]+\*?\s+(?:(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?P<zone> ?(?:[+-][0-9]{2}:?[0-9]{2}|Z))?\s+)?(?P<line>\S.*)"
)
REMARK = "#: "
"""How a line of ours begins that says what was left out."""
PROMPT = re.compile(r"(?:\([\w.-]{1,40}\) ?)?\[?[\w.-]{1,40}@[\w.-]{1,80}[^\n$#%>\u276f]{0,120}[$#%>\u276f] ?(.*)")
"""A prompt that names who is logged in where."""
NO_ZONE = "the times of this list have no time zone and are not used; set HISTTIMEFORMAT='%F %T %z ', or paste the file"
METAFIED = re.compile(rb"\x83(.)", re.DOTALL)
"""How zsh writes bytes beyond ASCII into its history."""
OF_ZSH = re.compile(rb"^: [0-9]{9,11}:[0-9]+;", re.MULTILINE)


def decoded(raw: bytes) -> str:
    """Return the text of a file, whatever its bytes; those of a zsh history are put back first."""
    if OF_ZSH.search(raw):
        raw = METAFIED.sub(lambda match: bytes([match[1][0] ^ 32]), raw)
    return raw.decode(errors="replace")


def bash(text: str) -> Session | None:
    """Read `~/.bash_history` as it is with HISTTIMEFORMAT: a line with the time before each command."""
    lines = text.splitlines()
    if not any(BASH.fullmatch(line.strip()) for line in lines):
        return None
    return Session(tuple(_of_bash(lines)), _remarks(lines))


def zsh(text: str) -> Session | None:
    """Read an extended zsh history: `: time:seconds;command`."""
    lines = list(_continued(text.splitlines()))
    if not any(map(ZSH.fullmatch, lines)):
        return None
    read = ((ZSH.fullmatch(line), line) for line in lines)
    return Session(tuple(Command(match[2], _moment(match[1])) if match else Command(line) for match, line in read))


def fish(text: str) -> Session | None:
    """Read a fish history."""
    lines = text.splitlines()
    begins = [number for number, line in enumerate(lines) if FISH.fullmatch(line)]
    if not begins or not any(map(FISH_WHEN.fullmatch, lines)):
        return None
    commands = []
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        times = (FISH_WHEN.fullmatch(line) for line in lines[begin + 1 : end])
        at = next((_moment(match[1]) for match in times if match), None)
        commands.append(Command(lines[begin].removeprefix("- cmd: ").replace("\\n", "\n"), at))
    return Session(tuple(commands))


def listed(text: str) -> Session | None:
    """Read what the command `history` prints: a number before each command."""
    lines = [line for line in text.splitlines() if line.strip()]
    read = [LISTED.fullmatch(line) for line in lines]
    matches = [match for match in read if match]
    if not lines or len(matches) < len(lines):
        return None
    is_unclear = any(match["time"] and not match["zone"] for match in matches)
    return Session(tuple(Command(match["line"], _listed_at(match)) for match in matches), (NO_ZONE,) * is_unclear)


def prompted(text: str) -> Session | None:
    """Read what was copied from a terminal: a line with a prompt is a command, the others are what it printed."""
    read = [PROMPT.fullmatch(line.strip()) for line in text.splitlines()]
    matches = [match for match in read if match]
    if not matches:
        return None
    return Session(tuple(Command(match[1]) for match in matches if match[1].strip()))


def typed(text: str) -> Session:
    """Read one command a line; a comment is none."""
    lines = list(_continued(text.splitlines()))
    commands = (line.strip().removeprefix("$ ") for line in lines)
    return Session(tuple(Command(line) for line in commands if line and not line.startswith("#")), _remarks(lines))


def as_history(session: Session) -> str:
    """Return a session as text that `bash` and `typed` read again; commands without a time come first."""
    lines = [f"{REMARK}{' '.join(remark.split())}" for remark in session.remarks]
    for command in sorted(session.commands, key=lambda command: command.at is not None):
        lines += [f"#{int(command.at.timestamp())}"] if command.at else []
        lines.append(" ".join(command.line.split()))
    return "\n".join(lines)


def _of_bash(lines: Iterable[str]) -> Iterator[Command]:
    at, parts = None, list[str]()
    for line in lines:
        if match := BASH.fullmatch(line.strip()):
            yield from _command(parts, at)
            at, parts = _moment(match[1]), []
        elif not line.startswith(REMARK):
            parts.append(line)
            if at is None:  # written before the shell was told to keep times
                yield from _command(parts, None)
                parts = []
    yield from _command(parts, at)


def _listed_at(match: re.Match[str]) -> datetime | None:
    try:
        return utc(f"{match['time']}{match['zone'].strip()}") if match["zone"] else None
    except ValueError:  # no such day, or no such zone
        return None


def _command(parts: list[str], at: datetime | None) -> Iterator[Command]:
    line = "\n".join(parts).strip()
    if line:
        yield Command(line, at)


def _continued(lines: Iterable[str]) -> Iterator[str]:
    r"""Yield lines, those that end with `\` together with the next one."""
    begun = ""
    for line in lines:
        if line.endswith("\\"):
            begun += f"{line[:-1]}\n"
        else:
            yield begun + line
            begun = ""
    if begun:
        yield begun


def _remarks(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(line.removeprefix(REMARK) for line in lines if line.startswith(REMARK))


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
