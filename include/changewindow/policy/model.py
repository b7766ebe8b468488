"""The policy: what its files say, as values."""

from dataclasses import dataclass, field
from pathlib import Path

from changewindow.calendar.schedule import Schedule
from changewindow.policy.approvals import Approvals
from changewindow.policy.connections import Connections
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.rights import Rights
from changewindow.policy.service_catalogue import Catalogue
from changewindow.policy.standard_changes import Standards


@dataclass(frozen=True)
class Policy:
    """What the policy files say."""

    catalogue: Catalogue
    approvals: Approvals
    schedule: Schedule
    standards: Standards
    """The standard changes; their templates lie in a folder of their own."""
    connections: Connections | None = None
    """Which connections serve which services; None where nobody has written it down yet."""
    rights: Rights = field(default_factory=Rights)
    """Who may intervene."""
    emergencies: Emergencies = field(default_factory=Emergencies)
    """What emergencies owe."""


def templates_of(folder: Path) -> Path:
    """Return where the templates of a policy lie if nobody says otherwise: in `templates` beside its folder."""
    return folder.parent / "templates"
