"""What a run is about to do."""

from types import SimpleNamespace
from typing import Any

from changewindow.flow.runtime import Run
from changewindow.ledger import changes, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Checked
from changewindow.ticket.revision import PublishedChange
from support.changes import NOW, intent
from support.tickets import banner


def test_what_was_chosen_in_place_of_defaults_is_part_of_the_intent(ledger: Ledger) -> None:
    """The ledger keeps it with the start, since nobody could tell later from the ticket alone."""
    version = {"type": "string", "default": "v2", "allowed": ["v1", "v2"]}
    data = banner(parameters={"version": version})
    change = PublishedChange.of(changes.submit(ledger, data, requester="alice", now=NOW).change, data)
    for chosen, kept in (("v1", {"version": "v1"}), ("v2", {})):
        run = Run(change, {"run_id": "run", "params": {"mode": "run", "version": chosen}})  # type: ignore[typeddict-item]
        run.__dict__.update(ledger=ledger)
        assert run.intent.values == kept


def test_a_rollback_has_the_values_with_which_the_change_was_applied(ledger: Ledger) -> None:
    """Its form shows the defaults, or something else again; undo acts on what was applied."""
    version = {"type": "string", "default": "v2", "allowed": ["v1", "v2", "v3"]}
    data = banner(parameters={"version": version}, summary="To {{ params.version }}")
    submitted = changes.submit(ledger, data, requester="alice", now=NOW)
    leases.start(
        ledger,
        submitted.change,
        intent(submitted.digest, approvals=(), values={"version": "v1"}),
        targets=("production/orders",),
        now=NOW,
    )
    change = PublishedChange.of(submitted.change, data)
    for form in ({"version": "v2"}, {"version": "v3"}):
        run = Run(change, {"run_id": "back", "params": {"mode": "rollback", **form}})  # type: ignore[typeddict-item]
        run.__dict__.update(ledger=ledger)
        assert (run.ticket.summary, run.intent.values) == ("To v1", {"version": "v1"})


def test_what_a_dry_run_writes_down_says_so(ledger: Ledger) -> None:
    """Whoever shows a change must not take a trial for its start."""
    data = banner()
    change = PublishedChange.of(changes.submit(ledger, data, requester="alice", now=NOW).change, data)
    checked = Checked(verdict="pass", reason="good")
    for mode, said in (("dry_run", {"is_dry": True}), ("run", {})):
        context: Any = {"run_id": "run", "params": {"mode": mode}, "ti": SimpleNamespace(task_id="gate")}
        written = Run(change, context).event(checked).payload.as_data()
        assert written == {"verdict": "pass", "reason": "good", "run": "run", **said}
