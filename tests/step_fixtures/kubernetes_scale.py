"""A world for `kubernetes_scale`: a cluster with a deployment of three pods."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.kubernetes_scale import EXAMPLE
from servers.kubernetes import running
from servers.kubernetes.shop import workload
from step_fixtures import World


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the deployment as its author wrote it, and what its pods run."""
    with running() as cluster:
        cluster.make(workload())
        cluster.settle(cluster.is_settled)

        def state() -> list[Any]:
            pods = [pod for pod in cluster.each("pods", "shop") if "deletionTimestamp" not in pod["metadata"]]
            return [
                cluster.get("deployments.apps", "shop", "cart")["spec"],
                sorted(pod["spec"]["containers"][0]["image"] for pod in pods),
            ]

        yield World(EXAMPLE, state, {"example_cluster": cluster.connection()})
