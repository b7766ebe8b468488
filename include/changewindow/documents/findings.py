"""What is wrong with a document or a change, where it stands, and what would make it right."""

from collections.abc import Iterable
from dataclasses import dataclass

from changewindow.documents.text import dotted

LONGEST = 1500
"""Characters that are shown of a sentence: an author's value in it may be long."""
Place = tuple[str | int, ...]
"""Where a value stands in a document: the names and numbers that lead to it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: who found it, what it is, and what would make it right."""

    code: str
    """Id of the check, rule, validator or reader that found it, such as `window_fits`; an exemption names it."""
    sentence: str
    remedy: str
    place: Place = ()
    line: int = 0
    """Its line in the file; 0 where there is no file, or until its reader has looked it up."""
    is_warning: bool = False
    """Whether the change may go on all the same."""
    names_field: bool = False
    """Whether the sentence names the field, so that its place need not."""

    def text(self, file: str) -> str:
        """Return the finding as one line, in the form editors understand: `file:line: …`."""
        place = self.place[:-1] if self.names_field else self.place
        at = f"{file}:{self.line}: {'warning: ' * self.is_warning}{dotted(place)}{': ' * bool(place)}"
        return f"{at}{self.reason}"

    @property
    def reason(self) -> str:
        """Return what is wrong, what would make it right, and who found it, as one line."""
        sentence, remedy = (
            part if len(part) <= LONGEST else f"{part[:LONGEST]}…" for part in (self.sentence, self.remedy)
        )
        text = f"{sentence}. {remedy} [{self.code}]"
        return text.replace("\n", "\\n")  # an author's value may have several lines

    def as_json(self) -> dict[str, str]:
        """Return the same for programs and for the record."""
        return {"code": self.code, "sentence": self.sentence, "remedy": self.remedy}


def are_errors(findings: Iterable[Finding]) -> bool:
    """Return whether any of the findings is more than a warning."""
    return any(not finding.is_warning for finding in findings)
