"""Looks at the world before a change is approved: nothing of the ticket's choosing runs for it.

Whoever asks for a change writes its steps and conditions, and nobody has read them yet. So only those kinds are asked
that start no program and run no statement, template or repository content of the ticket's; the approver reads of each
other one why it was not tried.
"""

from collections.abc import Callable, Iterable, Iterator

from changewindow.documents.text import escaped
from changewindow.errors import ChangeError
from changewindow.steps.base import StepBase, missing_prerequisites
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.ticket.model import Ticket
from changewindow.watch.condition import Condition

Connections = Callable[[str], Connection]
Log = Callable[[str], None]


def at_steps(change: str, ticket: Ticket, connections: Connections, log: Log) -> Iterator[str]:
    """Yield what each step would remember and do now, as lines of Markdown; what fails is one of the lines."""
    for number, step in enumerate(ticket.steps, 1):
        lines: list[str] = []
        if step.why_not_before_approval:
            lines.append(_not_tried(step.why_not_before_approval))
        else:
            _try(step, Context(change, number, connections, lines.append, dry_run=True))
        log(f"step {number}, {step.name}\n" + "\n".join(lines))
        yield from listed(f"step {number}, {step.name}", lines)


def askable(ticket: Ticket) -> tuple[tuple[Condition, ...], list[str]]:
    """Return the conditions that may be asked now, and a line for each other one."""
    named = {condition.name: condition for condition in (*ticket.preflight.checks, *ticket.conditions)}
    reasons = {name: why_not(condition) for name, condition in named.items()}
    asked = tuple(condition for name, condition in named.items() if not reasons[name])
    return asked, [f"{name}: {_not_tried(reason)}" for name, reason in reasons.items() if reason]


def why_not(condition: Condition) -> str:
    """Return why a condition waits for the approval, or nothing; its control group is asked with it."""
    return next(filter(None, (source.why_not_before_approval for source in condition.sources)), "")


def listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a title with its lines as lists of Markdown, each on one line and free of markup."""
    yield f"- {escaped(title)}"
    yield from (f"    - {escaped(' '.join(line.split()))}" for line in lines)


def _try(step: StepBase, context: Context) -> None:
    """Log what a step reads now, and what it would do."""
    try:
        remembered = step.remember(context)
        step.apply(context, remembered)
        context.log(f"undo would use: {remembered}" if remembered else "undo needs nothing of today")
        for missing in missing_prerequisites(step, context):
            context.log(f"not ready: {missing}")
    except (ChangeError, ValueError) as error:
        context.log(f"cannot be tried now: {error}")


def _not_tried(reason: str) -> str:
    return f"not tried before approval: {reason}"
