"""Which task goes first when more are ready than can run: rolling back before everything that has not begun.

What has not begun has a pool of its own besides, smaller than the executor: a rollback finds a slot whatever runs.
"""

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


STARTS = "changewindow_starts"
"""The pool of what begins. What watches, undoes and closes is in Airflow's default pool, which is always there."""
WAY_BACK: frozenset[Role] = frozenset({"undo", "verify", "watch", "close", "succeed"})


def options_of(role: Role) -> dict[str, Any]:
    """Return weight and pool of a task of a change."""
    return weighing(OF_ROLE[role]) | ({} if role in WAY_BACK else {"pool": STARTS})


def weighing(weight: int) -> dict[str, Any]:
    """Return the options of a task that weighs exactly so much.

    By default Airflow adds what comes after a task, which puts the changes that have not begun before all others.
    """
    return {"priority_weight": weight, "weight_rule": "absolute"}
