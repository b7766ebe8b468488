"""Steps in a cluster whose admission webhooks change what is written."""

import hashlib
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.base import StepBase
from changewindow.systems.context import Context
from servers.kubernetes import ApiServer, Trouble
from servers.kubernetes.shop import NEW, OLD, config_map
from support.cluster_steps import CART, step

SETTINGS = ("configmaps", "shop", "cart-settings")
KEYS: dict[str, Any] = {"set": {"MAX_IDLE": "5"}, "remove": ["OTHER"]}
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "cart", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "cart", "image": NEW}]}}},
}
LARGER = {
    **MANIFEST,
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "cart",
                        "image": NEW,
                        "env": [{"name": "Z", "value": "1"}, {"name": "A", "value": "2"}],
                        "resources": {"limits": {"cpu": "1000m"}},
                    }
                ]
            }
        }
    },
}


def pinned(name: str) -> str:
    """Return an image with the digest that stands for its tag."""
    return name if "@" in name else f"{name.rpartition(':')[0]}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def pins(obj: Any) -> None:
    """Put digests in place of tags, as admission controllers for signed images do."""
    if obj["kind"] == "Deployment":
        for container in obj["spec"]["template"]["spec"]["containers"]:
            container["image"] = pinned(container["image"])


def pins_what_is_new(obj: Any) -> None:
    """Do so for every image but the one that runs."""
    if obj["kind"] == "Deployment" and image_of(obj) != OLD:
        pins(obj)


def limits(obj: Any) -> None:
    """Keep the number of pods below five."""
    if obj["kind"] == "Deployment":
        obj["spec"]["replicas"] = min(obj["spec"].get("replicas", 1), 4)


def trims(obj: Any) -> None:
    """Write numbers in another way."""
    if obj["kind"] == "ConfigMap":
        obj["data"] = {name: text.zfill(3) for name, text in obj["data"].items()}


WRITES = count(1)


def stamps(obj: Any) -> None:
    """Write down by which write it was, as what injects sidecars does with the time."""
    if obj["kind"] == "Deployment":
        metadata = obj["spec"]["template"].setdefault("metadata", {})
        metadata.setdefault("annotations", {})["example.com/injected-by"] = f"write {next(WRITES)}"


def injects_anew(obj: Any) -> None:
    """Add a container that knows by which write it came."""
    if obj["kind"] == "Deployment":
        containers = obj["spec"]["template"]["spec"]["containers"]
        own = [container for container in containers if not container["name"].startswith("proxy")]
        proxy = {"name": "proxy", "image": "proxy:1", "env": [{"name": "WRITE", "value": str(next(WRITES))}]}
        containers[:] = [*own, proxy]


def renames(obj: Any) -> None:
    """Add a container whose name tells by which write it came."""
    if obj["kind"] == "Deployment":
        injects_anew(obj)
        obj["spec"]["template"]["spec"]["containers"][-1]["name"] += f"-{next(WRITES)}"


def injects(obj: Any) -> None:
    """Add a container behind the others, sort the environment, and write quantities in another way."""
    if obj["kind"] != "Deployment":
        return
    containers = obj["spec"]["template"]["spec"]["containers"]
    if len(containers) == 1:
        containers.append({"name": "proxy", "image": "proxy:1"})
    for container in containers:
        container["env"] = sorted(container.get("env") or [], key=lambda variable: str(variable["name"]))
        limits = (container.get("resources") or {}).get("limits") or {}
        limits |= {name: "1" for name, quantity in limits.items() if quantity == "1000m"}


def image_of(obj: Any) -> str:
    """Return the image of a template."""
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


def state(cluster: ApiServer) -> Any:
    """Return what the steps change, whatever way a number or an image is written."""
    spec, data = cluster.get(*CART)["spec"], cluster.get(*SETTINGS)["data"]
    restarted = (spec["template"]["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/restartedAt")
    numbers = {name: int(text) for name, text in data.items()}
    return pinned(image_of({"spec": spec})), spec.get("replicas"), restarted, numbers


@pytest.fixture
def settings(cluster: ApiServer) -> None:
    """Have the settings of the deployment in the cluster."""
    cluster.make(config_map(MAX_IDLE="10", OTHER="7"))


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("done", "webhook"),
    [
        pytest.param(step("image"), pins, id="an image by its digest"),
        pytest.param(step("image"), pins_what_is_new, id="a new image by its digest"),
        pytest.param(step("restart"), pins, id="a restart, and the image by its digest"),
        pytest.param(step("scale", workload="deployment/cart", replicas=9), limits, id="fewer pods than asked for"),
        pytest.param(step("config", **KEYS), trims, id="settings written in another way"),
        pytest.param(step("apply", manifests=[MANIFEST], force=True), pins, id="a manifest with the digest"),
        pytest.param(
            step("apply", manifests=[MANIFEST], force=True), stamps, id="a manifest with another stamp each time"
        ),
        pytest.param(step("image"), stamps, id="an image with another stamp each time"),
        pytest.param(step("apply", manifests=[LARGER], force=True), injects, id="a manifest with a sidecar"),
        pytest.param(step("image"), injects, id="an image with a sidecar"),
        pytest.param(
            step("apply", manifests=[MANIFEST], force=True),
            injects_anew,
            id="a manifest with another sidecar each time",
        ),
        pytest.param(step("image"), injects_anew, id="an image with another sidecar each time"),
    ],
)
def test_what_admission_makes_of_our_change_is_ours(
    cluster: ApiServer, context: Context, done: StepBase, webhook: Callable[[Any], None]
) -> None:
    """The step applies, is undone, and is undone again: nobody else is accused of what the webhook did."""
    before, cluster.api.admission = state(cluster), webhook
    remembered = done.remember(context)
    done.apply(context, remembered)
    assert state(cluster) != before
    for _ in range(2):
        done.undo(context, remembered)
        assert state(cluster) == before


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("kind", ["image", "config"])
def test_somebody_elses_change_is_still_noticed(cluster: ApiServer, context: Context, kind: str) -> None:
    """What neither we nor the webhook would have made is left as it is."""
    cluster.api.admission = pins
    done = step("config", **KEYS) if kind == "config" else step(kind)
    remembered = done.remember(context)
    done.apply(context, remembered)
    cluster.api.admission = lambda _: None
    cluster.store.edit(*SETTINGS, lambda obj: obj["data"].update(MAX_IDLE="12"))
    cluster.store.edit(*CART, lambda obj: obj["spec"]["template"]["spec"]["containers"][0].update(image="other:1"))
    with pytest.raises(StepFailed, match="Somebody else has changed"):
        done.undo(context, remembered)


def test_a_container_with_another_name_each_time_is_named(cluster: ApiServer, context: Context) -> None:
    """Undo would not know it from one of somebody else: what differs is said, and what may write it."""
    cluster.store.edit(*CART, renames)
    cluster.settle(cluster.is_settled)
    cluster.api.admission = renames
    done = step("apply", manifests=[MANIFEST], force=True)
    remembered = done.remember(context)
    with pytest.raises(StepFailed) as failed:
        done.apply(context, remembered)
    assert re.search(
        r"during its rollout: spec\.template\.spec\.containers is \[cart, proxy-\d+\], not \[cart\]\. Find out who "
        r"did, or what resets it \(Argo CD, Flux, an operator, a webhook that writes something else each time\)",
        str(failed.value),
    )


def test_a_webhook_that_knows_no_dry_run_is_no_obstacle(
    cluster: ApiServer, context: Context, logged: list[str]
) -> None:
    """What it would store is not known then, and the step goes on as it does without a webhook."""
    refused = Trouble("^PATCH .*deployments/cart.*dryRun", 400, "admission webhook does not support dry run", times=2)
    cluster.api.troubles.append(refused)
    done = step("image")
    remembered = done.remember(context)
    assert any("does not support dry run" in line for line in logged)
    done.apply(context, remembered)
    assert image_of(cluster.get(*CART)) == NEW
    done.undo(context, remembered)
    assert image_of(cluster.get(*CART)) == OLD
