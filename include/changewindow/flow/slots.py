"""Keeps slots of the executor free for what watches and rolls back: what begins has a smaller pool of its own."""

import logging
from contextlib import suppress
from typing import Any

from airflow.configuration import conf
from airflow.jobs.job import Job
from airflow.listeners import hookimpl
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from sqlalchemy.exc import IntegrityError

from changewindow.changes.room import SLOTS
from changewindow.flow.weights import STARTS

log = logging.getLogger("changewindow")
DESCRIPTION = "What begins: checks, gates, applied steps, requests, messages. The executor's other slots are for undo."


class SlotKeeper:
    """Listens to the starts of Airflow's components: nothing is scheduled into a pool that does not exist."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Make the pool of what begins, unless there is one: its size is the administrator's then."""
        if isinstance(component, Job):  # the scheduler, or another one; Airflow does not say which yet
            with suppress(IntegrityError):  # another component has just made it
                keep_slots()


def keep_slots() -> None:
    """Make the pool; where there is one that leaves no slots for the way back, say so."""
    at_once = slots_at_once()
    with create_session(scoped=False) as session:
        pool = Pool.get_pool(STARTS, session=session)
        if pool is None:
            Pool.create_or_update_pool(
                STARTS, for_starts(at_once), DESCRIPTION, include_deferred=False, session=session
            )
        elif not 0 < pool.slots < at_once:
            log.warning(
                "The pool %s has %s slots of %s: a rollback may wait behind what begins. Give it %s.",
                *(STARTS, pool.slots, at_once, for_starts(at_once)),
            )


def slots_at_once() -> int:
    """Return how many tasks the executor runs at once; of Celery, what one worker does."""
    parallelism: int = conf.getint("core", "parallelism")
    if "Celery" not in conf.get("core", "executor"):
        return parallelism
    of_a_worker: int = conf.getint("celery", "worker_concurrency", fallback=parallelism)
    return min(parallelism, of_a_worker)


def for_starts(at_once: int) -> int:
    """Return how many of the executor's slots what begins may use; the others are for the way back."""
    return max(at_once - SLOTS, at_once // 2, 1)
