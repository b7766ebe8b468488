"""Says what the events of a change tell of each task of its plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from changewindow.changes.event_lines import content
from changewindow.changes.event_text import sentence, who
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.leases import OF_TERMINAL
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Unknown
from changewindow.ticket.plan import Node

BESIDE = frozenset({EventKind.CLICKED, EventKind.MARKER_SENT, EventKind.MARKER_FAILED, EventKind.MESSAGE_FAILED})
"""Events that say nothing of how far a task is."""


@dataclass(frozen=True)
class RunSeen:
    """A run of a change."""

    id: str
    is_dry: bool
    mode: str
    """As it passed the gate: run or rollback; empty before that."""

    @property
    def is_of_airflow(self) -> bool:
        """Return whether Airflow has its logs: an emergency from a terminal has none there."""
        return not self.id.startswith(OF_TERMINAL)


@dataclass(frozen=True)
class TaskSeen:
    """A task of the plan with its newest event in a run."""

    node: Node
    event: EventRow | None
    """None: nothing was heard of it."""
    text: str


def runs_of(rows: Iterable[EventRow]) -> list[RunSeen]:
    """Return the runs that have written events, the newest last; what people do by other DAGs is none."""
    runs: dict[str, RunSeen] = {}
    for row in rows:
        event = None if row.kind == EventKind.READ else content(row)
        if event is None or isinstance(event, Unknown) or not event.run or "/" in event.run:
            continue
        before = runs.get(event.run, RunSeen(event.run, event.is_dry, ""))
        runs[event.run] = RunSeen(event.run, event.is_dry, str(getattr(event, "mode", before.mode)))
    return list(runs.values())


def tasks_seen(nodes: Sequence[Node], rows: Iterable[EventRow], run: str) -> list[TaskSeen]:
    """Return each task of a plan with what was heard of it last in a run."""
    said = (row for row in rows if row.actor.startswith(run) and row.kind not in BESIDE)
    newest = {name: row for row in said if row.actor in {run, f"{run}/{(name := who(row))}"}}
    return [_seen(node, newest.get(node.id)) for node in nodes]


def _seen(node: Node, row: EventRow | None) -> TaskSeen:
    return TaskSeen(node, row, sentence(content(row)) if row else "")
