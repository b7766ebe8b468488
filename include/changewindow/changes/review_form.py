"""Reads the forms of what comes after a change: its review, and what became of follow-ups; every mistake at once."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from changewindow.changes.form import EVENING, SKEW, Form, moment_or_day
from changewindow.documents.text import shown
from changewindow.documents.types import PERSON
from changewindow.ledger.payloads import FollowedUp, Reviewed
from changewindow.ledger.payloads.emergency import FollowUp
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.reviewing import WORKAROUND
from changewindow.systems.sessions.reading import cleaned

MOST = 20
"""Follow-ups of one review."""
TEMPLATE = re.compile("[a-z][a-z0-9_]{0,59}")
"""The name of a standard change, which is that of its file."""
LEAST = 3
"""Characters without which nothing is said."""


class _Form(Form):
    """The forms of what comes after a change."""

    def text(self, name: str, missing: str = "") -> str:
        """Return a text without secrets; where it says nothing, `missing` is a mistake."""
        given = "\n".join(filter(None, map(cleaned, str(self.params.get(name) or "").splitlines())))
        if missing and len(given) < LEAST:
            self.mistakes.append(f"{name}: nothing is said. {missing}")
        return given

    def person(self, name: str, given: str) -> str:
        """Return a person's name, without the sign that mentions them."""
        person = given.strip().removeprefix("@")
        if person and not re.fullmatch(PERSON, person):
            self.mistakes.append(f"{name}: {shown(person)} is no user name. Write one, like alice")
        return person


def review_of(
    params: Mapping[str, Any], owed: Aftercare, *, standards: tuple[str, ...], now: datetime, run: str = ""
) -> Reviewed:
    """Return what a form says of a change that owes a review; `standards` names the standard changes there are.

    Raises:
        BadForm: it cannot be a review so; names every mistake.
    """
    form = _Form(params, now)
    skipped = owed.because in ("emergency", "record")
    why = "Say why nobody could wait for approval and window" if skipped else ""
    what = "Say what is missing: a standard change, an alert, a person who may approve" if skipped else ""
    reviewed = Reviewed(
        digest=owed.digest,
        what_happened=form.text("what_happened", "Say in a few sentences what happened"),
        impact_from=form.since("impact_from"),
        impact_to=form.until("impact_to"),
        why_not_normal=form.text("why_not_normal", why),
        what_would_be_normal=form.text("what_would_be_normal", what),
        follow_ups=tuple(_follow_ups(form)),
        run=run,
    )
    form.mistakes += [*_about_impact(reviewed, form), *_about_template(form, standards)]
    form.settle()
    return reviewed


def follow_up_of(params: Mapping[str, Any], *, now: datetime, run: str = "") -> FollowedUp:
    """Return what a form says of a follow-up, or of a workaround.

    Raises:
        BadForm: it says nothing, or two things; names every mistake.
    """
    form = _Form(params, now)
    about = str(params.get("about") or "").strip().casefold()
    is_workaround, is_done = about == WORKAROUND, bool(params.get("done"))
    if not is_workaround and not re.fullmatch("[1-9][0-9]{0,3}", about):
        form.mistakes.append(f"about: {shown(about)} is neither the number of a follow-up nor `{WORKAROUND}`")
    owner, due = form.person("owner", str(params.get("owner") or "")), form.until("due")
    reason = form.text("reason", "Say in a sentence why, or what was done")
    is_moved = any(params.get(name) for name in ("owner", "due"))
    if is_done and is_moved:
        form.mistakes.append("done: what is done gets no new owner and no new date. Leave them empty, or untick `done`")
    if not is_done and not is_moved:
        form.mistakes.append("done, owner, due: nothing would change. Tick `done`, or give a new owner or date")
    if is_workaround and owner:
        form.mistakes.append("owner: a workaround has none; whoever carried it out is told. Leave it empty")
    if due and due <= now:
        form.mistakes.append(f"due: {due:%Y-%m-%d %H:%M} UTC has passed. Name a later day")
    form.require_soon("due", due)
    form.settle()
    named = WORKAROUND if is_workaround else f"follow_up:{about}"
    return FollowedUp(about=named, done=is_done, owner=owner, due=due, reason=reason, run=run)


def _follow_ups(form: _Form) -> Iterator[FollowUp]:
    lines = [line for line in form.text("follow_ups").splitlines() if line.strip(" |")]
    if len(lines) > MOST:
        form.mistakes.append(f"follow_ups: {len(lines)}, {MOST} allowed. Leave only those that matter")
    for number, line in enumerate(lines[:MOST], 1):
        what, owner, day, *more = [part.strip() for part in (*line.split("|"), "", "")][:4]
        place = f"follow_ups, line {number}"
        if not what or (more and more[0]):
            form.mistakes.append(f"{place}: {shown(line)} is not written like `alert earlier | alice | 2031-04-01`")
        yield FollowUp(what=what, owner=form.person(place, owner), due=_day(form, place, day))


def _day(form: _Form, place: str, given: str) -> datetime | None:
    try:
        due = moment_or_day(given, EVENING) if given else None
    except ValueError:
        form.mistakes.append(f"{place}: {shown(given)} is not a day like 2031-04-01")
        return None
    if due and due <= form.now:
        form.mistakes.append(f"{place}: {due:%Y-%m-%d} has passed. Name a later day")
    form.require_soon(place, due)
    return due


def _about_impact(reviewed: Reviewed, form: _Form) -> Iterator[str]:
    began, ended = reviewed.impact_from, reviewed.impact_to
    given = [name for name in ("impact_from", "impact_to") if form.params.get(name)]
    if len(given) == 1:
        yield "impact_from and impact_to: give both, or neither where nobody was affected"
    if began and ended and began > ended:
        yield f"impact_to: {ended:%Y-%m-%d %H:%M} UTC is before the start, {began:%Y-%m-%d %H:%M} UTC. Exchange them"
    if began and ended and began <= ended and ended > form.now + SKEW:
        yield f"impact_to: {ended:%Y-%m-%d %H:%M} UTC has not come. Review it when it is over"


def _about_template(form: _Form, standards: tuple[str, ...]) -> Iterator[str]:
    name = str(form.params.get("template") or "").strip()
    if name and not TEMPLATE.fullmatch(name):
        yield f"template: {shown(name)} is no name of a standard change. Write it like restart_orders"
    elif name in standards:
        yield f"template: there is a standard change '{name}' already. Choose another name, or change that one"
