"""Says what a branch's `.gitattributes` mean for its files, and lets them steer a merge without starting a program."""

import re
from dataclasses import dataclass
from typing import Self

from changewindow.systems.git.clone import Clone

ASKED = ("text", "eol", "ident", "filter", "working-tree-encoding")
FILES = re.compile(r":100\d{3} 0+ ([0-9a-f]{40,64}) 0+ D\0([^\0]+)\0")
DRIVER = re.compile(rb"(?<=\s)merge=(?!(?:binary|text|union)\s)\S*")
UNION = re.compile(rb"(?<=\s)merge=union(?=\s)")
EXPANDED = re.compile(r"\$Id:[^$\n]*\$")
"""What a checkout makes of `$Id$` where the attribute `ident` is set."""


@dataclass(frozen=True)
class Attributes:
    """What holds for a file; `set`, `unset`, `unspecified` or a value, as git says it."""

    text: str
    eol: str
    ident: str
    filter: str
    encoding: str

    @classmethod
    def of(cls, clone: Clone, name: str) -> Self:
        """Return what holds for a file of the tree in the index."""
        # Each answer has three parts: file, attribute, value; a warning stands in front of the first.
        answer = clone.git("check-attr", "--cached", "-z", *ASKED, "--", name).split("\0")
        values = dict(zip(answer[1::3], answer[2::3], strict=False))
        return cls(*(values.get(attribute, "unspecified") for attribute in ASKED))

    @property
    def has_filter(self) -> bool:
        """Return whether what is stored is made by a program, as for Git LFS and git-crypt."""
        return self.filter not in {"set", "unset", "unspecified"}

    @property
    def is_encoded(self) -> bool:
        """Return whether a checkout is in another encoding; what is stored is UTF-8 then."""
        return self.encoding not in {"set", "unset", "unspecified"}

    def normalized(self, text: str, present: bytes) -> str:
        """Return a text as git stores it over the present content: with its line ends, and with `$Id$` as such."""
        is_text = self.text == "set" or (self.text == "unspecified" and self.eol in {"lf", "crlf"})
        if is_text or (self.text in {"auto", "input"} and b"\r\n" not in present and "\0" not in text):
            text = text.replace("\r\n", "\n")
        return EXPANDED.sub("$Id$", text) if self.ident == "set" else text


def bring(clone: Clone, *, with_union: bool) -> None:
    """Put the `.gitattributes` of the clone's head beside the object database, where a merge reads them.

    Only what git itself has is left of them: a merge driver that is a program is not started. Without `with_union`,
    lines of both sides are not kept silently either, but conflict.
    """
    clone.clear()
    # What the head has and the index lacks, which is everything: nothing was checked out.
    listed = clone.git("diff-index", "--cached", "-z", "HEAD", "--", ":(glob)**/.gitattributes", magic=True)
    for blob, name in FILES.findall(f"{listed}\0"):
        content = DRIVER.sub(b"merge", clone.content(blob) + b"\n")
        file = clone.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if with_union else UNION.sub(b"merge", content))
