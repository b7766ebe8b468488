"""Makes the ticket of an emergency: of a standard change, of a ticket, or of one step."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow import kinds
from changewindow.documents.findings import Finding
from changewindow.documents.text import dotted, nearest
from changewindow.documents.yaml import BadYaml, Document, parse
from changewindow.policy.check import Facts
from changewindow.policy.review import load_document
from changewindow.policy.skipped import Skip
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.window import local_time_text

CONDITION = "{source: {kind: http, connection: orders, path: /health, read: status}, pass: {equals: 200}}"
"""What a condition looks like, for whoever has to write one now."""
STEP = "step"
"""How the form calls one step: what it touches is typed by hand, and seen by nobody else."""
STANDS_IN = {"name": "?", "kind": "command", "run": ["true"], "undo": ["true"]}
"""Stands for a step that cannot be read, so that what else is wrong is found."""
SLACK = timedelta(hours=2)
"""How much longer than it needs the window of an emergency is: it may wait for its targets, or for Airflow."""
NOT_SKIPPED = frozenset({"connections_serve", "watch_can_judge", "silences_spare_the_watch"})
"""Checks whose findings an emergency has to put right, too."""
OF_NORMAL = frozenset({"rollback_is_proven", "window_fits", "calendar_allows", "no_overlap", "approvers_exist"})
"""Checks that are not asked: the gate's rules say the same of now, or an emergency may do it."""


@dataclass(frozen=True)
class Frame:
    """What an emergency gives to whatever ticket it runs."""

    executor: str
    commander: str
    now: datetime
    unwatched_because: str = ""


@dataclass(frozen=True)
class Made:
    """The ticket of an emergency, or what is wrong with it."""

    data: dict[str, Any]
    """What runs."""
    normal: dict[str, Any]
    """The same as a normal change."""
    ticket: Ticket | None
    mistakes: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    """What a normal change would have had to put right or to wait for."""


def of_ticket(document: Document, frame: Frame, facts: Facts, *, name: str = "ticket") -> Made:
    """Return the emergency of a ticket that somebody has written, of whatever type, in whatever window."""
    given: dict[str, Any] = copy.deepcopy(document.data)
    opened = _window(frame.now, frame.now + timedelta(days=1))
    normal = {"reviewer": frame.commander, "window": opened, **given}
    if normal.get("type") not in ("normal", "standard"):  # whatever that is: of a list, no set can say
        normal["type"] = "normal"
    data = {**copy.deepcopy(normal), "type": "emergency", "owner": frame.executor, "window": opened}
    skips = [*_without_preflight(data), *_without_baselines(data)]
    unwatched = {"watch_can_judge"} if frame.unwatched_because else set()
    asked = Facts(frame.now, facts.policy, requester=facts.requester, without=facts.without | OF_NORMAL | unwatched)
    loaded = load_document(Document({**data}, document.lines, document.findings), asked)
    wrong = [
        each for each in loaded.findings if not each.is_warning or (name == STEP and _is_mistyped(each, data, facts))
    ]
    stops, marks = _sorted(wrong, data, facts)
    if stops or not isinstance(loaded.data, dict):
        return Made(data, normal, None, tuple(_text(finding, name) for finding in stops))
    ticket = _built(data, frame.now)
    return Made(data, normal, ticket, skips=(*skips, *(Skip(each.code, each.sentence) for each in marks)))


def of_step(text: str, fields: Mapping[str, Any], frame: Frame, facts: Facts) -> Made:
    """Return the emergency of one step: its text, and of `fields` its target, condition, and why it has no undo."""
    mistakes: list[str] = []
    because = fields.get("no_undo_because") or ""
    step = _mapping(text, "step", "it is not a step. Write `kind: command` and its fields", mistakes)
    no_condition = f"it is not a condition. Write its `source` and `pass`, like `{CONDITION}`"
    given = fields.get("condition")
    condition = _mapping(given, "works_when", no_condition, mistakes) if given else None
    done = _with_undo(step, because, mistakes) if step is not None else STANDS_IN
    without = facts.without | ({"watch_can_judge"} if given and condition is None else set())
    if not fields["target"]:  # the checks would find fault with what stands for it
        without |= {*kinds.names("checks")}
    environment, _, service = str(fields["target"] or "production/unknown").partition("/")
    data = {
        "summary": fields["summary"],
        "environment": environment,
        "services": [service],
        "type": "emergency",
        "risk": "high",
        "owner": frame.executor,
        "reviewer": frame.commander,
        "steps": [done],
        "rollback": {"estimate": str(done.get("timeout") or "5m"), "verify": []}
        | ({"by_hand": because} if because else {}),
        "watch": {"for": "1m", "every": "5s"},
        "validation": [{"name": "It works", "failures": 6, **condition}] if condition is not None else [],
    }
    made = of_ticket(Document(data, {}), frame, replace(facts, without=without), name=STEP)
    return replace(made, ticket=None, mistakes=(*mistakes, *made.mistakes)) if mistakes else made


def _mapping(text: str, name: str, otherwise: str, mistakes: list[str]) -> dict[str, Any] | None:
    """Return the names and values that a field holds as YAML; None, and a mistake more, where it holds none."""
    try:
        given = parse(text).data
    except BadYaml as bad:
        mistakes.append(_text(bad.finding, name))
        return None
    if isinstance(given, dict):
        return dict(given)
    mistakes.append(f"{name}: {otherwise}")
    return None


def _with_undo(step: dict[str, Any], because: str, mistakes: list[str]) -> dict[str, Any]:
    """Return a step with a name and an undo; a kind may need no word about its undo, which is a mistake then."""
    kind = str(step.get("kind") or "")
    named = {"name": f"Emergency {kind.replace('_', ' ')}".strip(), **step}
    if not because or kind not in kinds.names("steps"):
        return named
    fields = kinds.model("steps", "Step", kind).model_fields
    if "undo" in step:
        mistakes.append("no_undo_because: the step has an undo. Leave one of them out")
        return named
    if not any(field.alias == "undo" for field in fields.values()):
        mistakes.append(f"no_undo_because: a step of kind {kind} undoes itself. Leave it empty")
        return named
    return {**named, "undo": "nothing"}


def _without_preflight(data: dict[str, Any]) -> list[Skip]:
    """Take out what would be asked and confirmed before the first step; return what that was."""
    before = data.pop("preflight", None)
    if not isinstance(before, dict):
        return []
    checks = [each.get("name", "?") for each in _listed(before, "checks") if isinstance(each, dict)]
    items = [str(each) for each in _listed(before, "confirmed")]
    asked = [Skip("check_skipped", f"the check '{name}' was not asked before the first step") for name in checks]
    return [*asked, *(Skip("not_confirmed", f"nobody has confirmed: {item}") for item in items)]


def _listed(part: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list that somebody has written; what is none was never asked."""
    return part[name] if isinstance(part.get(name), list) else []


def _without_baselines(data: dict[str, Any]) -> list[Skip]:
    """Take out what is compared with readings from before the change, for which an emergency has no time."""
    skips: list[Skip] = []
    for part, name in (("watch", "conditions"), ("rollback", "verify"), ("", "validation")):
        inside = data.get(part) if part else data
        if isinstance(inside, dict) and isinstance(inside.get(name), list):
            compared = [each for each in inside[name] if _is_compared(each)]
            inside[name] = [each for each in inside[name] if not _is_compared(each)]
            skips += [_no_baseline(each.get("name", "?")) for each in compared]
    return skips


def _is_compared(condition: Any) -> bool:
    compare = condition.get("compare") if isinstance(condition, dict) else None
    return isinstance(compare, dict) and "control" not in compare


def _no_baseline(name: str) -> Skip:
    return Skip("no_baseline", f"'{name}' is not watched: nothing was read before the first step to compare it with")


def _built(data: dict[str, Any], now: datetime) -> Ticket:
    """Return the ticket, with a window that it fits into; `data` gets the window."""
    ticket = build_ticket(data)
    data["window"] = _window(now, now + ticket.needs + SLACK)
    return build_ticket(data)


def _window(opens: datetime, closes: datetime) -> dict[str, str]:
    start, end = (moment.astimezone(UTC).replace(tzinfo=None, microsecond=0) for moment in (opens, closes))
    return {"zone": "UTC", "start": local_time_text(start), "end": local_time_text(end)}


def _sorted(findings: Iterable[Finding], data: Mapping[str, Any], facts: Facts) -> tuple[list[Finding], list[Finding]]:
    """Return what has to be put right, and what an emergency may skip."""
    skippable = {*kinds.names("checks")} - NOT_SKIPPED

    def stops(finding: Finding) -> bool:
        return finding.code not in skippable or _is_mistyped(finding, data, facts)

    return [finding for finding in findings if stops(finding)], [each for each in findings if not stops(each)]


def _is_mistyped(finding: Finding, data: Mapping[str, Any], facts: Facts) -> bool:
    """Return whether a target that nobody knows is more likely another one; a new service has its emergencies, too."""
    if finding.code != "known_service" or facts.policy is None or finding.place[0] == "environment":
        return finding.code == "known_service"
    return nearest(data["services"][finding.place[1]], facts.policy.catalogue.services) is not None


def _text(finding: Finding, name: str) -> str:
    if name == "ticket":
        return finding.text(name)
    if name == STEP and finding.place[:1] == ("validation",):
        name = "works_when"  # what the form calls it; nobody has typed a validation
    place = dotted(finding.place[2:] if finding.place[:1] in {("steps",), ("validation",)} else finding.place)
    or_not = " Or say in `no_undo_because` why it cannot be undone." * (name == STEP and place == "undo")
    return f"{name}: {place}{': ' * bool(place)}{finding.sentence}. {finding.remedy}{or_not}"
