"""Reads recorded terminals: asciinema's files, and the typescripts of `script`.

Only what the terminal showed is read. What was typed is not: passwords, which nothing echoes, stand there.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.systems.sessions.command import Command, Session
from changewindow.systems.sessions.screen import Sent, lines_of
from changewindow.systems.sessions.shell import PROMPT

PLAIN_PROMPT = re.compile(r"(?:[\w.:~/()\[\] -]{0,80}[$\u276f\u279c]|[\w.:~/-]{1,80}[#%]) +(\S.*)")
"""A prompt without a name: `$ `, `~/shop $ `, `web-3:~# `, `bash-5.2# `."""
BARE_ROOT = re.compile(r"# (\S.*)")
"""That of a root shell without settings; also how comments in files begin, so that it is only looked for last."""
SCRIPT = "Script started on "
DONE = "Script done on "
NO_TIMES = "a typescript says only when it began; all its commands have the time of the record"
NO_PROMPT = "no prompt is known in this recording, so no command was read from it. Type or paste the commands instead"
LONGEST = timedelta(days=366)
"""What is later in a recording is not read."""
CUT = "the end of the recording cannot be read"


def asciinema(text: str) -> Session | None:
    """Read a recording of asciinema, version 2 or 3: commands with their times."""
    first, _, rest = text.lstrip("\ufeff").partition("\n")
    header = _json(first)
    if not isinstance(header, dict) or header.get("version") not in (2, 3) or "timestamp" not in header:
        return None
    try:
        begun = datetime.fromtimestamp(float(header["timestamp"]), UTC)
        _ = begun + LONGEST
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    events = [_json(line) for line in rest.splitlines() if line.strip()]
    shown = list(_shown(events, begun, is_relative=header["version"] == 3))
    remarks = (CUT,) if any(event is None for event in events) else ()
    session = _commands(lines_of(shown))
    return Session(session.commands, (*session.remarks, *remarks))


def script(text: str) -> Session | None:
    """Read a typescript."""
    if not text.lstrip().startswith(SCRIPT):
        return None
    body = "\n".join(line for line in text.split("\n") if not line.startswith((SCRIPT, DONE)))
    session = _commands(lines_of([(None, body)]))
    return Session(session.commands, (*session.remarks, NO_TIMES) if session.commands else session.remarks)


def _shown(events: Iterable[Any], begun: datetime, *, is_relative: bool) -> Iterator[Sent]:
    elapsed = 0.0
    for event in events:
        if not isinstance(event, list) or len(event) < 3 or not isinstance(event[0], int | float):
            continue
        elapsed = elapsed + event[0] if is_relative else event[0]
        if event[1] == "o" and isinstance(event[2], str) and 0 <= elapsed < LONGEST.total_seconds():
            yield begun + timedelta(seconds=elapsed), event[2]


def _commands(lines: Iterable[Sent]) -> Session:
    seen = [(at, line.strip()) for at, line in lines]
    for prompts in ((PROMPT, PLAIN_PROMPT), (BARE_ROOT,)):
        commands = [Command(line, at) for at, shown in seen if (line := _typed(shown, prompts))]
        if commands:
            return Session(tuple(commands))
    return Session((), (NO_PROMPT,))


def _typed(line: str, prompts: Iterable[re.Pattern[str]]) -> str:
    matches = (prompt.fullmatch(line) for prompt in prompts)
    return next((match[1].strip() for match in matches if match), "")


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
