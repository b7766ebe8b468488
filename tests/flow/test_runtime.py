"""What a run is about to do."""

from changewindow.flow.runtime import Run
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ticket.revision import PublishedChange
from support.changes import NOW
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
