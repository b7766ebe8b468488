"""A world for `kubernetes_config`: a cluster with a ConfigMap and the deployment that uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.kubernetes_config import EXAMPLE
from servers.kubernetes import running
from servers.kubernetes.shop import config_map, workload
from step_fixtures import World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the keys, and the template of the deployment."""
    with running() as cluster:
        cluster.make(config_map(MAX_IDLE="10", OTHER="stays"), workload())
        cluster.settle(cluster.is_settled)

        def state() -> list[Any]:
            return [
                cluster.get("configmaps", "shop", "cart-settings")["data"],
                cluster.get("deployments.apps", "shop", "cart")["spec"],
            ]

        yield World(EXAMPLE, state, {"example_cluster": cluster.connection()}, cuts=12)
