"""Says what is wrong with a form by the options of the command: whoever types at a terminal has never seen the form."""

import re
from collections.abc import Mapping

HEAD = re.compile(r"^[a-z_]+(?:(?:, | and )[a-z_]+)*(?=:)", re.MULTILINE)
"""With what a mistake begins: the fields of the form, such as `start and end:`."""
NAME = re.compile(r"[a-z_]+")
QUOTED = re.compile(r"`([a-z_]+)`")


def by_options(text: str, options: Mapping[str, str]) -> str:
    """Return a text in which each field that begins a line, or stands between backticks, is an option."""
    named = HEAD.sub(lambda head: NAME.sub(lambda name: options.get(name[0], name[0]), head[0]), text)
    return QUOTED.sub(lambda quoted: f"`{options.get(quoted[1], quoted[1])}`", named)
