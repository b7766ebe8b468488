"""Says what people may ask of a change in the state in which it is, each as the DAG that does it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from changewindow.ledger.changes import CHANGEABLE, WAITING
from changewindow.policy.aftercare import Aftercare

Type = Literal["hidden", "text", "area", "checkbox", "date", "select"]


@dataclass(frozen=True)
class Field:
    """A parameter of a DAG, to be filled in."""

    name: str
    label: str
    value: str | Sequence[str] = ""
    """What stands there at first; of a choice, all that may be chosen."""
    type: Type = "text"
    is_needed: bool = False


@dataclass(frozen=True)
class Offer:
    """A DAG that makes sense now."""

    dag: str
    label: str
    means: str
    """What it does, in a sentence or two."""
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Held:
    """What decides what is offered."""

    change: str
    status: str
    run: str | None
    """The run that acts or has acted."""
    is_emergency: bool
    is_rolled_back: bool
    """Whether it is being rolled back, which nobody can stop or hasten."""
    opens: datetime
    closes: datetime
    targets: tuple[str, ...]
    """The targets that it holds."""
    owed: Aftercare | None


WHY = Field("reason", "Why, for the record", is_needed=True)


def offers(held: Held, shown: Callable[[datetime], str]) -> Iterator[Offer]:
    """Yield what may be asked for now; `shown` writes a moment as the forms read it."""
    yield from _while_open(held, shown)
    if held.status in {"completed", "rollback_failed"} or (held.status == "running" and held.run is None):
        yield _roll_back(held)
    if held.status == "rollback_failed" and held.targets:
        yield _release(held)
    if held.owed is not None and not held.owed.is_drill:
        yield from _afterwards(held.change, held.owed)


def _while_open(held: Held, shown: Callable[[datetime], str]) -> Iterator[Offer]:
    change = Field("change", "Change", held.change, "hidden")
    if held.is_rolled_back:
        return
    if held.status == "running":
        means = "Whatever it has applied is undone, and the rest never runs."
        yield Offer("abort_change", "Abort and roll back", means, (change, WHY))
    if held.status in WAITING:
        yield Offer("cancel_change", "Cancel", f"{held.change} ends, and will never run.", (change, WHY))
    if held.status in (*WAITING, "running"):
        end = Field("end", "New end, with its offset from UTC", shown(held.closes), is_needed=True)
        means = "It may act past the end of its window. Somebody else has to approve that."
        yield Offer("extend_window", "Extend the window", means, (change, end, WHY))
    if held.status in CHANGEABLE and not held.is_emergency:
        start = Field("start", "New start, with its offset from UTC", shown(held.opens), is_needed=True)
        end = Field("end", "New end, with its offset from UTC", shown(held.closes), is_needed=True)
        means = "It gets another window; nothing else changes. It may have to be approved again."
        yield Offer("reslot_change", "Move to another window", means, (change, start, end))


def _roll_back(held: Held) -> Offer:
    means = "Every step that was applied is undone, the last one first. It needs no approval and no window."
    mode = Field("mode", "Mode", "rollback", "hidden")
    return Offer(held.change, "Roll back", means, (mode, WHY))


def _release(held: Held) -> Offer:
    means = "Only after it has been repaired by hand: other changes may then act on it."
    target = Field("target", "Target", held.targets, "select")
    return Offer("release_target", "Release a target", means, (target, WHY))


def _afterwards(change: str, owed: Aftercare) -> Iterator[Offer]:
    named = Field("change", "Change", change, "hidden")
    if owed.review_due:
        means = "The post-implementation review. The first one counts, a later one adds to it; each person once."
        label = "Add to its review" if owed.reviewed_at else "Write its review"
        yield Offer("review_change", label, means, (named, *_review(owed)))
    opened = [each for each in owed.follow_ups if not each.is_done]
    about = [*(str(each.number) for each in opened), *(["workaround"] if owed.workaround_until else [])]
    if about:
        listed = "; ".join(f"{each.number} {each.what}" for each in opened)
        means = "Say that a follow-up is done or the workaround gone, or give it another owner or day."
        means = f"{means} Open: {listed}." if listed else means
        yield Offer("follow_up", "Follow up", means, (named, *_follow_up(about)))


def _review(owed: Aftercare) -> Iterator[Field]:
    yield Field("what_happened", "What happened", type="area", is_needed=True)
    yield Field("impact_from", "Impact from, with its offset from UTC (empty: nobody was affected)")
    yield Field("impact_to", "Impact to")
    if owed.because in {"emergency", "record"}:
        yield Field("why_not_normal", "Why it could not be a normal change", type="area", is_needed=True)
        yield Field("what_would_be_normal", "What would have made it one", type="area", is_needed=True)
    yield Field("follow_ups", "Follow-ups, one a line: what | owner | YYYY-MM-DD", type="area")
    yield Field("template", "Name of a standard change to draft from what ran (empty: none)")


def _follow_up(about: Sequence[str]) -> Iterator[Field]:
    yield Field("about", "About", about, "select")
    yield Field("reason", "What was done, or why it is moved", is_needed=True)
    yield Field("done", "It is done", "yes", "checkbox")
    yield Field("owner", "New owner (empty: as before)")
    yield Field("due", "New due day (empty: as before)", type="date")
