"""What is wrong with a document, where it stands, and what would make it right."""

from collections.abc import Iterable
from dataclasses import dataclass

from changewindow.documents.text import dotted
from changewindow.documents.yaml import BadYaml, Place


@dataclass(frozen=True)
class Finding:
    """One mistake in a file: where it stands, what is wrong, and what would make it right."""

    line: int
    place: Place
    says: str
    remedy: str
    check: str
    names_field: bool = False
    """Whether the sentence names the field, so that its place need not."""
    is_warning: bool = False
    """Whether the ticket may be used all the same."""

    def text(self, file: str) -> str:
        """Return the finding as one line, in the form editors understand: `file:line: …`."""
        place = self.place[:-1] if self.names_field else self.place
        at = f"{file}:{self.line}: {'warning: ' * self.is_warning}{dotted(place)}{': ' * bool(place)}"
        return f"{at}{self.says}. {self.remedy} [{self.check}]"


def are_errors(findings: Iterable[Finding]) -> bool:
    """Return whether any of the findings is more than a warning."""
    return any(not finding.is_warning for finding in findings)


def unreadable(bad: BadYaml) -> Finding:
    """Return the finding for a text, or a value in it, that cannot be read as YAML."""
    return Finding(bad.line, bad.place, bad.says, bad.remedy, "yaml")
