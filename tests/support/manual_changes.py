"""Records of what was done by hand, and findings that they explain or not."""

from datetime import timedelta
from typing import Any

from changewindow.policy.manual_change import ManualChange
from changewindow.policy.world_finding import WorldFinding
from support.changes import NOW

IMAGE = {"object": "Deployment shop/orders", "what": "image changed", "before": "orders:1.4.1", "after": "orders:1.4.3"}
HOSTS = {"object": "web-3:/etc/hosts", "what": "edited", "before": "fingerprint 11aa", "after": "fingerprint 22bb"}
NGINX = {"object": "web-3:nginx", "what": "upgraded", "before": "1.24.0-1", "after": "1.24.0-2"}
SCALE = {"object": "Deployment shop/orders", "what": "scaled", "before": "2", "after": "3"}
SSHD = {"object": "web-3:sshd", "what": "restarted"}


def finding(minutes: float = 5, **fields: Any) -> WorldFinding:
    """Return a finding of so many minutes after NOW."""
    return WorldFinding(
        "change", "c", at=NOW + timedelta(minutes=minutes), why="nobody", services=("orders",), **fields
    )


def manual(*lines: str, at: float | None = None, **fields: Any) -> ManualChange:
    """Return a record of ten minutes from NOW on."""
    moment = None if at is None else NOW + timedelta(minutes=at)
    given = {
        "environment": "production",
        "services": ["orders"],
        "began": NOW,
        "ended": NOW + timedelta(minutes=10),
        "commands": [{"line": line, "at": moment} for line in lines],
        "done_by": "alice",
        "why": "The pool was full",
        **fields,
    }
    return ManualChange.model_validate(given)
