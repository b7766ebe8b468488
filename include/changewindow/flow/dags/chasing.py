"""Chases what is owed after a change has acted: reminds people, and keeps the questions about it open."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context

from changewindow import settings
from changewindow.changes.aftercare_sweep import Rules, daily, text_of, to_tell
from changewindow.changes.emergency_drill import stale
from changewindow.changes.workaround import how_it_goes
from changewindow.errors import BrokenChain, ChangeError
from changewindow.flow import habits, notice
from changewindow.flow.dags.retroactive import requests_of
from changewindow.flow.owed import room_of, rules
from changewindow.flow.posting import post
from changewindow.flow.run_request import RunRequest
from changewindow.flow.runtime import ledger, log, now
from changewindow.flow.weights import LAST, STARTS, weighing
from changewindow.ledger import aftercare, owing
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Reminded
from changewindow.ledger.population import last_drills
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.reviewing import WORKAROUND

BACK = timedelta(days=400)
"""How long ago it may have begun."""
TELLING = timedelta(minutes=2)
"""How long people are told in one sweep; rooms may be slow, and the questions are opened in any case."""


class Chase(BaseOperator):
    """Tells people of each moment that has come, once; returns the runs that ask for retroactive approvals."""

    def __init__(self, *, telling: timedelta = TELLING, **options: Any) -> None:
        super().__init__(**options)
        self.telling = telling

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what triggers each question that is owed and not open; a change that was altered stops no other."""
        here, known, end = ledger(), rules(), now() + self.telling
        every = _legible(owing.since(here, now() - BACK))
        wanted: list[dict[str, Any]] = []
        with _logged("the retroactive approvals that are owed are not asked for"):
            wanted = requests_of(context, every)
        for place, owed in enumerate(every):
            if now() > end:
                log.warning("%s changes are left, of which people are told in the next sweep", len(every) - place)
                break
            with _logged(f"{owed.change}: what it owes is not chased"):
                tell(here, owed, known)
                notice.tell_late(here, owed)
        with _logged("which emergencies have become a habit, or that the last drill is too old, is not told"):
            habits.tell(here, every, known)
            tell_of_stale_drill(here, known.emergencies)
        return wanted


def _legible(read: owing.Owing) -> list[Aftercare]:
    """Return what is owed, without the drills; of what was altered, nobody can say it."""
    for change, owed in read.items():
        if isinstance(owed, BrokenChain):
            log.error("%s: what it owes is not chased: %s", change, owed)
    return [owed for owed in read.values() if isinstance(owed, Aftercare) and not owed.is_drill]


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log why something was not done; the rest is."""
    try:
        yield
    except ChangeError as error:
        log.error("%s: %s", what, error)


def tell(here: Ledger, owed: Aftercare, known: Rules) -> None:
    """Tell people what has come of what a change owes; first it is written down, so that it is told once."""
    at = now()
    for due in to_tell(owed, known, at):
        reminded = Reminded(about=due.about, moment=due.moment, is_overdue=due.is_overdue, people=due.people)
        text = text_of(owed, due, at, how_it_goes(here, owed, at) if due.about == WORKAROUND else "")
        if aftercare.remind(here, owed.change, reminded, now=at):
            room = (due.is_overdue and known.emergencies.room) or room_of(here, owed)
            post(text, at, room, change=owed.change, is_loud=due.is_overdue)


def tell_of_stale_drill(here: Ledger, known: Emergencies) -> None:
    """Say once a day that the last good drill is too old; who has configured none is not bothered."""
    at, (good, _) = now(), last_drills(here)
    if known.drill is None or good is None:
        return
    for moment in daily(good.at + known.drill_every, at):
        reminded = Reminded(about="drill", moment=moment, is_overdue=True)
        if aftercare.remind(here, good.change, reminded, now=at):
            post(stale(good.change, good.at), at, known.room or settings.ROOM, change=good.change)


def chase() -> None:
    """Add the tasks to the DAG that is being built; they go after all that leads to a rollback."""
    late: dict[str, Any] = {"pool": STARTS, **weighing(LAST)}
    chased = Chase(task_id="chase", execution_timeout=timedelta(minutes=4), **late)
    RunRequest.partial(task_id="ask_afterwards", reset_dag_run=True, **late).expand_kwargs(chased.output)
