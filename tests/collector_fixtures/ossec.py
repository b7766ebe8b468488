"""A world for `ossec`: Wazuh's alerts.json, recorded in its documented format."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.collectors.ossec import EXAMPLE
from collector_fixtures import Made, World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make it, with an alert of an hour ago."""
    file = folder / "alerts.json"
    started = {"rule": {"id": "502"}, "full_log": "ossec: Manager started."}
    raised(file, started, at=datetime.now(UTC) - timedelta(hours=1))

    def change() -> Made:
        raised(file, modified("/etc/hosts"))
        return Made("web-3:/etc/hosts", "dora", "modified by /usr/bin/vim: size, mtime")

    collector = {"kind": EXAMPLE["kind"], "alerts": str(file)}
    blind = {**collector, "alerts": str(folder / "gone.json")}
    yield World(collector, change, lambda text: raised(file, modified(f"/etc/{text}")), blind)


def modified(path: str, **fields: Any) -> dict[str, Any]:
    """Return what an alert of a file says that vi has written, by who-data."""
    audit = {
        "user": {"id": "0", "name": "root"},
        "login_user": {"id": "1000", "name": "dora"},
        "process": {"id": "700", "name": "/usr/bin/vim", "ppid": "1"},
    }
    file = {
        "path": path,
        "mode": "whodata",
        "event": "modified",
        "changed_attributes": ["size", "mtime"],
        "size_before": "10",
        "size_after": "22",
        "perm_after": "rw-r--r--",
        "md5_before": "c1d7",
        "md5_after": "1528",
        "diff": "< secret of before",
        "audit": audit,
    }
    rule = {"level": 7, "id": "550", "description": "Integrity checksum changed.", "groups": ["ossec", "syscheck"]}
    return {"rule": rule, "syscheck": {**file, **fields}, "location": "syscheck"}


def raised(file: Path, alert: dict[str, Any], *, at: datetime | None = None, agent: str = "web-3") -> None:
    """Raise an alert, by default now."""
    moment = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    head = {"timestamp": moment, "agent": {"id": "003", "name": agent, "ip": "10.0.0.3"}}
    with file.open("a", encoding="utf-8") as alerts:
        alerts.write(json.dumps({**head, **alert}) + "\n")
