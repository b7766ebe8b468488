"""Waits, at a terminal, for targets that other changes hold, or has those rolled back: for a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from changewindow.changes import taking_over
from changewindow.changes.direct_hands import Stop
from changewindow.changes.taking_over import TakesOver, WhyNot
from changewindow.documents.findings import Finding
from changewindow.documents.types import duration_text
from changewindow.errors import LedgerDown, NotAllowed
from changewindow.ledger import leases
from changewindow.ledger.database import Ledger
from changewindow.policy.standing import HeldTarget
from changewindow.policy.state_rules import TARGET_HELD

LOOK = 1.0
"""Seconds between two looks at whether a target is free."""
Ask = Callable[[datetime], object]
"""Passes the gate, or raises why not."""


def _nobody_may(_: str) -> Finding | None:
    return Finding("rights", "nobody has said that it may be aborted", "Wait for it.")


@dataclass(frozen=True)
class Waiting:
    """How long it waits for other changes, and what becomes of those."""

    patience: timedelta = timedelta(0)
    stop: Stop = field(default_factory=Stop)
    takes_over: bool = False
    """Whether they are aborted, so that their own runs roll them back; otherwise they are waited for."""
    why_not: WhyNot = _nobody_may


@dataclass(frozen=True)
class Gate:
    """What stands before the first step of an emergency."""

    ledger: Ledger
    emergency: TakesOver
    targets: tuple[str, ...]
    ask: Ask
    now: Callable[[], datetime]
    log: Callable[[str], None]


def pass_when_free(gate: Gate, waiting: Waiting) -> None:
    """Pass the gate once no other change acts on a target.

    A ledger that goes away meanwhile frees nothing: what was held when it last answered is not touched.

    Raises:
        NotAllowed: with each reason.
        LedgerDown: it does not answer, and has not said that a target is held.
    """
    give_up = gate.now() + waiting.patience
    held: tuple[HeldTarget, ...] = ()
    told: set[str] = set()
    while True:
        try:
            free = _try(gate)
            if free is None:
                return
            if not free:
                continue  # let go of meanwhile
            held = free
            lines = [_waits(held, waiting.patience), *(_end(gate, held, waiting) if waiting.takes_over else [])]
        except LedgerDown as down:
            if not held:
                raise
            lines = [f"the ledger does not answer, and {_listed(held)}, as far as is known. {down}"]
        if waiting.stop.reason or gate.now() >= give_up:
            raise NotAllowed(gate.emergency.change, [_given_up(held, waiting)])
        for line in filter(None, lines):
            if line not in told:
                gate.log(line)
        told.update(lines)
        time.sleep(LOOK)


def _try(gate: Gate) -> tuple[HeldTarget, ...] | None:
    """Return which targets are held by changes that act; None where the gate was passed."""
    try:
        gate.ask(gate.now())
    except NotAllowed as refused:
        if {finding.code for finding in refused.findings} != {TARGET_HELD}:
            raise
        try:
            held = leases.held_by_others(gate.ledger, gate.emergency.change, gate.targets)
        except LedgerDown as down:
            raise refused from down
        if not all(holder.is_acting for holder in held):
            raise
        return held
    return None


def _end(gate: Gate, held: tuple[HeldTarget, ...], waiting: Waiting) -> list[str]:
    changes = dict.fromkeys(holder.change for holder in held)
    return [taking_over.end(gate.ledger, change, gate.emergency, waiting.why_not, now=gate.now()) for change in changes]


def _waits(held: tuple[HeldTarget, ...], patience: timedelta) -> str:
    return f"waiting up to {duration_text(patience)}: {_listed(held)}. Ctrl-C ends it; nothing is touched until then."


def _given_up(held: tuple[HeldTarget, ...], waiting: Waiting) -> Finding:
    if waiting.stop.reason:
        return Finding("interrupted", f"{waiting.stop.reason} while {_listed(held)}", "Run it again if it is needed.")
    sentence = f"{_listed(held)}, after {duration_text(waiting.patience)}"
    if waiting.takes_over:
        remedy = "Its own run rolls it back, which needs Airflow, or its terminal: look there, then run this again."
    else:
        remedy = "Look at that change; wait longer with --wait, or have it rolled back with --held take_over."
    return Finding(TARGET_HELD, sentence, remedy)


def _listed(held: tuple[HeldTarget, ...]) -> str:
    return ", ".join(f"{holder.target} is held by {holder.change}" for holder in held)
