"""A world for `airflow`: an audit log, and somebody who triggers a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from changewindow.collectors.airflow import EXAMPLE
from collector_fixtures import Made, World
from servers.audit_log import Log, serving


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve the log."""
    with serving() as log:
        known = log.connection()
        stranger = replace(known, name="stranger", login="nobody")
        yield World(
            EXAMPLE,
            lambda: made(log),
            lambda text: log.write(text, owner=text, dag_id=text, extra='{"key": "x"}'),
            {**EXAMPLE, "connection": "stranger"},
            (known, stranger),
        )


def made(log: Log) -> Made:
    """Trigger a run."""
    log.write(
        "trigger_dag_run", owner="dora", dag_id="orders", run_id="manual__1", extra='{"conf": {"token": "s3cret"}}'
    )
    return Made("DAG orders manual__1", "dora", "triggered a run: conf")
