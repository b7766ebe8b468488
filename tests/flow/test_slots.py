"""Slots that only the way back may use, in Airflow's own database."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from airflow.jobs.job import Job
from airflow.listeners.listener import get_listener_manager
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from sqlalchemy import delete

from airflow import settings
from changewindow.changes.room import SLOTS
from changewindow.cli.standalone import WORKERS
from changewindow.flow.slots import SlotKeeper, for_starts
from changewindow.flow.weights import STARTS


@pytest.fixture
def _database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use an Airflow that runs as many tasks at once as the embedded default."""
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", str(WORKERS))
    import_all_models()
    Base.metadata.create_all(settings.engine)
    yield
    with create_session() as session:
        session.execute(delete(Pool))


def slots() -> int | None:
    """Return how many slots the pool of what begins has."""
    with create_session() as session:
        pool = Pool.get_pool(STARTS, session=session)
        return pool.slots if pool else None


def started() -> None:
    """Start a component of Airflow, which knows its listeners."""
    manager = get_listener_manager()
    manager.add_listener(keeper := SlotKeeper())
    try:
        Job()
    finally:
        manager.pm.unregister(keeper)


@pytest.mark.usefixtures("_database")
def test_the_scheduler_makes_the_pool_of_what_begins_and_leaves_it_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Its size is the administrator's from then on; one that leaves nothing for the way back is reported."""
    SlotKeeper().on_starting(SimpleNamespace())  # a task, which has no database
    assert slots() is None
    started()
    assert slots() == WORKERS - SLOTS
    for given, is_reported in ((2, False), (WORKERS, True), (-1, True)):
        with create_session() as session:
            Pool.create_or_update_pool(STARTS, given, "", include_deferred=False, session=session)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            started()
        assert (slots(), "a rollback may wait behind what begins" in caplog.text) == (given, is_reported)


@pytest.mark.parametrize(("at_once", "starts"), [(1, 1), (4, 2), (8, 4), (12, 8), (32, 28)])
def test_what_begins_leaves_slots_free(at_once: int, starts: int) -> None:
    """Four of them, or half of a small executor."""
    assert for_starts(at_once) == starts
