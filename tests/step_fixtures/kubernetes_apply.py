"""A world for `kubernetes_apply`: a cluster in which one of the objects exists, and the other does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.kubernetes_apply import EXAMPLE
from servers.kubernetes import running
from servers.kubernetes.shop import config_map
from step_fixtures import World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give what the objects hold; the settings were made by somebody else, who still manages them."""
    with running() as cluster:
        cluster.make(config_map(MAX_IDLE="10", OTHER="stays"))

        def state() -> list[Any]:
            budgets = cluster.each("poddisruptionbudgets.policy")
            return [cluster.get("configmaps", "shop", "cart-settings")["data"], [budget["spec"] for budget in budgets]]

        yield World({**EXAMPLE, "force": True}, state, {"example_cluster": cluster.connection()})
