"""What the owner is shown who confirms a checklist: the items, the chosen values, the plan, and every field."""

from collections.abc import Mapping
from typing import Any

from changewindow.documents import parameters
from changewindow.documents.text import code_block, escaped, shown
from changewindow.ticket import every_field, plan
from changewindow.ticket.model import Ticket


def body(change: str, ticket: Ticket, data: Mapping[str, Any], values: Mapping[str, Any], *, page: str) -> str:
    """Return it as Markdown; `values` are those chosen in place of defaults, `page` is that of the run."""
    items = "\n".join(f"- {escaped(item)}" for item in ticket.preflight.confirmed)
    parts = [
        escaped(ticket.summary),
        "Tick every item that is true. What is not ticked stops the change:",
        items,
        _chosen(data, values),
        f"[Open the run]({page})",
        plan.markdown(change, ticket).rstrip("\n"),
        code_block(every_field.text(_filled(data, values))),
    ]
    return "\n\n".join(part for part in parts if part)


def _filled(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ticket as it will be done: its values are chosen, and no other is left."""
    return {name: part for name, part in parameters.fill(data, values).items() if name != "parameters"}


def _chosen(data: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return every parameter with its value, and which of them somebody has chosen for this run."""
    of_ticket = parameters.defaults(data)
    lines = [
        f"- {escaped(name)} = {escaped(shown(values.get(name, usual)))}{' (chosen for this run)' * (name in values)}"
        for name, usual in of_ticket.items()
    ]
    return "\n".join(["With these values:", "", *lines]) if lines else ""
