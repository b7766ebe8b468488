"""Makes pages from the templates: everything is escaped, and a fact that is missing is an error."""

from datetime import datetime, timedelta, tzinfo
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from changewindow.calendar.text import length_text
from changewindow.documents.text import spoken, visible
from changewindow.documents.types import duration_text

HERE = Path(__file__).parent
STATIC = HERE / "static"
MINUTES_FROM = 120
"""Seconds from which on a length of time is given in minutes."""


@cache
def environment() -> Environment:
    """Return what reads our templates; what it has compiled stays for as long as the process lives."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        auto_reload=False,  # templates belong to the code of this process: an upgrade replaces both at its restart
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    made.filters.update(at=at, day=day, clock=clock, duration=duration_text, rough=rough, spoken=spoken)
    made.globals.update(version=version)
    return made


def shown(value: Any) -> Any:
    """Return what a page shows of a fact; characters that nobody sees, or that turn a text around, are spelled out."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(template: str, **facts: Any) -> str:
    """Return a template filled with facts."""
    return environment().get_template(template).render(**facts)


@cache
def version(file: str) -> str:
    """Return what changes whenever a file of ours changes, so that browsers may keep it for ever."""
    return sha256((STATIC / file).read_bytes()).hexdigest()[:12]


def at(moment: datetime, zone: tzinfo) -> str:
    """Return a moment to the minute, as people read it in a zone; with the offset where clocks show the time twice."""
    local = moment.astimezone(zone)
    is_shown_twice = local.utcoffset() != local.replace(fold=not local.fold).utcoffset()
    return local.isoformat(" ", "minutes") if is_shown_twice else f"{local:%Y-%m-%d %H:%M}"


def day(moment: datetime, zone: tzinfo) -> str:
    """Return the day of a moment in a zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d}"


def clock(moment: datetime, zone: tzinfo) -> str:
    """Return the time of a moment in a zone, to the second."""
    return f"{moment.astimezone(zone):%H:%M:%S}"


def rough(length: timedelta) -> str:
    """Return a length of time as precisely as somebody wants it who waits: `45s`, `4m`, `2d 3h5m`."""
    seconds = int(length.total_seconds())
    return f"{seconds}s" if seconds < MINUTES_FROM else length_text(length)
