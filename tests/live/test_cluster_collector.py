"""The collector kubernetes, in a real cluster: see cluster.sh."""

from pathlib import Path
from typing import Any

from changewindow.collectors.kubernetes import EXAMPLE
from changewindow.systems.collection import Collected
from changewindow.systems.kubernetes.client import Content, api, request
from changewindow.systems.kubernetes.resource import Resource, core
from servers.kubernetes.live import LiveCluster
from servers.kubernetes.shop import NEW, OLD, config_map
from support.looking import looked

CART = "Deployment shop/cart"
SETTINGS = "ConfigMap shop/cart-settings"


async def look(cluster: LiveCluster, kept: dict[str, Any]) -> Collected:
    """Return what shows of the last hour."""
    return await looked({**EXAMPLE, "within": "60s"}, cluster.connection(), folder=Path("unused"), kept=kept)


async def shown(cluster: LiveCluster, kept: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """Return what was done to an object, and who did it, the newest first."""
    return [(entry.what, entry.by) for entry in (await look(cluster, kept)).entries if entry.object == name]


def patch(cluster: LiveCluster, resource: Resource, change: dict[str, Any]) -> None:
    """Change an object as kubectl does."""
    content = Content(change, "application/merge-patch+json")
    reply = request(api(cluster.connection()), "PATCH", resource, content, parameters={"fieldManager": "kubectl"})
    assert reply.status == 200, reply.text


def use_new_image(obj: dict[str, Any]) -> None:
    """Let a workload run the new image."""
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = NEW


async def test_a_revision_of_a_real_deployment_shows_with_its_difference(cluster: LiveCluster) -> None:
    """As its controller keeps it; what controllers and the kubelet write meanwhile is no change."""
    kept: dict[str, Any] = {}
    await look(cluster, kept)
    cluster.edit("deployments.apps", "shop", "cart", use_new_image)
    cluster.settle(lambda: len(cluster.each("replicasets.apps", "shop")) == 2)
    entries = [entry for entry in (await look(cluster, kept)).entries if entry.object == CART]
    revised = next(entry for entry in entries if entry.what.startswith("revision 2: "))
    assert "spec.containers.cart.image" in revised.what
    assert f"spec.containers.cart.image = {OLD}" in revised.before
    assert f"spec.containers.cart.image = {NEW}" in revised.after
    assert revised.by == "somebody (Update)"
    assert not [entry for entry in entries if "kubelet" in entry.by]


async def test_a_scale_by_hand_and_an_edited_and_a_deleted_config_map_show(cluster: LiveCluster) -> None:
    """By whom, as managedFields have it; of what is gone, from one look to the next."""
    kept: dict[str, Any] = {}
    cluster.make(config_map(max_idle="10"))
    first = await look(cluster, kept)
    assert "deletions are only remembered from " in first.coverage.why
    patch(cluster, Resource("apps", "v1", "deployments", "shop", "cart", "scale"), {"spec": {"replicas": 2}})
    assert ("scaled to 2 by hand", "kubectl (Update, scale)") in await shown(cluster, kept, CART)
    patch(cluster, core("configmaps", "shop", "cart-settings"), {"data": {"max_idle": "1"}})
    written = await shown(cluster, kept, SETTINGS)
    assert [by for what, by in written if what.startswith("written")] == ["kubectl (Update)"]
    cluster.delete("configmaps", "shop", "cart-settings")
    assert any(what.startswith("deleted between ") for what, _ in await shown(cluster, kept, SETTINGS))


async def test_an_unchanged_cluster_has_no_second_entry(cluster: LiveCluster) -> None:
    """Two looks at the same world tell the same, and the clock of the server is ours."""
    kept: dict[str, Any] = {}
    await look(cluster, kept)
    looks = [await look(cluster, kept) for _ in range(2)]
    one, other = ([(entry.object, entry.what) for entry in collected.entries] for collected in looks)
    assert one == other
    off = looks[1].coverage.clock_off
    assert off is not None
    assert abs(off.total_seconds()) <= 1
