"""Shows the moments that stand in texts in the zone of who looks: the ledger and the policy write them in UTC."""

import re
from datetime import UTC, datetime, tzinfo

MOMENTS = re.compile(
    r"\b([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?:( to | and |-)(?:([0-9]{4}-[0-9]{2}-[0-9]{2}) )?([0-9]{2}:[0-9]{2}(?::[0-9]{2})?))? UTC\b"
)
"""A moment, or two of which the second may be on the day of the first."""


def local(text: str, zone: tzinfo) -> str:
    """Return a text whose moments in UTC are those of a zone, each with the zone's name at that time."""
    return text if str(zone) == "UTC" or " UTC" not in text else MOMENTS.sub(lambda found: _local(found, zone), text)


def _local(found: re.Match[str], zone: tzinfo) -> str:
    day, clock, between, later_day, later_clock = found.groups()
    try:
        first = _moment(day, clock).astimezone(zone)
        last = _moment(later_day or day, later_clock).astimezone(zone) if between else first
    except (ValueError, OverflowError):
        return found[0]  # no day of any calendar: it is shown as it stands there
    start, end = _written(first, clock), _written(last, later_clock or clock)
    name, later_name = _name(first), _name(last)
    if not between:
        return f"{start} {name}"
    if last.date() == first.date():
        end = end[len("2031-03-18 ") :]
    elif between == "-":
        between = " to "
    return f"{start}{'' if name == later_name else ' ' + name}{between}{end} {later_name}"


def _moment(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=UTC)


def _written(moment: datetime, clock: str) -> str:
    """Return a moment as precisely as it stood there."""
    return moment.replace(tzinfo=None).isoformat(" ")[: len("2031-03-18 ") + len(clock)]


def _name(moment: datetime) -> str:
    """Return what the zone is called then; of one that has only an offset, that."""
    name = moment.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"
