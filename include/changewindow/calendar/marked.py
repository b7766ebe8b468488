"""The windows and freezes of a stretch of time, as a calendar draws them."""

from dataclasses import dataclass
from typing import Literal

from changewindow.calendar.intervals import Interval
from changewindow.calendar.model import Entry, Freeze
from changewindow.calendar.occurrences import Timeline
from changewindow.calendar.schedule import Schedule
from changewindow.calendar.text import listed, span_text, titled

Mark = Literal["window", "freeze"]


@dataclass(frozen=True)
class Marked:
    """A window that is open, or a freeze that holds."""

    span: Interval
    kind: Mark
    name: str
    """In quotes, with what the file or the list of holidays calls it."""
    whom: str
    """For what it holds."""
    zone: str
    entry: Entry

    @property
    def text(self) -> str:
        """Return its times in the zone in which it is written, and in UTC."""
        return span_text(self.span, self.zone)


def marked(schedule: Schedule, within: Interval, *, environment: str = "", service: str = "") -> list[Marked]:
    """Return what an interval holds for a service and an environment, or for all of them, in order of time."""
    timelines: tuple[Timeline[Entry], ...] = (*schedule.windows, *schedule.freezes)
    near = [timeline for timeline in timelines if _may_be_for(timeline.entry, environment, service)]
    marks = [
        Marked(
            occurrence.span,
            "freeze" if isinstance(timeline.entry, Freeze) else "window",
            titled(timeline.entry.name, occurrence.title),
            whom(timeline.entry),
            timeline.zone,
            timeline.entry,
        )
        for timeline in near
        for occurrence in timeline.meeting(within)
    ]
    return sorted(marks, key=lambda mark: (mark.span, mark.kind, mark.name))


def whom(entry: Entry) -> str:
    """Return for what an entry holds, in words."""
    services = listed(entry.services) if entry.services else "every service"
    where = f" in {listed(entry.environments)}" if entry.environments else ""
    types = f", {listed(entry.types)} changes" if isinstance(entry, Freeze) and entry.types else ""
    return f"{services}{where}{types}"


def _may_be_for(entry: Entry, environment: str, service: str) -> bool:
    somewhere = not environment or not entry.environments or environment in entry.environments
    return somewhere and (not service or not entry.services or service in entry.services)
