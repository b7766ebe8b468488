"""Registers Change Windows with Airflow."""

from collections.abc import Callable
from typing import Any

import airflow.dag_processing.dagbag  # noqa: F401  see below
import jinja2.ext  # noqa: F401  same
import requests  # noqa: F401  same
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy.orm import configure_mappers

import changewindow.flow.bundle
import changewindow.flow.dag
import changewindow.flow.own_places  # noqa: F401  it reads what Airflow hides from tasks
from changewindow import kinds
from changewindow.flow.server.run_notes import Noter
from changewindow.flow.slots import SlotKeeper
from changewindow.flow.task_guard import TaskGuard
from changewindow.flow.timetable import ChangeWindowTimetable
from changewindow.settings import PAGES

# Processes of Airflow fork: what is imported here, every task, parse and watch inherits, and starts seconds sooner.
for folder in ("steps", "sources", "silences"):
    kinds.modules(folder)
# A worker of Celery has none of Airflow's models; the first question to a ledger imports them all.
configure_mappers()


def door(app: Callable[..., Any]) -> Callable[..., Any]:
    """Put the door before the API server; other processes need none of what it imports."""
    from changewindow.flow.server.door import Door  # noqa: PLC0415  half a second of each other process

    return Door(app)


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Serve the pages; only the API server does, and other processes need none of what it imports."""
    from changewindow.plugins.pages import pages  # noqa: PLC0415  same

    await pages()(scope, receive, send)


class ChangeWindowPlugin(AirflowPlugin):
    """Timetable, notes of runs, guard of our tasks, slots of the way back, pages, and door of the API server."""

    name = "changewindow"
    timetables = [ChangeWindowTimetable]
    listeners = [Noter(), TaskGuard(), SlotKeeper()]
    fastapi_root_middlewares = [{"middleware": door, "args": [], "kwargs": {}, "name": "the door"}]
    fastapi_apps = [{"app": pages, "url_prefix": f"/{PAGES}", "name": "Change Windows"}]
    external_views = [
        {
            "name": "Changes",
            "href": f"{PAGES}/",
            "url_route": PAGES,
            "destination": "nav",
            "nav_top_level": True,
            "icon": f"{PAGES}/static/icon.svg",
        }
    ]
