r"""Compiles regular expressions that come from outside: with RE2, whose time grows with the text and nothing else.

`re` may take for ever for `(a+)+b`, and nothing in its process runs meanwhile. In RE2, `\d`, `\w` and `\b` know the
letters and digits of ASCII only; `\p{L}` is any letter.
Source: https://github.com/google/re2/wiki/Syntax
"""

import re
from functools import lru_cache
from typing import Protocol, cast

import re2

LACKS = {
    "(?=": "look-ahead",
    "(?!": "look-ahead",
    "(?<=": "look-behind",
    "(?<!": "look-behind",
    "(?>": "atomic groups",
    "(?(": "conditional groups",
    "(?P": "references to a group",
    "(?x": "verbose expressions",
    "\\Z": "\\Z: write \\z",
    "\\u": "\\u: write \\x{e9}",
    "++": "possessive repetition",
    "*+": "possessive repetition",
    "?+": "possessive repetition",
    **{f"\\{digit}": "references to a group" for digit in range(1, 10)},
}
"""What Python's expressions have and RE2's have not, by how it is written."""
LITERAL = re.compile(r"\{(,|[0-9]{8})")
"""To RE2 the braces in `a{,3}` and `a{99999999}` are characters, to Python they repeat."""
LARGEST = 2 << 20
"""In bytes: what an expression may take, with what RE2 keeps of its search."""


class Compiled(Protocol):
    """An expression of RE2."""

    def fullmatch(self, text: bytes) -> object | None:
        """Return something when it matches the whole text."""

    def search(self, text: bytes) -> object | None:
        """Return something when it matches somewhere in the text."""


def fault(expression: str) -> str:
    """Return why an expression cannot be used, or nothing."""
    try:
        compiled(expression)
    except ValueError as error:
        return str(error)
    return ""


def was_taken(expression: str) -> bool:
    """Return whether Python takes an expression, as it did with all that was approved before RE2 judged them."""
    try:
        re.compile(expression)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


@lru_cache(maxsize=200)
def compiled(expression: str) -> Compiled:
    """Return an expression as RE2 takes it.

    Raises:
        ValueError: it does not, or it would mean something else than to Python.
    """
    if braces := LITERAL.search(expression):
        raise ValueError(f"{braces[0]}…}} would be read as these characters: write two numbers, like {{0,3}}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = LARGEST
    try:
        return cast("Compiled", re2.compile(expression, options=options))
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(_why(expression, error)) from error


def _why(expression: str, error: Exception) -> str:
    """Return what RE2 has against an expression, in the words of those who know Python's."""
    reason = error.args[0] if error.args else ""
    said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    written = said.rpartition(": ")[2]
    lacking = next((name for sign, name in LACKS.items() if written and written.startswith(sign)), "")
    return f"RE2 has no {lacking}" if lacking else said
