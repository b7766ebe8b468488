"""What a collector remembers from look to look: how objects were, and what became of them, bounded and versioned."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from changewindow.documents.moments import utc
from changewindow.documents.types import Model
from changewindow.systems.collection import NOW, Coverage, Span

OBJECTS = 20_000
CHANGES = 500
LONGEST = 500
"""In characters: a longer value is remembered by its beginning and a digest."""
GAP = timedelta(minutes=20)
"""Looks that are farther apart are named."""
SHORT = 6
"""Of a fingerprint, what tells values of one field apart."""
NAMED = 3


class Difference(Model):
    """How an object was at one look and at the next; None where it was not there."""

    object: str
    before: str | None
    after: str | None
    earliest: AwareDatetime
    """The look before."""
    latest: AwareDatetime
    """The look that has seen it."""

    def at(self, span: Span) -> datetime | None:
        """Return when it counts in a span: when it was seen, or before the span's end; None if it was not then."""
        is_within = self.earliest <= span.until and self.latest >= span.since
        return min(self.latest, span.until) if is_within else None

    @property
    def values(self) -> tuple[str, str]:
        """Return before and after, as entries have them."""
        return self.before or "", self.after or ""

    @property
    def when(self) -> str:
        """Return between which looks it happened."""
        return f"between {self.earliest:%Y-%m-%d %H:%M:%S} and {self.latest:%Y-%m-%d %H:%M:%S} UTC"


BETWEEN = re.compile(r"between ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) and [0-9: -]{19} UTC")


def earliest_in(text: str) -> datetime | None:
    """Return since when something may have happened, where a text says between which looks it did."""
    match = BETWEEN.search(text)
    return utc(match[1]) if match else None


class _Kept(Model):
    """What is kept for the next look."""

    version: int = Field(default=1, ge=1, le=1)
    begun: AwareDatetime
    looked: AwareDatetime
    objects: dict[str, str]
    later: dict[str, AwareDatetime] = {}
    """Those that were looked at for the first time after the first look."""
    unread: dict[str, AwareDatetime] = {}
    """Those that the last look could not read, and when they were read last."""
    changes: tuple[Difference, ...] = ()
    gaps: tuple[tuple[AwareDatetime, AwareDatetime], ...] = ()


@dataclass(frozen=True)
class Memory:
    """What is remembered up to now."""

    since: datetime
    """From when on everything is remembered."""
    differences: tuple[Difference, ...]
    gaps: tuple[Span, ...]

    def coverage(
        self, span: Span, what: str, *problems: str, lost: int = 0, blind: Mapping[str, str] | None = None
    ) -> Coverage:
        """Return what was seen of a span by who knows nothing but what is remembered."""
        since = min(max(self.since, span.since), span.until)
        why = "; ".join(filter(None, (*problems, self.why(span, what))))
        return Coverage(since, span.until, lost=lost, clock_off=timedelta(0), why=why, blind=blind or {})

    def why(self, span: Span, what: str) -> str:
        """Return what of a span is not remembered, such as `deletions`; empty where all of it is."""
        reasons = []
        if self.since > span.since:
            reasons.append(f"{what} are only remembered from {self.since:%Y-%m-%d %H:%M:%S} UTC on, the first look")
        missed = [gap for gap in self.gaps if gap.since < span.until and gap.until > span.since]
        times = ", ".join(f"{gap.since:%H:%M} to {gap.until:%H:%M}" for gap in missed[-NAMED:])
        if missed:
            reasons.append(f"nobody looked from {times} UTC: what changed and changed back meanwhile is not known")
        return "; ".join(reasons)


def compared(
    kept: dict[str, Any],
    seen: Mapping[str, str],
    at: datetime,
    *,
    is_all: bool = False,
    is_unread: Callable[[str], bool] = lambda _: False,
) -> Memory:
    """Return what has changed since the first look, and keep how objects are now for the next one.

    With `is_all`, an object that is missing in one of two looks has come or gone; otherwise it was not read. What was
    not read stays as it was. What was kept and cannot be read counts as lost: the memory begins now.
    """
    now = {name[:LONGEST]: _bounded(value) for name, value in islice(sorted(seen.items()), OBJECTS)}
    earlier = _read(kept, at)
    if earlier is None:
        fresh = _Kept(begun=at, looked=at, objects=now)
    else:
        fresh = _next(earlier, now, at, is_all=is_all, is_unread=is_unread)
    kept.clear()
    kept.update(fresh.model_dump(mode="json"))
    since = max([fresh.begun, *(begun for name, begun in fresh.later.items() if name in now)])
    return Memory(since, fresh.changes, tuple(Span(*gap) for gap in fresh.gaps))


def _read(kept: dict[str, Any], at: datetime) -> _Kept | None:
    try:
        read = _Kept.model_validate(kept)
    except ValidationError:
        return None
    return read if read.looked <= at else None  # a clock was set back: nothing in it can be trusted


def _next(
    earlier: _Kept, now: dict[str, str], at: datetime, *, is_all: bool, is_unread: Callable[[str], bool]
) -> _Kept:
    old = earlier.objects
    unread = {name: value for name, value in old.items() if name not in now and (not is_all or is_unread(name))}
    objects = {**now, **unread}
    new = {name: at for name in objects.keys() - old.keys() if not is_all}
    names = old.keys() | objects.keys() if is_all else old.keys() & objects.keys()
    differences = [
        Difference(
            object=name,
            before=old.get(name),
            after=objects.get(name),
            earliest=earlier.unread.get(name, earlier.looked),
            latest=at,
        )
        for name in sorted(names)
        if old.get(name) != objects.get(name)
    ]
    gap = ((earlier.looked, at),) if at - earlier.looked > GAP else ()
    return _Kept(
        begun=earlier.begun,
        looked=at,
        objects=objects,
        later={**{name: begun for name, begun in earlier.later.items() if name in objects}, **new},
        unread={name: earlier.unread.get(name, earlier.looked) for name in unread},
        changes=(*earlier.changes, *differences)[-CHANGES:],
        gaps=(*earlier.gaps, *gap)[-NAMED * 10 :],
    )


def _bounded(value: str) -> str:
    if len(value) <= LONGEST:
        return value
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{value[: LONGEST - 40]}… (SHA-256 {digest}…)"


def prints(fields: Mapping[str, Any], fingerprint: Callable[[str], str]) -> str:
    """Return what tells which of some fields has another value at the next look, without any value."""
    texts = {name: json.dumps(value, sort_keys=True, ensure_ascii=False) for name, value in sorted(fields.items())}
    return " ".join(f"{name}={fingerprint(text)[-SHORT:]}" for name, text in texts.items())


def changed_prints(before: str, after: str) -> list[str]:
    """Return which fields differ, by what `prints` returns of them."""
    return sorted({pair.partition("=")[0] for pair in {*before.split()} ^ {*after.split()} if "=" in pair})


def as_now(span: Span, now: datetime) -> datetime | None:
    """Return when in a span something counts that is so now; None where the span ended before."""
    return min(now, span.until) if span.since <= now and now - span.until < NOW else None
