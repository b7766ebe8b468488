"""Reads a paste in whichever format it is, and hides what looks like a secret before anything else sees it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from changewindow.documents.text import COLOURS, UNSEEN, visible
from changewindow.systems.command_lines import NAME, PGPASS_LINE, without_secrets
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
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
HERE = re.compile(r"(?<!<)<<-?\s*[\"'\\]?(\w{1,40})")
"""Where a here document begins, and what ends it."""
SPEAKS_OF_SECRETS = rf"(?i)\bkind:\s*[\"']?secret\b|{NAME}|{PGPASS_LINE}"
SECRET = re.compile(SPEAKS_OF_SECRETS)
"""What a here document that holds secrets, or the command that takes it, speaks of."""


def read(text: str) -> Session:
    """Return the commands of a paste, each on one line and without what looks like a secret."""
    lines = without_documents(text)  # of several lines, each of which would be taken for a command
    session = _first(RECORDED, text) or _first(SHELLS, lines) or typed(lines)
    commands = (replace(command, line=cleaned(command.line)) for command in session.commands)
    return Session(tuple(command for command in commands if command.line), tuple(map(cleaned, session.remarks)))


def cleaned(line: str) -> str:
    r"""Return a text on one line, bounded, without secrets; `\n` stands where a line ended."""
    text = without_secrets(_seen(without_documents(line).strip()[:LOOKED_AT]))
    whole = " \\n ".join(part.strip() for part in text.splitlines())
    shown = " ".join(visible(whole).split())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def without_documents(text: str) -> str:
    """Return a text without private keys, and without here documents that hold secrets."""
    text = PRIVATE_KEY.sub(HIDDEN, text)
    return "\n".join(_lines(text.split("\n"))) if "<<" in text else text


def _lines(lines: list[str]) -> Iterator[str]:
    first, end, body = "", "", list[str]()
    for line in lines:
        if end and line.strip().removesuffix("\\") == end:
            yield from [HIDDEN] if SECRET.search("\n".join((first, *body))) else body
            yield line
            end = ""
        elif end:
            body.append(line)
        else:
            yield line
            match = HERE.search(line)
            first, end, body = line, match[1] if match else "", []
    if end:
        yield from [HIDDEN] if SECRET.search("\n".join((first, *body))) else body


def _seen(text: str) -> str:
    """Return a text without colours; and without characters that nobody sees, where these part a secret's name."""
    plain = COLOURS.sub("", text)
    seen = UNSEEN.sub("", plain)
    if seen == plain:
        return plain
    return seen if without_secrets(seen).count(HIDDEN) > without_secrets(plain).count(HIDDEN) else plain


def _first(readers: tuple[Reader, ...], text: str) -> Session | None:
    return next((session for reader in readers if (session := reader(text)) is not None), None)
