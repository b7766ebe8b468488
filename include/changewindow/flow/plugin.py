"""Registers Change Windows with Airflow."""

from airflow.plugins_manager import AirflowPlugin

import changewindow.flow.dag  # noqa: F401  every forked task inherits it and starts seconds sooner
from changewindow.flow.server import audit, single_writer
from changewindow.flow.server.run_notes import Noter
from changewindow.flow.timetable import ChangeWindowTimetable


class ChangeWindowPlugin(AirflowPlugin):
    """The timetable of windows, the notes of runs, the audit log, and orderly writes to SQLite."""

    name = "changewindow"
    timetables = [ChangeWindowTimetable]
    listeners = [Noter()]
    fastapi_root_middlewares = [*single_writer.middlewares(), *audit.MIDDLEWARES]
