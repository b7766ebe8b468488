"""Says what an event of a change means, in a sentence whose subject is whoever did it."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from changewindow.changes import aftercare_text
from changewindow.changes.buttons import label
from changewindow.changes.click_text import click_text
from changewindow.documents.text import in_words, spoken
from changewindow.documents.types import duration_text
from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown

NEW_LINE = "\n"
LONGEST = 300
"""Characters of what a step has remembered; JSON has all of it."""


MOMENTS = {"began": "it began", "rolling_back": "it is being rolled back", "ended": "it ended"}


OF_THE_RUN: dict[str, str] = {EventKind.STARTED: "gate", EventKind.CLOSED: "close"}
"""The tasks whose events carry the id of their run alone."""


def who(row: EventRow) -> str:
    """Return who acted: a person, or the task of a run."""
    of_the_run = OF_THE_RUN.get(row.kind) if row.actor != "housekeeping" else None
    return of_the_run or row.actor.rpartition("/")[2]


def sentence(event: Payload | Unknown) -> str:
    """Return what happened, as a sentence that goes on after the name of who did it."""
    if isinstance(event, Unknown):
        return f"{event.kind}, which this version cannot read: {_short(event.data)}"
    return " ".join(SENTENCES[type(event)](event).split())


def _short(data: Any) -> str:
    text = in_words(data)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "it expires"


def _submitted(event: payloads.Submitted) -> str:
    return f"asked for the change: {event.summary} (on {', '.join(event.targets)})"


def _recorded(event: payloads.Recorded) -> str:
    hidden = f", {event.masked} secret{'s'[: event.masked != 1]} hidden" if event.masked else ""
    commands = f"{event.commands} command{'s'[: event.commands != 1]}"
    return (
        f"recorded, not approved, what {event.done_by} did by hand on {', '.join(event.targets)} from "
        f"{_minute(event.began)} to {_minute(event.ended)}: {event.summary.removeprefix('Done by hand: ')} "
        f"({commands}{hidden}{f'; incident {event.incident}' if event.incident else ''})"
    )


def _revised(event: payloads.Revised) -> str:
    return (
        "gave it a new window; its approvals are kept"
        if event.keeps_approvals
        else f"gave it a new text: {event.summary}"
    )


def _approval(event: payloads.ApprovalDecided) -> str:
    if not event.yes:
        return f"rejected it at level '{event.level}'"
    return f"approved it at level '{event.level}'; that counts until {_minute(event.expires)}"


def _started(event: payloads.Started) -> str:
    chosen = f", with {', '.join(f'{name} = {value}' for name, value in event.values.items())}" if event.values else ""
    for_what = ", to roll the change back" if event.mode == "rollback" else ""
    return f"let it through{for_what}; it holds {', '.join(event.targets)}{chosen}"


def _remembered(event: payloads.Remembered) -> str:
    kept = f"; for its undo it remembered {_short(event.remembered)}" if event.remembered else ""
    return f"began step {event.step} '{event.name}'{kept}"


def _undone(event: payloads.Undone) -> str:
    return f"undid step {event.step} '{event.name}'" + (f"; it is back to {event.restored}" if event.restored else "")


def read_together(verdicts: Counter[str]) -> str:
    """Return what one or several events with readings say, of which the verdicts are counted."""
    counts = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    return f"took {verdicts.total()} readings: {counts}"


def _read(event: payloads.Read) -> str:
    return read_together(Counter(str(reading.get("verdict")) for reading in event.readings))


def _watching(event: payloads.Watching) -> str:
    return f"began to watch, for {duration_text(timedelta(seconds=event.seconds))}"


def _baseline(event: payloads.Baseline) -> str:
    sizes = ", ".join(f"{name} ({len(values)} readings)" for name, values in event.before.items())
    return f"read the baseline: {sizes}"


def _confirmed(event: payloads.Confirmed) -> str:
    return f"was answered by {event.by}, who confirmed {'; '.join(event.items) or 'nothing'}"


def _asked(event: payloads.Asked) -> str:
    return f"asked {', '.join(event.people)} whether to keep the change, until {_minute(event.until)}: {event.reason}"


def _sent(event: payloads.MessageSent) -> str:
    where = f"{event.room} (in the log only: there is no Slack)" if event.channel == "log" else event.room
    return f"told {where}: {event.text.partition(NEW_LINE)[0]}"


def _marked(event: payloads.MarkerSent) -> str:
    entry = f" ({event.reference})" if event.reference else ""
    return f"told {event.tool} '{event.marker}' that {MOMENTS.get(event.moment, event.moment)}{entry}"


def _not_marked(event: payloads.MarkerFailed) -> str:
    return (
        f"could not tell {event.tool} '{event.marker}' that {MOMENTS.get(event.moment, event.moment)}: {event.reason}"
    )


def _pressed(event: payloads.ButtonPressed) -> str:
    button = f"pressed '{label(event.action)}' in {event.channel.capitalize()} as {event.user}"
    return f"{button}, which {'counted' if event.counts else 'did not count'}: {event.sentence}"


def _extended(event: payloads.Extended) -> str:
    return f"moved the end of its window from {_minute(event.earlier)} to {_minute(event.later)}: {event.reason}"


def _extension(event: payloads.ExtensionAsked) -> str:
    return f"asked for its window to end {_minute(event.later)}: {event.reason}; {event.whom} has to say yes"


def _decided(event: payloads.WatchDecided) -> str:
    return f"decided to {'keep it' if event.route == 'succeed' else 'roll it back'}: {event.reason}"


def _silenced(event: payloads.Silenced) -> str:
    return f"silenced {event.what}, until {_minute(event.until)} and longer while the change runs"


def _silence_failed(event: payloads.SilenceFailed) -> str:
    meanwhile = {
        "open": "could not silence {}; people are alerted as usual",
        "renew": "could not renew the silence of {}, which lapses by itself",
        "end": "could not end the silence of {}; if there is one, it lapses by itself",
    }
    return f"{meanwhile[event.act].format(event.what)}: {event.reason}"


def _silence_ended(event: payloads.SilenceEnded) -> str:
    if event.by_hand:
        return f"found that a person has ended or changed the silence of {event.what}, and leaves it to them"
    return f"ended the silence of {event.what}"


SENTENCES: dict[type[Payload], Callable[[Any], str]] = {
    payloads.Submitted: _submitted,
    payloads.Recorded: _recorded,
    payloads.Revised: _revised,
    payloads.ApprovalDecided: _approval,
    payloads.Approved: lambda _: "gave the last approval that it needs",
    payloads.LineBegun: lambda _: "began the record of the line: from here on every stop has an event",
    payloads.LineStopped: lambda event: f"stopped the line until {_minute(event.until)}: {event.reason}",
    payloads.LineLifted: lambda _: "let the line run again",
    payloads.Rejected: lambda event: f"ended it: it will not run{f', because: {event.reason}' if event.reason else ''}",
    payloads.LookingBegun: lambda event: f"looked with {event.collector} for the first time",
    payloads.FindingMade: lambda event: f"found as {event.finding}: {event.object or event.collector} {event.what}",
    payloads.FindingChanged: lambda event: f"made finding {event.finding} {event.state}: {event.reason}",
    payloads.FindingTold: lambda event: f"told {event.room} of {len(event.told)} findings",
    payloads.Cancelled: lambda event: f"cancelled it: {event.reason}",
    payloads.Aborted: lambda event: f"aborted it while it was {event.was}: {event.reason}",
    payloads.Extended: _extended,
    payloads.ExtensionAsked: _extension,
    payloads.ExtensionRefused: lambda event: f"left the end of its window as it was: {event.reason}",
    payloads.Closed: lambda event: f"closed it as {spoken(event.outcome)}: {event.reason}",
    payloads.Released: lambda event: f"released {event.target}: {event.reason}",
    payloads.RunDied: lambda _: "found that its run had died, and has it rolled back",
    payloads.Clicked: click_text,
    payloads.ButtonPressed: _pressed,
    payloads.RollbackWanted: lambda event: f"asked for it to be rolled back: {event.reason}",
    payloads.MessageFailed: lambda event: f"could not send a message: {event.reason}",
    payloads.MessageSent: _sent,
    payloads.MarkerSent: _marked,
    payloads.MarkerFailed: _not_marked,
    payloads.Confirmed: _confirmed,
    payloads.Started: _started,
    payloads.Refused: lambda event: f"refused it, {event.outcome}: {' '.join(event.reasons)}",
    payloads.Remembered: _remembered,
    payloads.Applied: lambda event: f"applied step {event.step} '{event.name}'",
    payloads.ApplyFailed: lambda event: f"could not apply step {event.step} '{event.name}': {event.reason}",
    payloads.Undoing: lambda event: f"began to undo step {event.step} '{event.name}'",
    payloads.UndoFailed: lambda event: f"could not undo step {event.step} '{event.name}': {event.reason}",
    payloads.UndoStopped: lambda event: f"stopped undoing step {event.step} '{event.name}': {event.reason}",
    payloads.Undone: _undone,
    payloads.Checked: lambda event: (
        f"{'found it good' if event.verdict == 'pass' else 'found it not good'}: {event.reason}"
    ),
    payloads.Baseline: _baseline,
    payloads.Watching: _watching,
    payloads.Read: _read,
    payloads.Watched: lambda event: f"came to the verdict {event.verdict}: {event.reason}",
    payloads.Asked: _asked,
    payloads.Answered: lambda event: f"was answered by {event.by or 'nobody'}: {', '.join(event.answer)}",
    payloads.WatchDecided: _decided,
    payloads.Validated: lambda event: f"found the change good: {event.reason}",
    payloads.Verified: lambda event: f"found everything as it was before: {event.reason}",
    payloads.Silenced: _silenced,
    payloads.SilenceFailed: _silence_failed,
    payloads.SilenceEnded: _silence_ended,
    payloads.NotVerified: lambda event: f"found it undone, but not as it was before: {event.reason}",
    **aftercare_text.SENTENCES,
}
"""What each kind of event says; a test holds that none is missing."""
