"""What a plan does to resources, by its JSON, and what of that no second plan can bring back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

HARMLESS = {"no-op", "read", "open", "renew", "close"}
"""The last three are of ephemeral resources, of which nothing is left when the apply ends."""
KNOWN = {*HARMLESS, "create", "update", "delete"}
Document = Mapping[str, Any]


@dataclass(frozen=True)
class PlannedChanges:
    """What a plan does: its actions by address, and why undo could not bring back some of them."""

    actions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    one_way: tuple[str, ...] = ()
    """A sentence each, with what to do."""

    @classmethod
    def of(cls, document: Document) -> "PlannedChanges":
        """Return what a plan does, by the output of `show -json`."""
        actions: dict[str, frozenset[str]] = {}
        for change in document.get("resource_changes") or ():
            verbs = set(change["change"]["actions"]) | ({"move"} if _is_moved(change) else set())
            if change["change"].get("importing") is not None:
                verbs.add("import")
            address = change["address"]  # several changes have one, where objects are left that were replaced
            actions[address] = actions.get(address, frozenset()) | verbs
        changed = {address: verbs for address, verbs in actions.items() if verbs - HARMLESS}
        return cls(changed, tuple(_one_way(document)))

    def doing(self, verb: str) -> list[str]:
        """Return the addresses to which the plan does this, among other things."""
        return sorted(address for address, verbs in self.actions.items() if verb in verbs)

    def why_no_undo(self, applied: Mapping[str, Any]) -> str:
        """Return why this plan does not undo what was applied, by what was remembered of it; empty where it does."""
        if others := sorted(set(self.actions) - set(applied["changes"])):
            return (
                f"Undo would also change {', '.join(others)}, which the approved plan did not: somebody else has "
                "acted since"
            )
        if older := sorted(set(self.doing("delete")) - {*applied["creates"], *applied.get("deletes", ())}):
            return f"Undo would destroy {', '.join(older)}, which was there before the change"
        if left := self.doing("forget"):
            return f"Undo would leave {', '.join(left)} behind, which only the state would forget"
        # An apply of an earlier version has not remembered what it was to delete.
        if second := sorted(set(self.doing("create")) - set(applied.get("deletes", self.actions))):
            return f"Undo would create a second {', '.join(second)}, which the approved plan did not destroy"
        return ""


def _is_moved(change: Document) -> bool:
    return bool(change.get("previous_address", change["address"]) != change["address"])


def _one_way(document: Document) -> Iterator[str]:
    """Yield what another plan could not bring back."""
    for change in document.get("resource_changes") or ():
        yield from _one_way_of(change)
    for invoked in document.get("action_invocations") or ():
        problem = f"The plan runs the action {invoked.get('address', '?')}, which nothing undoes"
        yield f"{problem}. Run it in a step of its own kind, and make a plan without it."
    put_off = [*(document.get("deferred_changes") or ()), *(document.get("deferred_action_invocations") or ())]
    for deferred in put_off:
        address = (deferred.get("resource_change") or deferred.get("action_invocation") or {}).get("address", "?")
        yield f"The plan puts off what it does to {address} ({deferred.get('reason', 'deferred')}). Make a whole plan."
    if document.get("errored") or (document.get("complete") is False and not put_off):
        yield "The plan is not whole, as it says of itself: another apply would have to follow. Make a whole plan."


def _one_way_of(change: Document) -> Iterator[str]:
    address, verbs = change["address"], set(change["change"]["actions"])
    importing = change["change"].get("importing")
    if "forget" in verbs:
        problem = f"The plan forgets {address}, which goes on to exist: undo would create a second one"
        yield f"{problem}. Keep it in the configuration, and make a new plan; `state rm` by hand when this is done."
    if importing is not None:
        problem = f"The plan imports {address} ({importing.get('id', 'by its identity')}), which is there already"
        yield f"{problem}: undo would destroy it. Import it before this change, and make a new plan."
    if _is_moved(change):
        problem = f"The plan moves {change['previous_address']} to {address}: undo would destroy it and create another"
        yield f"{problem}. Move it before this change, in both configurations, and make a new plan."
    if unknown := sorted(verbs - KNOWN - {"forget"}):
        problem = f"The plan does '{', '.join(unknown)}' to {address}, and how to undo that is not known"
        yield f"{problem}. Make a plan without it."
