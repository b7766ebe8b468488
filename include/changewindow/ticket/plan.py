"""Turns an approved change into its plan: a list of nodes, pure data, the same text for everybody."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from changewindow.documents.text import escaped
from changewindow.documents.types import duration_text
from changewindow.ticket.model import Ticket

Role = Literal[
    "window",
    "check",
    "confirm",
    "baseline",
    "gate",
    "announce",
    "apply",
    "watch",
    "undo",
    "verify",
    "succeed",
    "close",
    "report",
]
Rule = Literal["all_success", "all_done", "none_skipped", "none_failed"]
UNNUMBERED = "CHG-…"
"""Stands for the id that a change gets when it is submitted."""


@dataclass(frozen=True)
class Node:
    """One task of a change: its role, what it waits for, and what it does, as text."""

    id: str
    role: Role
    after: tuple[str, ...]
    text: str
    rule: Rule = "all_success"
    """`none_skipped` runs during a rollback whatever failed before, and not at all without a rollback."""
    number: int = 0
    """Number of the step or check this node is about, from 1; 0 for none."""
    timeout: timedelta | None = None
    retries: int = 0
    """How often it is tried again when it fails, each time after a longer pause."""


def plan(ticket: Ticket) -> tuple[Node, ...]:
    """Return the nodes of a change, in the order in which they run."""
    preflight = _preflight(ticket)
    apply = _apply(ticket)
    undo = _undo(ticket)
    watch = Node("watch", "watch", (apply[-1].id,), _watch_text(ticket), "all_done")
    names = ", ".join(condition.name for condition in ticket.rollback.verify)
    verify = Node("verify", "verify", (undo[-1].id,), f"good again: {names}", "none_skipped")
    return (
        *preflight,
        Node("gate", "gate", tuple(node.id for node in preflight), _gate_text(ticket), "all_done"),
        Node("announce", "announce", ("gate",), f"message to {ticket.post_change.notify}: deploying"),
        *apply,
        watch,
        *undo,
        verify,
        Node("succeed", "succeed", ("watch",), _succeed_text(ticket)),
        Node("close", "close", ("succeed", "verify"), "undo what is left, record the outcome, release the targets"),
        Node("report", "report", ("close",), f"message to {ticket.post_change.notify}: outcome"),
    )


def text(identity: str, ticket: Ticket) -> str:
    """Return the plan as text for terminal and log."""
    first = [*head(identity, ticket), ""]
    nodes = plan(ticket)
    width = max(len(node.id) for node in nodes)
    indent = "\n" + " " * (width + 4)  # so that no line inside a node looks like a node
    return "\n".join([*first, *(f"{node.id:{width}}  {indent.join(node.text.splitlines())}" for node in nodes)]) + "\n"


def markdown(identity: str, ticket: Ticket) -> str:
    """Return the same as Markdown, which joins the lines of plain text."""
    title, *facts = map(escaped, head(identity, ticket))
    lines = [f"**{title}**", "", *(f"- {fact}" for fact in facts), "", "What it does:", ""]
    for node in plan(ticket):
        first, *more = map(escaped, node.text.splitlines())
        lines += [f"- **{escaped(node.id)}** {first}", *(f"    - {line}" for line in more)]
    return "\n".join(lines) + "\n"


def head(identity: str, ticket: Ticket) -> list[str]:
    """Return what is said of a change before its nodes, as lines; the first is its title."""
    return [
        f"{identity}: {ticket.summary}",
        f"{ticket.type} change, risk {ticket.risk}, on {', '.join(ticket.targets)}",
        f"window {ticket.window.text()}, owner {ticket.owner}, reviewer {ticket.reviewer}",
        f"needs {duration_text(ticket.needs)} of the window's {duration_text(ticket.window.length)}",
        *(f"silences while it runs: {silence.description()}" for silence in ticket.silence),
    ]


def _preflight(ticket: Ticket) -> list[Node]:
    opens = Node("window", "window", (), f"wait for the window: {ticket.window.text()}")
    settle = ticket.preflight.settle
    settles = f", for {duration_text(settle)} without a break" if settle else ""
    checks = [
        Node(f"check_{number}", "check", ("window",), condition.description() + settles, number=number)
        for number, condition in enumerate(ticket.preflight.checks, 1)
    ]
    nodes = [opens, *checks]
    if ticket.preflight.confirmed:
        items = "; ".join(ticket.preflight.confirmed)
        nodes.append(Node("confirm", "confirm", ("window",), f"{ticket.owner} confirms: {items}"))
    if ticket.compared:
        names = ", ".join(condition.name for condition in ticket.compared)
        after = tuple(node.id for node in nodes)
        nodes.append(Node("baseline", "baseline", after, f"read what it is compared with: {names}", "none_failed"))
    return nodes


def _apply(ticket: Ticket) -> list[Node]:
    ids = ["gate", *(f"apply_{number}" for number in range(1, len(ticket.steps) + 1))]
    return [
        Node(
            ids[number], "apply", (ids[number - 1],), f"{step.name}: {step.does()}", number=number, timeout=step.timeout
        )
        for number, step in enumerate(ticket.steps, 1)
    ]


def _undo(ticket: Ticket) -> list[Node]:
    count = len(ticket.steps)
    after = ["watch", *(f"undo_{number}" for number in range(count, 0, -1))]
    return [
        Node(
            after[place + 1],
            "undo",
            (after[place],),
            f"take back '{step.name}': {step.undoes()}",
            "none_skipped",
            number=count - place,
            timeout=step.timeout,
            retries=step.undo_retries,
        )
        for place, step in enumerate(reversed(ticket.steps))
    ]


def _gate_text(ticket: Ticket) -> str:
    needed = duration_text(ticket.needs)
    return (
        f"approved text, named approver, preflight good, {needed} left in the window, {', '.join(ticket.targets)} free"
    )


def _watch_text(ticket: Ticket) -> str:
    watch = ticket.watch
    lines = "".join(f"\n{condition.description()}" for condition in ticket.conditions)
    later = f", after {duration_text(watch.at_first)} every {duration_text(watch.later)}" if watch.later else ""
    people = ", ".join(ticket.people)
    asks = f"; asks {people} when too little is known" if watch.when_unknown == "ask" else ""
    return f"for {duration_text(watch.length)}, every {duration_text(watch.every)}{later}: succeed or undo{asks}{lines}"


def _succeed_text(ticket: Ticket) -> str:
    return (
        f"good; left for people: {'; '.join(ticket.post_change.follow_up)}" if ticket.post_change.follow_up else "good"
    )
