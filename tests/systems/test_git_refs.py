"""Names of branches: what git takes, and nothing else."""

import subprocess

import pytest
from pydantic_core import PydanticCustomError

from changewindow.systems.git.refs import branch_name, ref_name

TAKEN = (
    *("fix/#481-pool", "release/v2.15.0", "ü/x", "+x", "it's", "a;b", "$(x)", "!x", "%x", "&x", "_x", "a-", "@", "x@y"),
    *("a.b", "a{b", "dependabot/npm_and_yarn/@babel/core-7.0", "feature,1", "a=b", '"x"', "refs/heads/x", "a|b", "(x)"),
)
NOT_TAKEN = (
    *("-x", "--upload-pack=x", "a..b", "../x", "a b", "HEAD", "a@{b", "a.lock", "a.lock/b", "x:y", "x~1", "x^", "x*"),
    *("x?", "/a", "a/", "a//b", ".a", "a/.b", "a.", "x[1]", "a\\b", "a\nb", "a\x7f", "a\x00b", "@{-1}"),
)


def is_taken(name: str) -> bool:
    """Return whether a ticket may name it."""
    try:
        return branch_name(name) == name
    except PydanticCustomError:
        return False


@pytest.mark.parametrize("name", [*TAKEN, *NOT_TAKEN])
def test_a_ticket_takes_the_names_that_git_takes(name: str) -> None:
    """Both say the same, and a name that would be an option is none."""
    asked = ["git", "check-ref-format", "--branch", name] if "\0" not in name else ["false"]
    git_takes_it = subprocess.run(asked, cwd="/", check=False, capture_output=True).returncode == 0  # in no repository
    assert is_taken(name) == git_takes_it == (name in TAKEN)


def test_what_is_wrong_with_a_name() -> None:
    """The part that git does not take is named."""
    with pytest.raises(PydanticCustomError, match=r"git takes no name like 'a\.\.b' because of '\.\.'"):
        ref_name("a..b")
    with pytest.raises(PydanticCustomError, match="HEAD is not a branch"):
        branch_name("HEAD")
