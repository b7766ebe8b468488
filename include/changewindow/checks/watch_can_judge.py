"""The watch has something to judge: a change without conditions could only ever look good."""

from changewindow.checks.base import Facts, Problem
from changewindow.condition import Condition
from changewindow.ticket import Ticket


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find a watch that nothing decides or proves, conditions of one name, and a watch shorter than one interval."""
    found = []
    if not ticket.conditions:
        remedy = "Add criteria under `validation`, or rollback triggers under `watch.conditions`."
        found.append(Problem("watch", "there is no condition: nothing could be judged", remedy))
    elif not any(condition.decides for condition in ticket.conditions):
        remedy = "Add a condition that decides, or remove `role: observe` from one."
        found.append(Problem("watch", "every condition is only observed: nothing could be judged", remedy))
    names: set[str] = set()
    for place, condition in _placed(ticket):
        if condition.name in names:
            says = f"a second condition is called '{condition.name}'"
            found.append(Problem(f"{place}.name", says, "Give each its own name: log and messages use it."))
        names.add(condition.name)
        samples = ticket.watch.length // ticket.watch.every
        if condition.decides and condition.passes > max(samples, 1):
            says = f"{condition.passes} good readings in a row are needed, the watch takes {samples}"
            found.append(Problem(f"{place}.passes", says, "Write fewer, or make the watch longer."))
    found += [
        Problem(f"{place}.role", "only a watch can observe; here every condition has to be good", "Remove `role`.")
        for place, condition in _outside(ticket)
        if not condition.decides
    ]
    if ticket.watch.every > ticket.watch.length:
        says = "one sample would come after the end of the watch"
        found.append(Problem("watch.every", says, "Make `every` shorter than `for`."))
    return found


def _placed(ticket: Ticket) -> list[tuple[str, Condition]]:
    """Return every condition of the watch with its place in the ticket."""
    return _numbered("watch.conditions", ticket.watch.conditions) + _numbered("validation", ticket.validation)


def _outside(ticket: Ticket) -> list[tuple[str, Condition]]:
    """Return every other condition with its place in the ticket."""
    return _numbered("preflight.checks", ticket.preflight.checks) + _numbered("rollback.verify", ticket.rollback.verify)


def _numbered(part: str, conditions: tuple[Condition, ...]) -> list[tuple[str, Condition]]:
    return [(f"{part}.{index}", condition) for index, condition in enumerate(conditions)]
