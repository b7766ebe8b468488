"""A world of steps that change a deployment: a local cluster with three pods of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from servers.kubernetes import running
from servers.kubernetes.shop import workload
from step_fixtures import World


@contextmanager
def deployment(example: dict[str, Any]) -> Iterator[World]:
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

        yield World(example, state, {"example_cluster": cluster.connection()})
