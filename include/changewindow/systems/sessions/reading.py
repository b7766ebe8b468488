"""Reads a paste in whichever format it is, and hides what looks like a secret before anything else sees it."""

import re
from dataclasses import replace

from changewindow.documents.text import visible
from changewindow.systems.command_lines import without_secrets
from changewindow.systems.secrecy import HIDDEN
from changewindow.systems.sessions.command import Reader, Session
from changewindow.systems.sessions.kubernetes_audit import kubernetes_audit
from changewindow.systems.sessions.recording import asciinema, script
from changewindow.systems.sessions.shell import bash, fish, listed, prompted, typed, zsh

LONGEST = 2000
"""Characters that are kept of a command."""
LOOKED_AT = 2 * LONGEST
"""Characters in which secrets are looked for; what comes after them is not kept."""
RECORDED: tuple[Reader, ...] = (asciinema, script, kubernetes_audit)
SHELLS: tuple[Reader, ...] = (bash, zsh, fish, listed, prompted)
"""The first that knows the text reads it; what none of them knows is one command a line."""
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)


def read(text: str) -> Session:
    """Return the commands of a paste, each on one line and without what looks like a secret."""
    lines = PRIVATE_KEY.sub(HIDDEN, text)  # of several lines, each of which would be taken for a command
    session = _first(RECORDED, text) or _first(SHELLS, lines) or typed(lines)
    commands = (replace(command, line=cleaned(command.line)) for command in session.commands)
    return Session(tuple(command for command in commands if command.line), tuple(map(cleaned, session.remarks)))


def cleaned(line: str) -> str:
    r"""Return a text on one line, bounded, without secrets; `\n` stands where a line ended."""
    whole = " \\n ".join(part.strip() for part in PRIVATE_KEY.sub(HIDDEN, line).strip().splitlines())
    shown = " ".join(visible(without_secrets(whole[:LOOKED_AT])).split())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def _first(readers: tuple[Reader, ...], text: str) -> Session | None:
    return next((session for reader in readers if (session := reader(text)) is not None), None)
