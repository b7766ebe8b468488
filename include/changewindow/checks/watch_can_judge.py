"""The watch has something to judge: a change without conditions could only ever look good."""

from changewindow.policy.check import Facts, Problem
from changewindow.ticket.model import Ticket
from changewindow.watch.baseline import KEPT
from changewindow.watch.condition import Condition
from changewindow.watch.judgement import ALMOST_ONE


def check(ticket: Ticket, facts: Facts) -> list[Problem]:
    """Find a watch that nothing decides or proves, conditions of one name, and a watch shorter than one interval."""
    found = _of_the_watch(ticket)
    names: set[str] = set()
    for place, condition in _placed(ticket):
        if condition.name in names:
            says = f"a second condition is called '{condition.name}'"
            found.append(Problem(f"{place}.name", says, "Give each its own name: log and messages use it."))
        names.add(condition.name)
        if condition.decides:
            found += _needs_samples(place, condition, max(ticket.watch.samples, 1))
    for place, condition in _outside(ticket):
        if not condition.decides or condition.weight < 1:
            field = "weight" if condition.decides else "role"
            says = "only a watch can observe or weigh; here every condition has to be good"
            found.append(Problem(f"{place}.{field}", says, f"Remove `{field}`."))
    found += [
        Problem(f"{place}.compare", "nothing is before the preflight", "Compare with a `control`, or remove `compare`.")
        for place, condition in _numbered("preflight.checks", ticket.preflight.checks)
        if condition.asks_before
    ]
    return found


def _of_the_watch(ticket: Ticket) -> list[Problem]:
    """Find what no single condition is to blame for."""
    found = []
    deciding = [condition.weight for condition in ticket.conditions if condition.decides]
    if not ticket.conditions:
        remedy = "Add criteria under `validation`, or rollback triggers under `watch.conditions`."
        found.append(Problem("watch", "there is no condition: nothing could be judged", remedy))
    elif not deciding:
        remedy = "Add a condition that decides, or remove `role: observe` from one."
        found.append(Problem("watch", "every condition is only observed: nothing could be judged", remedy))
    elif sum(deciding) < ALMOST_ONE:
        says = f"all weights together are {sum(deciding):g}: whatever is bad, nothing would be taken back"
        found.append(Problem("watch", says, "Write weights that add up to 1 or more."))
    if ticket.watch.every > ticket.watch.length:
        says = "one sample would come after the end of the watch"
        found.append(Problem("watch.every", says, "Make `every` shorter than `for`."))
    return found


def _needs_samples(place: str, condition: Condition, samples: int) -> list[Problem]:
    """Find a condition that the watch is too short to prove good."""
    found = []
    if condition.passes > samples:
        says = f"{condition.passes} good readings in a row are needed, the watch takes {samples}"
        found.append(Problem(f"{place}.passes", says, "Write fewer, or make the watch longer."))
    needed = condition.compare.needed if condition.compare else 1
    if needed > min(samples, KEPT):
        says = f"{needed} readings are needed to find a significant difference, the watch takes {samples}"
        remedy = "Make the watch longer, take more `samples` before, or write a greater `significance`."
        found.append(Problem(f"{place}.compare", says, remedy))
    return found


def _placed(ticket: Ticket) -> list[tuple[str, Condition]]:
    """Return every condition of the watch with its place in the ticket."""
    return _numbered("watch.conditions", ticket.watch.conditions) + _numbered("validation", ticket.validation)


def _outside(ticket: Ticket) -> list[tuple[str, Condition]]:
    """Return every other condition with its place in the ticket."""
    return _numbered("preflight.checks", ticket.preflight.checks) + _numbered("rollback.verify", ticket.rollback.verify)


def _numbered(part: str, conditions: tuple[Condition, ...]) -> list[tuple[str, Condition]]:
    return [(f"{part}.{index}", condition) for index, condition in enumerate(conditions)]
