"""Names of branches and tags, as git takes them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from changewindow.documents.refusal import refusal

FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/]|/$|\.$|(^|/)\.|\.lock(/|$)")
"""What `git check-ref-format --branch` refuses; a name that begins with a dash would be an option."""


def ref_name(text: str) -> str:
    """Return what git takes as the name of a branch or tag.

    Raises:
        ValueError: git would not.
    """
    if wrong := FORBIDDEN.search(text):
        part = f" because of {wrong[0]!r}" if wrong[0].strip() else ""
        raise refusal(f"git takes no name like {text!r}{part}", "Write it as `git branch --all` or `git tag` shows it.")
    return text


def branch_name(text: str) -> str:
    """Return what git takes as the name of a branch.

    Raises:
        ValueError: git would not.
    """
    if text == "HEAD":
        raise refusal("HEAD is not a branch", "Write the name of the branch, like main.")
    return ref_name(text)


Branch = Annotated[str, Field(min_length=1), AfterValidator(branch_name)]
