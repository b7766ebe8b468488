"""What the gate decided: each rule that was asked, with what stands against the run or why nothing does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from changewindow.documents.findings import Finding

LATE = frozenset({"late", "too_little_time"})
"""Codes of the findings that another window would make right; with no others, a change was missed."""


@dataclass(frozen=True)
class Satisfied:
    """A rule that nothing stands against."""

    code: str
    """The name of the rule."""
    sentence: str
    """Why it is satisfied."""
    is_asked: bool = True
    """Whether it was asked; otherwise it is asked later, and the sentence says where."""


Answers = Iterator[Finding | Satisfied]
"""What a rule says: each finding, or why it is satisfied."""


@dataclass(frozen=True)
class Decision:
    """Whether a run may act, and every reason for it."""

    findings: tuple[Finding, ...] = ()
    """What stands against it."""
    satisfied: tuple[Satisfied, ...] = ()

    @property
    def may_act(self) -> bool:
        """Return whether nothing stands against it."""
        return not self.findings

    @property
    def outcome(self) -> Literal["refused", "missed"]:
        """Return how a change ends whose run is refused like that."""
        return outcome_of(self.findings)


def outcome_of(findings: tuple[Finding, ...]) -> Literal["refused", "missed"]:
    """Return `missed` when nothing but lateness stands against a run, else `refused`."""
    return "missed" if findings and {finding.code for finding in findings} <= LATE else "refused"
