"""Small iCalendar files for tests to start from."""

from pathlib import Path
from typing import Any

from changewindow.calendar.ics import read_ics
from changewindow.calendar.model import MaintenanceWindow
from changewindow.calendar.occurrences import Timeline


def event(*lines: str, uid: str = "1") -> str:
    """Return an event."""
    return "\n".join(("BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Some", *lines, "END:VEVENT", ""))


def write(folder: Path, *parts: str, name: str = "some.ics") -> Path:
    """Write a file of some parts."""
    path = folder / name
    path.write_text("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n" + "".join(parts) + "END:VCALENDAR\n", encoding="utf-8")
    return path


def timeline(
    path: Path, zone: str = "Europe/Berlin", *, is_good: bool = True, **fields: Any
) -> Timeline[MaintenanceWindow]:
    """Return the occurrences of a file, which is good, or of which something is said that is no error."""
    read = read_ics(path)
    assert read.findings == () or not is_good
    entry = MaintenanceWindow.model_validate({"name": "File", "file": path.name, **fields})
    return Timeline(entry, zone, read.calendar)
