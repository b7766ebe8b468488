"""What `kubernetes` shows of workloads, of scale, of Helm, and what it says that it cannot see."""

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.explaining import Scope, explain
from changewindow.changes.our_changes import Act, OurChange
from changewindow.collectors.kubernetes import EXAMPLE
from changewindow.systems.collection import Collected, Entry
from changewindow.systems.kubernetes.client import Content, api, request
from changewindow.systems.kubernetes.resource import Resource
from servers.kubernetes import ApiServer, Trouble, local
from servers.kubernetes.shop import NEW, OLD, autoscaler, config_map, workload
from servers.kubernetes.store import Json
from support.looking import KEY, last, looked

EARLIER = datetime.now(UTC) - timedelta(hours=3)


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """Return a shop whose cart has run for hours."""
    with local() as running:
        running.make(workload(replicas=1), config_map(max_idle="10"), workload("StatefulSet", "store", replicas=1))
        running.settle(running.is_settled)
        age(running)
        yield running


def age(cluster: ApiServer) -> None:
    """Let everything be of hours ago."""
    with cluster.store.lock:
        for obj in cluster.store.objects.values():
            obj["metadata"]["creationTimestamp"] = f"{EARLIER:%Y-%m-%dT%H:%M:%SZ}"
            for entry in obj["metadata"].get("managedFields", []):
                entry["time"] = f"{EARLIER:%Y-%m-%dT%H:%M:%SZ}"


async def look(cluster: ApiServer, kept: dict[str, Any] | None = None, *, hours: int = 1) -> Collected:
    """Return what shows of the last hours."""
    return await looked(
        {**EXAMPLE, "within": "30s"},
        cluster.connection(),
        folder=Path("unused"),
        span=last(timedelta(hours=hours)),
        kept=kept,
    )


async def entry(cluster: ApiServer, name: str) -> Entry:
    """Return the only entry of an object."""
    (entry,) = [entry for entry in (await look(cluster)).entries if entry.object == name]
    return entry


def image(to: str, **env: str) -> Any:
    """Return an edit that gives the cart an image and variables."""

    def edit(obj: Json) -> None:
        container = obj["spec"]["template"]["spec"]["containers"][0]
        container["image"] = to
        container["env"] = [{"name": name, "value": value} for name, value in env.items()]

    return edit


def scale(cluster: ApiServer, replicas: int, manager: str) -> None:
    """Scale the cart by its subresource, as kubectl and autoscalers do."""
    cart = Resource("apps", "v1", "deployments", "shop", "cart", "scale")
    content = Content({"spec": {"replicas": replicas}}, "application/merge-patch+json")
    reply = request(api(cluster.connection()), "PATCH", cart, content, parameters={"fieldManager": manager})
    assert reply.status == 200


async def test_nothing_has_changed_for_hours(cluster: ApiServer) -> None:
    """What is older than the span is no entry, and there is nothing to warn of but the usual."""
    collected = await look(cluster)
    assert collected.entries == ()
    assert collected.coverage.clock_off == timedelta(0)


@pytest.mark.parametrize("name", ["Deployment shop/cart", "StatefulSet shop/store"])
async def test_a_revision_shows_its_difference_and_who_wrote_it(cluster: ApiServer, name: str) -> None:
    """Images are shown; values of variables, which may be secret, are only compared."""
    kind, _, bare = name.partition(" shop/")
    cluster.edit(f"{kind.lower()}s.apps", "shop", bare, image(NEW, PASSWORD="s3cret-in-the-open"))
    cluster.settle(lambda: len([*cluster.each("replicasets.apps"), *cluster.each("controllerrevisions.apps")]) == 3)
    revised = await entry(cluster, name)
    assert revised.what == "revision 2: spec.containers.cart.env.PASSWORD.value, spec.containers.cart.image"
    assert f"spec.containers.cart.image = {OLD}" in revised.before
    assert f"spec.containers.cart.image = {NEW}" in revised.after
    assert "spec.containers.cart.env.PASSWORD.value = fingerprint " in revised.after
    assert "s3cret" not in revised.after
    assert revised.by == "somebody (Update)"
    assert revised.known_by.startswith("managedFields name the program, not the person")


@pytest.mark.parametrize(("announced", "is_explained"), [("s3cret of the ticket", True), ("another one", False)])
async def test_a_variable_is_explained_by_the_step_that_announced_its_value(
    cluster: ApiServer, announced: str, *, is_explained: bool
) -> None:
    """Only the fingerprint of the value is shown, and compared."""
    began = datetime.now(UTC)
    cluster.edit("deployments.apps", "shop", "cart", image(NEW, PASSWORD="s3cret of the ticket"))
    cluster.settle(lambda: len(cluster.each("replicasets.apps")) == 2)
    container = {"name": "cart", "image": NEW, "env": [{"name": "PASSWORD", "value": announced}]}
    manifest = {"kind": "Deployment", "metadata": {"name": "cart"}, "spec": {"containers": [container]}}
    step = {"kind": "kubernetes_apply", "namespace": "shop", "manifests": [manifest]}
    act = Act("CHG-1042", 1, "Apply", began, announced=step, remembered={}, keys=(KEY,))
    ours = OurChange("CHG-1042", "Release", "production", ("orders",), (act,), None)
    revised = await entry(cluster, "Deployment shop/cart")
    explained = explain(revised, Scope("production", ("orders",)), [ours])
    assert (explained.by_value, explained.change) == (is_explained, "CHG-1042" if is_explained else "")


async def test_a_rollback_shows_as_an_earlier_revision_again(cluster: ApiServer) -> None:
    """Its ReplicaSet is hours old; the write is of now."""
    before = cluster.get("deployments.apps", "shop", "cart")["spec"]["template"]
    cluster.edit("deployments.apps", "shop", "cart", image(NEW))
    cluster.settle(lambda: len(cluster.each("replicasets.apps")) == 2 and cluster.is_settled())
    age(cluster)
    with cluster.store.lock:
        first = next(kept for kept in cluster.each("replicasets.apps") if kept["spec"]["replicas"] == 0)["metadata"]
        kept = cluster.store.objects["replicasets.apps", "shop", first["name"]]
        kept["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    cluster.edit("deployments.apps", "shop", "cart", lambda obj: obj["spec"].update(template=before))
    cluster.settle(lambda: "3" in str(cluster.get("deployments.apps", "shop", "cart")["metadata"].get("annotations")))
    entries = (await look(cluster)).entries
    (revised,) = [entry for entry in entries if entry.what.startswith("revision 3")]
    assert "(an earlier one again)" in revised.what
    assert f"image = {OLD}" in revised.after


async def test_scale_by_hand_is_told_from_an_autoscaler_s(cluster: ApiServer) -> None:
    """Both write the same field; the program differs. The server keeps no time of it: the look before tells when."""
    kept: dict[str, Any] = {}
    await look(cluster, kept)
    scale(cluster, 2, "kubectl")
    by_hand = await scaled(cluster, kept)
    assert (by_hand.what, by_hand.before, by_hand.after) == ("scaled to 2 by hand", "1", "2")
    assert by_hand.by == "kubectl (Update, scale)"
    assert by_hand.earliest is not None
    assert by_hand.earliest < by_hand.at
    cluster.make(autoscaler())
    with_scaler = await scaled(cluster, kept)
    assert with_scaler.what == "scaled to 2 by hand, although HorizontalPodAutoscaler cart owns its scale"
    scale(cluster, 3, "kube-controller-manager")
    by_scaler = await scaled(cluster, kept)
    assert by_scaler.what == "scaled to 3 by the autoscaler HorizontalPodAutoscaler cart"


async def scaled(cluster: ApiServer, kept: dict[str, Any]) -> Entry:
    """Return the newest entry of the cart since the look before."""
    seen = (await look(cluster, kept)).entries
    return max((each for each in seen if each.object == "Deployment shop/cart"), key=lambda each: each.at)


async def test_an_edit_by_hand_names_fields_and_values(cluster: ApiServer) -> None:
    """Those of a ConfigMap are shown, those of a Secret never."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "type": "Opaque"}
    cluster.make({**secret, "data": {"password": base64.b64encode(b"s3cret").decode()}})
    cluster.edit("configmaps", "shop", "cart-settings", lambda obj: obj["data"].update(max_idle="1"))
    edited = await entry(cluster, "ConfigMap shop/cart-settings")
    assert edited.what == "written: data.max_idle"
    assert (edited.before, edited.after) == ("data.max_idle = ?", "data.max_idle = 1")
    made = await entry(cluster, "Secret shop/db")
    assert made.after.startswith("data.password = fingerprint ")
    assert base64.b64encode(b"s3cret").decode() not in str(made)


async def test_what_looks_like_a_secret_in_a_config_map_is_only_compared(cluster: ApiServer) -> None:
    """It should not be there, and often is; so are tokens in the command line that kubectl notes as the cause."""
    values = {"DB_PASSWORD": "hunter22", "URL": "postgres://app:s3cret@db/orders", "max_idle": "2"}
    cluster.edit("configmaps", "shop", "cart-settings", lambda obj: obj["data"].update(values))
    edited = await entry(cluster, "ConfigMap shop/cart-settings")
    assert "data.max_idle = 2" in edited.after
    assert "data.URL = fingerprint " in edited.after
    assert "hunter22" not in str(edited)
    assert "s3cret" not in str(edited)
    cluster.edit("deployments.apps", "shop", "cart", image(NEW))
    cluster.settle(lambda: len(cluster.each("replicasets.apps")) == 2)
    with cluster.store.lock:
        for kept in cluster.each("replicasets.apps"):
            metadata = cluster.store.objects["replicasets.apps", "shop", kept["metadata"]["name"]]["metadata"]
            metadata["annotations"]["kubernetes.io/change-cause"] = "kubectl set image --token=t0ken-of-somebody"
    revised = [entry for entry in (await look(cluster)).entries if entry.what.startswith("revision 2")]
    assert "--token=***" in str(revised)
    assert "t0ken" not in str(revised)


async def test_of_many_keys_the_look_before_tells_which_have_changed(cluster: ApiServer) -> None:
    """A program's fields are all that it has ever written; of a Secret, no value is kept to tell."""
    cluster.edit("configmaps", "shop", "cart-settings", lambda obj: obj["data"].update(a="1", b="1", c="1"))
    kept: dict[str, Any] = {}
    await look(cluster, kept)
    cluster.edit("configmaps", "shop", "cart-settings", lambda obj: obj.update(data={"a": "1", "b": "2"}))
    (edited,) = (await look(cluster, kept)).entries
    assert edited.what == "written: data.b; removed: c, max_idle"
    assert (edited.before, edited.after) == ("data.b = ?", "data.b = 2")


async def test_what_is_gone_shows_at_the_next_look_and_the_one_after_that(cluster: ApiServer) -> None:
    """A deletion leaves no trace in the cluster; the first look says from when on it can know."""
    kept: dict[str, Any] = {}
    first = await look(cluster, kept)
    assert "deletions are only remembered from " in first.coverage.why
    with cluster.store.lock:
        cluster.store.delete(("configmaps", "shop", "cart-settings"))
    for _ in range(2):
        (gone,) = (await look(cluster, kept)).entries
        assert gone.object == "ConfigMap shop/cart-settings"
        assert gone.what.startswith("deleted between ")
    kept["version"] = 99
    lost = await look(cluster, kept)
    assert lost.entries == ()
    assert "deletions are only remembered from " in lost.coverage.why


async def test_a_helm_release_shows_without_its_values(cluster: ApiServer) -> None:
    """Chart, revision and status are in a Secret together with the values."""
    now = datetime.now(UTC).isoformat()
    release = {
        "name": "orders",
        "version": 4,
        "info": {"status": "deployed", "last_deployed": now, "description": "Upgrade complete"},
        "chart": {"metadata": {"name": "orders", "version": "2.1.0"}},
        "config": {"password": "s3cret"},
    }
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    metadata = {"name": "sh.helm.release.v1.orders.v4", "namespace": "shop"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "helm.sh/release.v1"}
    cluster.make({**secret, "data": {"release": packed}})
    (upgraded,) = (await look(cluster)).entries
    assert upgraded.object == "Helm release shop/orders"
    assert upgraded.what == "release revision 4 of chart orders 2.1.0: deployed; Upgrade complete"
    assert "s3cret" not in str(upgraded)


async def test_it_says_what_it_cannot_see(cluster: ApiServer) -> None:
    """Kinds it may not list, objects that cannot be read, and events that the server has forgotten."""
    cluster.api.denied.add(("list", "secrets"))
    cluster.api.troubles = [Trouble(r"GET .*/roles", 500, "etcd is away", times=9)]
    with cluster.store.lock:
        cluster.store.objects["configmaps", "shop", "cart-settings"]["metadata"]["creationTimestamp"] = "soon"
    coverage = (await look(cluster, hours=24)).coverage
    assert coverage.lost == 1
    assert "1 objects cannot be read" in coverage.why
    assert "secrets are not seen: The account of connection 'example_cluster' may not list secrets" in coverage.why
    assert "etcd is away" in coverage.why
    assert {"secrets", "roles.rbac.authorization.k8s.io"} <= {*coverage.blind}
    assert "one hour by default: there are none here" in coverage.why


@pytest.mark.parametrize("kind", ["configmaps", "services"])
async def test_who_takes_the_record_of_his_edit_away_is_seen_by_the_look_before(cluster: ApiServer, kind: str) -> None:
    """Anybody who may write an object may empty its managedFields; what it holds still differs."""
    spec = {"selector": {"app": "cart"}, "ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"}, "spec": spec}
    cluster.make(service)
    age(cluster)
    kept: dict[str, Any] = {}
    await look(cluster, kept)
    name, part = ("cart-settings", "data") if kind == "configmaps" else ("cart", "spec")
    with cluster.store.lock:
        edited = cluster.store.objects[kind, "shop", name]
        edited[part] = {
            **edited[part],
            "selector" if part == "spec" else "max_idle": {"app": "evil"} if part == "spec" else "1",
        }
        edited["metadata"]["managedFields"] = []
    for _ in range(2):
        (found,) = (await look(cluster, kept)).entries
        assert found.object.endswith(f" shop/{name}")
        assert found.what.startswith("changed between ")
        assert found.what.endswith("spec" if part == "spec" else "max_idle")
        assert found.earliest < found.at
        assert "its record was taken out" in found.known_by


async def test_pages_are_followed(cluster: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is too much is said."""
    monkeypatch.setattr("changewindow.systems.kubernetes.async_cluster.PAGE", 2)
    for number in range(5):
        cluster.make({**config_map(), "metadata": {"name": f"more-{number}", "namespace": "shop"}})
    assert len((await look(cluster)).entries) == 5
    monkeypatch.setattr("changewindow.collectors.kubernetes.MOST", 3)
    assert "of configmaps only the first 3 are looked at" in (await look(cluster)).coverage.why


async def test_an_announced_image_is_explained_and_a_setting_that_was_edited_meanwhile_is_not(
    cluster: ApiServer,
) -> None:
    """Before and after name the same fields, so that only the values have to be what a step announced."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    step = {"kind": "kubernetes_image", "workload": "deployment/cart", "images": {"cart": NEW}}
    act = Act("CHG-1042", 1, "Roll out", began, announced=step, remembered={})
    ours = OurChange("CHG-1042", "Roll out", "production", ("orders",), (act,), None)
    cluster.edit("deployments.apps", "shop", "cart", image(NEW))
    cluster.edit("configmaps", "shop", "cart-settings", lambda obj: obj["data"].update(max_idle="1"))
    cluster.settle(lambda: len(cluster.each("replicasets.apps")) == 2)
    scope = Scope("production", ("orders",))
    explained = {entry.object: explain(entry, scope, [ours]).change for entry in (await look(cluster)).entries}
    assert explained == {"Deployment shop/cart": "CHG-1042", "ConfigMap shop/cart-settings": ""}
