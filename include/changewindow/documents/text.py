"""How messages show values and suggest names."""

import difflib
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

LONGEST = 60
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that are not shown, or act: with them a text would look different from what it contains."""
COLOURS = re.compile("\x1b\\[[0-9;]*m")
"""What makes a terminal show colours, and nothing else."""
PLAIN = re.compile(r"[\w./@+:-]{1,60}")


def shown(value: Any) -> str:
    """Return a value as its author wrote it, on one line and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]}…{text[0]}"


def spoken(name: str) -> str:
    """Return a name of ours as people say it, such as that of the state `rolled_back`."""
    return name.replace("_", " ")


def in_words(value: Any, *, inside: bool = False) -> str:
    """Return a value of any shape as people read it, on one line: `commit 9f9f, objects (kind Job, name a; b)`."""
    if isinstance(value, dict):
        text = ", ".join(f"{spoken(str(name))} {in_words(each, inside=True)}" for name, each in value.items())
    elif isinstance(value, list | tuple):
        text = "; ".join(map(in_words, value))
    elif value is None or isinstance(value, bool):
        return shown(value)
    else:
        line = " ".join(str(value).split())
        return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
    return f"({text})" if text and inside else text or "none"


def nearest(word: object, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, if any is close."""
    by_lower_case = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(word)[:LONGEST].lower(), by_lower_case, 1)
    return by_lower_case[close[0]] if close else None


def hint(word: object, names: Iterable[str]) -> str:
    """Return what to write instead of a word: the closest name, or all names if none is close."""
    allowed = sorted(names)
    near = nearest(word, allowed)
    if near:
        return f"Did you mean '{near}'?"
    return f"Allowed: {', '.join(allowed)}." if allowed else "There is none yet."


def escaped(text: str) -> str:
    """Return a text as Markdown that shows exactly this text; addresses become links, to where they say."""
    marked = re.sub(r"([\\`*_\[\]<>#|~$&])", r"\\\1", visible(text))
    return re.sub(r"^(\s*[0-9]*)([-+=.)])", r"\1\\\2", marked, flags=re.MULTILINE)


def code_block(text: str) -> str:
    """Return a text of several lines as Markdown that shows it as it stands; nothing in it ends the block."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{visible(text).rstrip()}\n{fence}"


def visible(text: str) -> str:
    r"""Return a text in which nothing is unseen and nothing acts on a terminal: `\u001b` stands for the sign itself.

    In a text of JSON it is the same text still. Colours, and the `\r` before an end of line, are left out.
    """
    plain = COLOURS.sub("", text).replace("\r\n", "\n").removesuffix("\r")
    return plain.translate(_escapes()) if UNSEEN.search(plain) else plain


@cache
def _escapes() -> dict[int, str]:
    """Return how each unseen character is shown; a table, because programs may print millions of them."""
    unseen = filter(UNSEEN.fullmatch, map(chr, (*range(0x10000), *range(0xE0000, 0xE0080))))
    units = {ord(sign): sign.encode("utf-16-be", "surrogatepass").hex(" ", 2).split() for sign in unseen}
    return {code: "".join(f"\\u{unit}" for unit in pair) for code, pair in units.items()}


def dotted(place: Iterable[int | str]) -> str:
    """Return a place as text, like `steps.0.run`."""
    return ".".join(str(part) if PLAIN.fullmatch(str(part)) else shown(part) for part in place)
