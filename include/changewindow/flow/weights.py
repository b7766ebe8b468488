"""Which task goes first when more are ready than can run: rolling back before everything that has not begun."""

from typing import Any

from changewindow.ticket.plan import Role

FIRST = 100
"""For what a person or housekeeping does about changes that act: an abort begins a rollback."""
REST = 20
LAST = 10
"""For what has not begun, and for messages, which would wait for ever below it; the earlier window comes first."""
OF_ROLE: dict[Role, int] = {
    "undo": 90,
    "verify": 80,
    "watch": 70,
    "close": 60,
    "succeed": 50,
    "apply": 40,
    "gate": 30,
    "check": REST,
    "confirm": REST,
    "baseline": REST,
    "window": LAST,
    "announce": LAST,
    "report": LAST,
}
"""An applied change is watched, and rolled back, before another one is applied or passes its gate."""


def weighing(weight: int) -> dict[str, Any]:
    """Return the options of a task that weighs exactly so much.

    By default Airflow adds what comes after a task, which puts the changes that have not begun before all others.
    """
    return {"priority_weight": weight, "weight_rule": "absolute"}
