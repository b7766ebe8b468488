"""What somebody did by hand, as it was told afterwards: a record. It gives nobody a right to anything."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from changewindow.documents.canonical import digest
from changewindow.documents.types import Model, Name
from changewindow.errors import OperatorError
from changewindow.systems.secrecy import HIDDEN

MOST = 1000
"""Commands of one record."""
MOST_SERVICES = 20
"""Services of one record."""
LONGEST = timedelta(hours=24)
"""How long what one record tells of may have taken: a longer one would explain whatever happened meanwhile."""
RECORDED = "recorded"
"""The status of a record: a change that never runs."""
NOT_APPROVED = "not approved"
"""What is said of every record: somebody told it, and nobody agreed to it."""

Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\n]*$")]
Told = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\n]+$")]
Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class NoTicket(OperatorError):
    """A record has no ticket: nothing of it can run."""

    def __init__(self, change: str) -> None:
        super().__init__(
            f"{change} is the record of what was done by hand. It has no ticket, so nothing of it runs, waits for a "
            f"window or is rolled back. `changewindow history {change}` shows it; to undo it, submit a ticket."
        )


class ManualCommand(Model):
    """A command that was given."""

    line: Text
    at: Utc | None = None
    """When, where that is known."""


class ManualChange(Model):
    """What was done, where, when, by whom and why."""

    environment: Name
    services: tuple[Name, ...] = Field(min_length=1, max_length=MOST_SERVICES)
    began: Utc
    ended: Utc
    commands: tuple[ManualCommand, ...] = Field(min_length=1, max_length=MOST)
    """Without secrets."""
    done_by: Told
    """Who did it, as whoever told it says."""
    why: Text
    incident: Text = ""
    findings: tuple[int, ...] = ()
    """Those that it is said to explain; empty: all that it does."""
    remarks: tuple[Text, ...] = Field((), max_length=20)
    """What was left out of a paste."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Return what it touched, as leases and history name it."""
        return tuple(f"{self.environment}/{service}" for service in self.services)

    @property
    def data(self) -> dict[str, Any]:
        """Return it as JSON, as it is kept."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """Return the digest of what was told."""
        return digest(self.data)

    @property
    def masked(self) -> int:
        """Return how many secrets are hidden in the commands."""
        return sum(command.line.count(HIDDEN) for command in self.commands)

    def hiding(self, hide: Callable[[str], str]) -> "ManualChange":
        """Return it with its free text as `hide` makes it; names and numbers stay."""
        texts = {name: hide(getattr(self, name)) for name in ("done_by", "why", "incident")}
        commands = tuple(command.model_copy(update={"line": hide(command.line)}) for command in self.commands)
        return self.model_copy(update={**texts, "commands": commands, "remarks": tuple(map(hide, self.remarks))})

    @property
    def summary(self) -> str:
        """Return it on one line."""
        return f"Done by hand: {self.why}"

    @property
    def span(self) -> str:
        """Return when it was done, as people read it."""
        end = f"{self.ended:%H:%M}" if self.began.date() == self.ended.date() else f"{self.ended:%Y-%m-%d %H:%M}"
        return f"{self.began:%Y-%m-%d %H:%M} to {end} UTC"
