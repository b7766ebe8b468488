"""Looks at the world before a change is approved: nothing of the ticket's choosing runs for it.

Whoever asks for a change writes its steps and conditions, and nobody has read them yet. So only those kinds are asked
that start no program and run no statement, template or repository content of the ticket's, and only with connections
that the policy lists for its service and environment; the approver reads of each other one why it was not tried.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from changewindow.documents.text import escaped, in_words
from changewindow.errors import ChangeError
from changewindow.policy import connections as serving
from changewindow.steps.base import StepBase, missing_prerequisites
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.endpoints import endpoint_of
from changewindow.ticket.model import Ticket
from changewindow.ticket.named_connections import named_connections
from changewindow.watch.condition import Condition

Connections = Callable[[str], Connection]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """A look at what a ticket that nobody has approved would find."""

    change: str
    ticket: Ticket
    allowed: serving.Connections | None
    """Whom the connections serve, as the policy says."""

    def at_connections(self, connections: Connections) -> Iterator[str]:
        """Yield which connections the ticket names, where they lead and whom they serve, as lines of Markdown."""
        named: dict[str, set[str]] = {}
        for use in named_connections(self.ticket):
            named.setdefault(use.name, set()).add(use.kind)
        lines = [f"{name}{self._whose(name, connections)}; for {', '.join(sorted(of))}" for name, of in named.items()]
        yield from listed("connections", lines) if lines else ()

    def at_steps(self, connections: Connections, log: Log) -> Iterator[str]:
        """Yield what each step would remember and do now, as lines of Markdown; what fails is one of the lines."""
        for number, step in enumerate(self.ticket.steps, 1):
            lines: list[str] = []
            if reason := step.why_not_before_approval or self._whose_not(step):
                lines.append(_not_tried(reason))
            else:
                _try(step, Context(self.change, number, connections, lines.append, dry_run=True))
            log(f"step {number}, {step.name}\n" + "\n".join(lines))
            yield from listed(f"step {number}, {step.name}", lines)

    def askable(self) -> tuple[tuple[Condition, ...], list[str]]:
        """Return the conditions that may be asked now, and a line for each other one."""
        every = (*self.ticket.preflight.checks, *self.ticket.conditions)
        named = {condition.name: condition for condition in every}
        reasons = {name: self._why_not(condition) for name, condition in named.items()}
        asked = tuple(condition for name, condition in named.items() if not reasons[name])
        return asked, [f"{name}: {_not_tried(reason)}" for name, reason in reasons.items() if reason]

    def _why_not(self, condition: Condition) -> str:
        """Return why a condition waits for the approval, or nothing; its control group is asked with it."""
        if condition.needs_baseline:
            return "what it is compared with is read when the window opens"
        reasons = (source.why_not_before_approval for source in condition.sources)
        return next(filter(None, reasons), "") or self._whose_not(condition)

    def _whose_not(self, part: BaseModel) -> str:
        return serving.why_not_before_approval(part, self.ticket, self.allowed)

    def _whose(self, name: str, connections: Connections) -> str:
        """Return where a connection leads, and whom it serves."""
        served = self.allowed.connections.get(name) if self.allowed else None
        whom = f"serves {served.description()}" if served else f"not listed in {serving.FILE}"
        try:
            known = connections(name)
        except ChangeError as error:
            return f": {whom}; it cannot be used: {str(error).rstrip('.')}"
        return f" ({known.kind} {endpoint_of(known) or 'without an address'}): {whom}"


def listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a title with its lines as lists of Markdown, each on one line and free of markup."""
    yield f"- {escaped(title)}"
    yield from (f"    - {escaped(' '.join(line.split()))}" for line in lines)


def _try(step: StepBase, context: Context) -> None:
    """Log what a step reads now, and what it would do."""
    try:
        remembered = step.remember(context)
        step.apply(context, remembered)
        context.log(f"undo would use: {in_words(remembered)}" if remembered else "undo needs nothing of today")
        for missing in missing_prerequisites(step, context):
            context.log(f"not ready: {missing}")
    except (ChangeError, ValueError) as error:
        context.log(f"cannot be tried now: {error}")


def _not_tried(reason: str) -> str:
    return f"not tried before approval: {reason}"
