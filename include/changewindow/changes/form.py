"""What the forms by which people tell something have in common: every mistake is named at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from changewindow.documents.moments import utc
from changewindow.documents.text import shown

SKEW = timedelta(minutes=1)
"""How far the clock of whoever fills it in may be ahead."""


@dataclass
class Form:
    """A form that is being read, with what is wrong in it so far."""

    params: Mapping[str, Any]
    now: datetime
    mistakes: list[str] = field(default_factory=list)

    def moment(self, name: str) -> datetime | None:
        """Return a moment, in UTC where it has no zone."""
        given = self.params.get(name)
        try:
            return utc(given) if given else None
        except ValueError:
            self.mistakes.append(f"{name}: {shown(str(given))} is not a time like 2031-03-18T03:12+01:00")
            return None
