"""The watch has something to judge: a change without conditions could only ever look good."""

from changewindow.documents.findings import Finding, Place
from changewindow.policy.check import Facts
from changewindow.ticket.model import Ticket
from changewindow.watch.baseline import KEPT
from changewindow.watch.condition import Condition
from changewindow.watch.judgement import ALMOST_ONE


def check(ticket: Ticket, facts: Facts) -> list[Finding]:
    """Find a watch that nothing decides or proves, conditions of one name, and a watch shorter than one interval."""
    findings = _of_the_watch(ticket)
    names: set[str] = set()
    for place, condition in _placed(ticket):
        if condition.name in names:
            sentence = f"a second condition is called '{condition.name}'"
            findings.append(_wrong(sentence, "Give each its own name: logs and messages use it.", *place, "name"))
        names.add(condition.name)
        if condition.decides:
            findings += _needs_samples(place, condition, max(ticket.watch.samples, 1))
    for place, condition in _outside(ticket):
        if not condition.decides or condition.weight < 1:
            field = "weight" if condition.decides else "role"
            sentence = "only a watch can observe or weigh; here every condition has to be good"
            findings.append(_wrong(sentence, f"Remove `{field}`.", *place, field))
    for place, condition in _numbered(ticket.preflight.checks, "preflight", "checks"):
        if condition.needs_baseline:
            remedy = "Compare with a `control`, or remove `compare`."
            findings.append(_wrong("there is nothing to compare with before the preflight", remedy, *place, "compare"))
    return findings


def _wrong(sentence: str, remedy: str, *place: str | int) -> Finding:
    return Finding("watch_can_judge", sentence, remedy, place)


def _of_the_watch(ticket: Ticket) -> list[Finding]:
    """Find what is wrong with the watch as a whole."""
    findings = []
    deciding = [condition.weight for condition in ticket.conditions if condition.decides]
    if not ticket.conditions:
        remedy = "Add criteria under `validation`, or rollback triggers under `watch.conditions`."
        findings.append(_wrong("there is no condition: nothing could be judged", remedy, "watch"))
    elif not deciding:
        remedy = "Add a condition that decides, or remove `role: observe` from one."
        findings.append(_wrong("every condition is only observed: nothing could be judged", remedy, "watch"))
    elif sum(deciding) < ALMOST_ONE:
        sentence = f"all weights add up to {sum(deciding):g}: even if everything were bad, nothing would be rolled back"
        findings.append(_wrong(sentence, "Write weights that add up to 1 or more.", "watch"))
    if ticket.watch.every > ticket.watch.length:
        sentence = "the first sample would come after the end of the watch"
        findings.append(_wrong(sentence, "Make `every` shorter than `for`.", "watch", "every"))
    return findings


def _needs_samples(place: Place, condition: Condition, samples: int) -> list[Finding]:
    """Find a condition that the watch is too short to prove good."""
    findings = []
    if condition.passes > samples:
        sentence = f"{condition.passes} good readings in a row are needed, the watch takes {samples}"
        findings.append(_wrong(sentence, "Write fewer, or make the watch longer.", *place, "passes"))
    needed = condition.compare.needed if condition.compare else 1
    if needed > min(samples, KEPT):
        sentence = f"{needed} readings are needed to find a significant difference, the watch takes {samples}"
        remedy = "Make the watch longer, take more `samples` before, or write a greater `significance`."
        findings.append(_wrong(sentence, remedy, *place, "compare"))
    return findings


def _placed(ticket: Ticket) -> list[tuple[Place, Condition]]:
    """Return every condition of the watch with its place in the ticket."""
    return _numbered(ticket.watch.conditions, "watch", "conditions") + _numbered(ticket.validation, "validation")


def _outside(ticket: Ticket) -> list[tuple[Place, Condition]]:
    """Return every other condition with its place in the ticket."""
    return [
        *_numbered(ticket.preflight.checks, "preflight", "checks"),
        *_numbered(ticket.rollback.verify, "rollback", "verify"),
    ]


def _numbered(conditions: tuple[Condition, ...], *part: str) -> list[tuple[Place, Condition]]:
    return [((*part, index), condition) for index, condition in enumerate(conditions)]
