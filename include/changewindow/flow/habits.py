"""Tells people of emergencies that have become a habit: each habit once for each emergency that goes on with it."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from changewindow import settings
from changewindow.changes import aftercare_messages
from changewindow.changes.aftercare_sweep import Rules
from changewindow.errors import ChangeError
from changewindow.flow.posting import post
from changewindow.flow.runtime import log, now
from changewindow.ledger import aftercare, owing
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Reminded
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.habits import Habit, earliest, habits


def tell_of(here: Ledger, change: str, known: Rules) -> list[str]:
    """Tell of the habits with which a change goes on; return them as sentences, for its note.

    What cannot be known now is told by housekeeping, or said there.
    """
    since = earliest(known.emergencies.repeated, now())
    try:
        owed = aftercare.of_change(here, change)
        recent = owing.of_targets(here, owed.targets, since) if owed else []
        return [habit.sentence for habit in tell(here, recent, known) if change in habit.changes]
    except ChangeError as error:
        log.error("whether %s is a habit is not known: %s", change, error)
        return []


def tell(here: Ledger, owed: Iterable[Aftercare], known: Rules) -> list[Habit]:
    """Tell the owners of the targets of their habits, and return them; first it is written down, so it is told once."""
    at = now()
    found = habits(owed, known.emergencies.repeated, now=at, zone=ZoneInfo(known.emergencies.zone))
    for habit in found:
        people, change = known.owners_of((habit.target,)), habit.changes[-1]
        reminded = Reminded(about=habit.about, moment=habit.at, people=people)
        if aftercare.remind(here, change, reminded, now=at):
            text = aftercare_messages.habit(f"{habit.target}: {habit.when}", habit.changes, people=people)
            post(text, at, known.emergencies.room or settings.ROOM, change=change)
    return found
