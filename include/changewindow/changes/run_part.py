"""Says whether a run that has not acted still has a part in its change; a question to people has none without it."""

from pydantic import BaseModel, ConfigDict

from changewindow.documents.text import spoken
from changewindow.ledger.models import Change
from changewindow.policy.standing import WAITING


class Part(BaseModel):
    """What a run waits for the sake of: one text of its change, while that is in one of these states."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: str
    digest: str
    while_in: tuple[str, ...] = WAITING
    given: int | None = None
    """How many approvals counted when people were asked for the next one; None: they are asked for something else."""


def why_over(part: Part, change: Change, given: int = 0) -> str:
    """Return why a run has no part in its change any more, or an empty text; `given` approvals count by now."""
    if change.digest != part.digest:
        return "it has another text or window by now, and this run is for the one before"
    if part.given is not None and given > part.given and change.status in part.while_in:
        return "somebody has approved it elsewhere"
    if change.status in part.while_in or (change.status == "running" and change.run == part.run):
        return ""
    by = f", by its run {change.run}" if change.run else ""
    if change.status == "running":
        return f"it acts already{by}"
    status = spoken(change.status)
    return f"it is {'' if change.status in WAITING else 'closed: '}{status}{by}"
