"""Compares what is in a commit with what a step has announced that the commit names."""

import re
from pathlib import PurePosixPath

from changewindow.changes.our_changes import Act
from changewindow.steps.git_change import Step
from changewindow.systems.collection import Entry
from changewindow.systems.git.commit_content import CommitContent

EXPANDED = re.compile(r"\$Id:[^$\n]*\$")
"""What may stand for `$Id$` in what was announced."""


def is_announced(entry: Entry, content: CommitContent, act: Act, *, is_undone: bool) -> bool:
    """Return whether a commit names a step, on its branch, and holds what it announced.

    Or whether it takes that back while the step is undone.
    """
    branch = act.announced.get("into", Step.model_fields["into"].default)
    if f"{act.change}/{act.number}" not in content.steps or entry.object.rpartition(":")[2] != branch:
        return False
    is_empty = not (content.merged or content.files or content.reverted or content.reverts)
    is_back = is_empty or (content.reverts is not None and _holds(content.reverts, act))
    return (is_undone and is_back) or (not is_empty and _holds(content, act))


def _holds(content: CommitContent, act: Act) -> bool:
    if act.announced.get("revert"):
        return bool(content.reverted) and content.reverted == act.announced["revert"]
    if act.announced.get("merge"):
        return bool(content.merged) and content.merged == act.remembered.get("merged")
    files = content.files
    if written := act.announced.get("write"):
        announced = {str(PurePosixPath(path)): _stored(text) for path, text in written.items()}
        return bool(files) and all(_stored(after) == announced.get(path) for path, (_, after) in files.items())
    if (edit := act.announced.get("replace")) and len(files) == 1:
        before, after = files.get(str(PurePosixPath(edit["file"])), ("", ""))
        return before.count(edit["old"]) == 1 and before.replace(edit["old"], edit["new"]) == after
    return False


def _stored(text: str) -> str:
    """Return a text without what a repository may change in it by its attributes."""
    return EXPANDED.sub("$Id$", text.removeprefix("\ufeff").replace("\r\n", "\n"))
