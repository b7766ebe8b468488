"""The texts about a record: the message to the room, and the answer to whoever told it."""

from collections.abc import Iterator

from changewindow.changes.messages import message
from changewindow.changes.recording import Outcome
from changewindow.policy.manual_change import NOT_APPROVED, ManualChange

OWED = "Its retroactive approval is owed by {:%Y-%m-%d %H:%M} UTC, by somebody who neither told nor did it"
FEW = 5
"""Commands that a message shows."""


def recorded(outcome: Outcome, manual: ManualChange, person: str) -> str:
    """Return the message that something was done by hand."""
    return message(
        f"📝 RECORDED, {NOT_APPROVED}: {outcome.change} {manual.summary}",
        f"On: {', '.join(manual.targets)} | {manual.span}",
        f"Told by @{person}: done by {manual.done_by}" + (f" | Incident: {manual.incident}" if manual.incident else ""),
        *_commands(manual),
        *_findings(outcome),
        *([OWED.format(outcome.due)] if outcome.due else []),
    )


def answer(outcome: Outcome, manual: ManualChange, person: str) -> list[str]:
    """Return what whoever told it learns."""
    if not outcome.is_new:
        return [f"{outcome.change} was recorded before by this run; nothing was done again."]
    return [
        f"{outcome.change} is recorded, {NOT_APPROVED}: told by {person}, done by {manual.done_by}, {manual.span}.",
        f"{_count(len(manual.commands), 'command')} kept. {_masked(manual)}",
        *(f"{remark}." for remark in manual.remarks),
        *([f"{judged.text}." for judged in outcome.judged] or ["It explains no open finding."]),
        *([f"{OWED.format(outcome.due)}."] if outcome.due else []),
    ]


def _commands(manual: ManualChange) -> Iterator[str]:
    hidden = f", {_masked(manual)[:-1].lower()}" if manual.masked else ""
    yield f"{_count(len(manual.commands), 'command')}{hidden}:"
    yield from (f"  {command.line[:200]}" for command in manual.commands[:FEW])
    if len(manual.commands) > FEW:
        yield f"  and {len(manual.commands) - FEW} more"


def _findings(outcome: Outcome) -> Iterator[str]:
    for judged in outcome.judged:
        yield f"{judged.text[0].upper()}{judged.text[1:]}" + (f" ({judged.what})" if judged.what else "")


def _masked(manual: ManualChange) -> str:
    return f"{_count(manual.masked, 'secret')} hidden." if manual.masked else "No secret was seen in them."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s'[: number != 1]}"
