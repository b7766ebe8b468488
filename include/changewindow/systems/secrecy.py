"""Takes secrets out of text, in each form in which a program, a service or a library may show them."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from changewindow.documents.text import visible

SHORTEST = 4
"""Characters of a secret; a shorter one would take half of every line with it."""
SHORTEST_LINE = 8
"""The same for a line of a secret of several lines, such as a key."""
HIDDEN = "***"
NOT_SECRET = re.compile("-----(BEGIN|END) [A-Z ]+-----")
"""Lines of keys that all keys have."""


class Secrets:
    """The secrets that are known so far; only ever says a text without them."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: tuple[str, ...] = ()
        """The longest first: a secret may begin another one."""

    def learn(self, *secrets: str) -> list[str]:
        """Take note of secrets; return their forms if any of them is new."""
        new = {line for secret in secrets for line in _lines(secret)} - self._known
        if not new:
            return []
        forms = {form for line in new for form in _forms(line) if len(form) >= SHORTEST}
        # Assigned at once: other threads may be hiding something now.
        self._forms = tuple(sorted({*self._forms, *forms}, key=len, reverse=True))
        self._known |= new
        return sorted(forms)

    def hidden(self, text: str) -> str:
        """Return a text without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def line(self, text: str) -> str:
        """Return a line as a log may hold it: without the secrets, and without signs that act on a terminal."""
        return self.hidden(visible(self.hidden(text)))

    def lines_in(self, data: Any) -> Any:
        """Return JSON with all its texts, but for names, as a log may hold them; see `line`."""
        if isinstance(data, str):
            return self.line(data)
        if isinstance(data, dict):
            return {name: self.lines_in(value) for name, value in data.items()}
        if isinstance(data, list | tuple):
            return type(data)(map(self.lines_in, data))
        return data


def _lines(secret: str) -> Iterator[str]:
    """Yield a secret, and each of its lines: output is read by lines."""
    yield from (text for text in {secret, secret.strip()} if len(text) >= SHORTEST)
    for line in map(str.strip, secret.splitlines()):
        if len(line) >= SHORTEST_LINE and not NOT_SECRET.fullmatch(line):
            yield line


def _forms(secret: str) -> Iterator[str]:
    """Yield what a secret looks like as it is, in addresses, in JSON, in pages, in a shell, in base64 and in hex."""
    raw = secret.encode(errors="surrogatepass")
    for address in (
        quote(secret, safe="", errors="replace"),
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
    ):
        yield from (address, re.sub("%..", lambda match: match[0].lower(), address))
    for text in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (text, json.dumps(text)[1:-1], text.replace("/", "\\/"))
    yield from (
        secret,
        repr(secret)[1:-1],
        html.escape(secret),
        secret.replace("'", "'\\''"),
        secret.replace("'", "'\"'\"'"),
    )
    yield from (raw.hex(), raw.hex().upper())
    for text in _base64(raw):
        yield from (text, text.replace("+", "-").replace("/", "_"))


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the signs of base64 that depend on nothing else than the secret, wherever in what is encoded it begins."""
    for before in range(3):
        signs = b64encode(bytes(before) + raw).decode().rstrip("=")
        yield signs[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
    yield b64encode(raw).decode()
    yield b64encode(raw).decode().rstrip("=")
