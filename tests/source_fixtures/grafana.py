"""An answer for `grafana`: two critical alerts fire, beside one that does not and one in another folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from changewindow.sources.grafana import EXAMPLE
from servers.product_apis import grafana, serving
from source_fixtures import Answers


def _group(folder: str, *states: str) -> dict[str, Any]:
    now, labels = datetime.now(UTC).isoformat(), {"severity": "critical"}
    alerts = [{"labels": labels, "annotations": {}, "state": state, "activeAt": now, "value": "1"} for state in states]
    rule = {"name": "errors", "labels": labels, "health": "ok", "type": "alerting", "state": "firing"}
    return {"name": "it", "file": folder, "interval": 60, "rules": [{**rule, "lastEvaluation": now, "alerts": alerts}]}


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let them fire."""
    with serving(grafana([_group("Orders", "Alerting", "Alerting", "Normal"), _group("Billing", "Alerting")])) as made:
        yield Answers(EXAMPLE, {"equals": 2}, (made.connection("grafana"),))
