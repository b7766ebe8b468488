"""The text of the messages: before a change, after a success, after a rollback, and for every other outcome."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pendulum

from changewindow.policy.outcome import Outcome
from changewindow.ticket.model import Ticket

NOTHING = "nothing to undo"
"""What a step that only reads says of its undo; beside steps that have one, it would only confuse."""


@dataclass(frozen=True)
class Ending:
    """How a change ended, as the last message reports it."""

    outcome: Outcome
    reason: str
    started: datetime | None
    ended: datetime
    restored: datetime | None = None
    """When everything was verified to be as it was before."""
    back_to: tuple[str, ...] = ()
    """What each step that was undone has gone back to, where it has a value to name."""
    is_by_hand: bool = False
    """Whether a person ended it or had it rolled back: nobody has to look for the cause."""
    head: str = ""
    """The hash of the newest event of the change, which `changewindow verify --head` finds again."""


def message(*lines: str) -> str:
    """Return a message of these lines; what somebody has written into one of them begins no line of its own."""
    return "\n".join(map(_one_line, lines))


def deploying(change: str, ticket: Ticket) -> str:
    """Return the message before the change."""
    return message(
        *[
            f"🔄 DEPLOYING: {change} {ticket.summary}",
            f"Window: {ticket.window.text()}{_in_utc(ticket)}",
            f"Changes: {'; '.join(_one_line(f'{step.name} ({step.does()})') for step in ticket.steps)}",
            rollback_text(ticket),
            _people(ticket),
        ]
    )


def rolling_back(change: str, ticket: Ticket, reason: str, person: str) -> str:
    """Return the message before a change that was completed is rolled back; `person` may be nobody."""
    by = f" by @{person}" if person else ""
    why = [f"Why: {reason}"] if reason else []
    return message(f"⏪ ROLLING BACK{by}: {change} {ticket.summary}", *why, rollback_text(ticket), _people(ticket))


def rollback_text(ticket: Ticket) -> str:
    """Return how it is rolled back, and in how long."""
    undoes = [_one_line(step.undoes()) for step in reversed(ticket.steps)]
    rollback = "; ".join(undo for undo in undoes if undo != NOTHING) or NOTHING
    return f"Rollback: {rollback} (< {_duration_text(ticket.rollback.estimate.total_seconds())})"


def _people(ticket: Ticket) -> str:
    on_call = f" | On call: @{ticket.on_call}" if ticket.on_call else ""
    return f"Owner: @{ticket.owner} | Reviewer: @{ticket.reviewer}{on_call}"


def _in_utc(ticket: Ticket) -> str:
    utc = ticket.window.utc_text()
    return f" ({utc})" if utc else ""


def asking(change: str, ticket: Ticket, reason: str) -> str:
    """Return the message that asks people to decide."""
    people = " ".join(f"@{person}" for person in ticket.people)
    within = _duration_text(ticket.watch.answer_within.total_seconds())
    return message(
        *[
            f"❓ KEEP IT? {change} {ticket.summary}",
            *_listed("Not known", reason),
            f"{people}: answer under Required Actions in Airflow within {within}.",
            "Without an answer by then it is rolled back; until then the watch goes on.",
        ]
    )


def ended(change: str, ticket: Ticket, ending: Ending) -> str:
    """Return the message after the change: its outcome, and where its record ends."""
    text = outcome_text(change, ticket, ending)
    return f"{text}\nRecord: {ending.head}" if ending.head else text


def outcome_text(change: str, ticket: Ticket, ending: Ending) -> str:
    """Return its outcome, with what to do now."""
    lines = [f"{HEADS[ending.outcome]}: {change} {ticket.summary}"]
    if ending.outcome == "completed":
        validated = ", ".join(condition.name for condition in ticket.conditions if condition.decides)
        lines.append(f"Validated: {validated or 'nothing was measured'}")
        lines.append(_duration(ending))
        lines += [f"Follow-up: {item}" for item in ticket.post_change.follow_up]
        return message(*lines)
    lines += _listed("Reason", ending.reason)
    if ending.outcome == "rolled_back":
        lines.append(f"Rolled back at: {_clock(ending.ended)}")
        if ending.restored:
            lines.append(f"Services restored: {_clock(ending.restored)}")
        lines += [f"Back to: {value}" for value in ending.back_to]
        cause = "" if ending.is_by_hand else "find the root cause; "
        lines.append(f"Follow-up: {cause}a new attempt needs a new ticket")
    else:
        outcome = ending.outcome if ending.outcome != "refused" or _may_start(ticket, ending.ended) else "missed"
        lines.append(REMEDIES[outcome].format(owner=ticket.owner, targets=", ".join(ticket.targets)))
    return message(*lines)


def _may_start(ticket: Ticket, now: datetime) -> bool:
    """Return whether the window has room for the change after this moment; otherwise it needs another one."""
    return now + ticket.needs < ticket.window.closes


HEADS: dict[Outcome, str] = {
    "completed": "✅ COMPLETE",
    "rolled_back": "⚠️ ROLLED BACK",
    "rollback_failed": "🚨 ROLLBACK FAILED",
    "refused": "⛔ REFUSED, nothing was touched",
    "missed": "⌛ MISSED, nothing was touched",
    "rejected": "⛔ REJECTED, nothing was touched",
    "cancelled": "⏹️ CANCELLED, nothing was touched",
}
REMEDIES: dict[Outcome, str] = {
    "rollback_failed": "Act now: {targets} may be half changed, and no other change can run there. "
    "@{owner}: read the log of the task `close`, repair what is left, then trigger the DAG `release_target`.",
    "refused": "@{owner}: correct what is named and trigger the change again within its window.",
    "missed": "@{owner}: trigger the DAG `reslot_change` to give it another window.",
    "rejected": "@{owner}: talk to the approver, then submit a corrected ticket.",
    "cancelled": "@{owner}: submit a new ticket if it is still needed.",
}


def _duration(ending: Ending) -> str:
    if ending.started is None:
        return f"Ended: {_clock(ending.ended)}"
    took = _duration_text((ending.ended - ending.started).total_seconds())
    return f"Duration: {took} ({ending.started.astimezone(UTC):%H:%M}-{_clock(ending.ended)})"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _listed(name: str, text: str) -> list[str]:
    """Return a reason behind its name; several, one a line, below it."""
    lines = [_one_line(line).removesuffix(";") for line in text.splitlines() if line.strip()]
    return [f"{name}: {''.join(lines)}"] if len(lines) < 2 else [f"{name}:", *(f"• {line}" for line in lines)]


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def _duration_text(seconds: float) -> str:
    return pendulum.duration(seconds=round(seconds)).in_words() or "0 seconds"
