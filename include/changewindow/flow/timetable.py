"""The timetable of a change: one run, at its window's start, also when Airflow comes back too late."""

from datetime import datetime
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable


def scheduled_run(opens: datetime) -> str:
    """Return the id of the one run that comes by itself when a window opens; nobody else can make a run of this id."""
    return f"scheduled__{opens.isoformat()}"


class ChangeWindowTimetable(Timetable):
    """Schedules the one run of a window; whether it is too late is the gate's question, which records `missed`."""

    periodic = False
    can_be_scheduled = True

    def __init__(self, opens: str, closes: str) -> None:
        self.opens = pendulum.instance(datetime.fromisoformat(opens))
        self.closes = pendulum.instance(datetime.fromisoformat(closes))

    @property
    def _window(self) -> DataInterval:
        return DataInterval(start=self.opens, end=self.closes)

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs."""
        return {"opens": self.opens.isoformat(), "closes": self.closes.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "ChangeWindowTimetable":
        """Return the timetable that was serialized."""
        return cls(data["opens"], data["closes"])

    @property
    def summary(self) -> str:
        """Return the window's start for the list of DAGs."""
        return f"once, {self.opens:%Y-%m-%d %H:%M} UTC"

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the window, also for runs that were triggered by hand."""
        return self._window

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the window's start once, whether it lies ahead or has passed; a moved window is another one."""
        if last_automated_data_interval is not None and last_automated_data_interval.start == self.opens:
            return None
        return DagRunInfo(run_after=self.opens, data_interval=self._window)
