"""A world for `kubernetes`: a namespace with a workload that somebody changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.collectors.kubernetes import EXAMPLE
from collector_fixtures import Made, World
from servers.kubernetes import ApiServer, local
from servers.kubernetes.shop import config_map
from servers.kubernetes.store import Json


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Run the cluster."""
    asked = {**EXAMPLE, "within": "30s"}
    with local() as cluster:
        yield World(
            asked,
            lambda: made(cluster),
            lambda text: cluster.make(settings("hostile", text)),
            {**asked, "namespace": "gone"},
            (cluster.connection(),),
        )


def made(cluster: ApiServer) -> Made:
    """Create the settings of the cart."""
    cluster.make(config_map(max_idle="1"))
    return Made("ConfigMap shop/cart-settings", "kubectl-create (Update)", "created")


def settings(name: str, text: str) -> Json:
    """Return settings with a text."""
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}
