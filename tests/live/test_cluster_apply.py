"""The step kubernetes_apply, in a real cluster: see cluster.sh."""

from typing import Any

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.kubernetes_apply import EXAMPLE, Step
from changewindow.systems.context import Context
from servers.kubernetes.live import OURS, LiveCluster
from servers.kubernetes.shop import NEW, OLD, autoscaler, config_map, workload

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "stall"},
    "spec": {"selector": {"app": "stall"}, "ports": [{"port": 80, "targetPort": 8080}]},
}
MISSING = f"{OLD.partition(':')[0]}:nope"


def step(*manifests: dict[str, Any], **fields: Any) -> Step:
    """Return the example with other manifests and fields."""
    known = {key: value for key, value in EXAMPLE.items() if key != "kind"}
    given = {"manifests": manifests} if manifests else {}
    return Step.model_validate({**known, "timeout": "60s", **given, **fields})


def manifest(**container: Any) -> dict[str, Any]:
    """Return a manifest of the cart with other fields of its container, and nothing of how many pods it has."""
    made = workload()
    del made["spec"]["replicas"]
    made["spec"]["template"]["spec"]["containers"][0] |= container
    return made


def used(cluster: LiveCluster) -> set[str]:
    """Return the names of the ReplicaSets that have pods."""
    return {
        replica_set["metadata"]["name"]
        for replica_set in cluster.each("replicasets.apps")
        if replica_set["spec"]["replicas"]
    }


def test_what_it_created_goes_with_undo(cluster: LiveCluster, context: Context) -> None:
    """Settings, workloads that use them, a service, and a budget; twice."""
    settings = {**config_map(A="1"), "metadata": {"name": "stall"}}
    sets = [workload(kind, f"stall-{kind.lower()}") for kind in ("StatefulSet", "DaemonSet")]
    example = step(settings, workload(name="stall"), *sets, SERVICE, EXAMPLE["manifests"][1])
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert cluster.is_settled()
    assert cluster.get("services", "shop", "stall")["spec"]["clusterIP"]
    for _ in range(2):
        example.undo(context, remembered)
        assert [obj["metadata"]["name"] for obj in cluster.each("deployments.apps")] == ["cart"]
        kinds = ("services", "statefulsets.apps", "daemonsets.apps", "poddisruptionbudgets.policy")
        assert [obj for kind in kinds for obj in cluster.each(kind, "shop")] == []


def test_what_it_changed_comes_back(cluster: LiveCluster, context: Context) -> None:
    """The old ReplicaSet is used again: lists, new structures and defaults go back exactly; a port of a service too."""
    cluster.make({**SERVICE, "metadata": {"name": "stall", "namespace": "shop"}})
    before, sets = cluster.get("services", "shop", "stall")["spec"], used(cluster)
    service = {**SERVICE, "spec": {**SERVICE["spec"], "ports": [{"port": 80, "targetPort": 9090}]}}
    probe = {"httpGet": {"path": "/health", "port": 80}, "initialDelaySeconds": 600}
    env = [{"name": "A", "value": "1"}]
    example = step(manifest(image=NEW, env=env, livenessProbe=probe), service, force=True)
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert used(cluster).isdisjoint(sets)
    for _ in range(2):
        example.undo(context, remembered)
        assert cluster.get("services", "shop", "stall")["spec"] == before
        assert used(cluster) == sets


def test_a_workload_that_does_not_start_is_told_and_taken_back(cluster: LiveCluster, context: Context) -> None:
    """An existing one rolls back; a new one goes."""
    sets = used(cluster)
    new = workload(name="stall")
    new["spec"]["template"]["spec"]["containers"][0]["image"] = MISSING
    example = step(manifest(image=MISSING), new, force=True, timeout="15s")
    remembered = example.remember(context)
    with pytest.raises(StepFailed, match=r"'stall' in namespace shop: 0 of 3 updated .*ImagePull") as raised:
        example.apply(context, remembered)
    print(raised.value)
    example.undo(context, remembered)
    assert used(cluster) == sets
    assert cluster.is_settled()


def test_fields_of_others_are_refused_at_the_gate(cluster: LiveCluster, context: Context) -> None:
    """With the manager; so is a typing mistake, a kind that is not served, and what an autoscaler owns."""
    cluster.make(config_map(MAX_IDLE="10"))
    (message,) = step().missing_prerequisites(context)
    assert '(409): Apply failed with 1 conflict: conflict with "somebody"' in message
    assert message.endswith(": .data.MAX_IDLE Leave the field out, or set `force: true` to take it over.")
    wrong = workload()
    wrong["spec"]["replcias"] = 3
    message = step(wrong, force=True).missing_prerequisites(context)[0]
    assert message.startswith(
        "The manifest of deployments.apps 'cart' in namespace shop does not fit its kind; correct it."
    )
    assert message.endswith(".spec.replcias: field not declared in schema")
    with pytest.raises(StepFailed, match=r"does not serve Deploiment of apps/v1. Did you mean 'Deployment'\?"):
        step({"apiVersion": "apps/v1", "kind": "Deploiment", "metadata": {"name": "x"}}).missing_prerequisites(context)
    with pytest.raises(StepFailed, match="Is its CustomResourceDefinition installed"):
        step({"apiVersion": "example.org/v1", "kind": "Offer", "metadata": {"name": "x"}}).missing_prerequisites(
            context
        )
    cluster.make(autoscaler())
    assert (
        step(workload(), force=True)
        .missing_prerequisites(context)[0]
        .startswith("The manifest of Deployment cart sets replicas")
    )


def test_a_namespace_and_what_is_inside_it_go_together(cluster: LiveCluster, context: Context) -> None:
    """What does not exist yet cannot be tried; undo waits until all of it is gone."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stall", "labels": OURS}}
    inside = {**config_map(A="1"), "metadata": {"name": "a", "namespace": "stall"}}
    app = workload()
    app["metadata"]["namespace"] = "stall"
    example = step(namespace, inside, app)
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    example.apply(context, remembered)
    for _ in range(2):
        example.undo(context, remembered)
        assert "stall" not in [obj["metadata"]["name"] for obj in cluster.each("namespaces")]


def test_a_definition_and_its_objects_can_be_applied(cluster: LiveCluster, context: Context) -> None:
    """A cluster-wide object; its kind is served from then on."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "offers", "singular": "offer", "kind": "Offer"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    definition = {**kind, "metadata": {"name": "offers.example.org"}, "spec": spec}
    first, offer = step(definition), {"apiVersion": "example.org/v1", "kind": "Offer", "metadata": {"name": "half"}}
    assert first.missing_prerequisites(context) == []
    remembered = first.remember(context)
    first.apply(context, remembered)
    second = step({**offer, "price": 1})
    cluster.settle(lambda: is_served(second, context))
    assert second.missing_prerequisites(context) == []
    of_second = second.remember(context)
    second.apply(context, of_second)
    third = step({**offer, "price": 2})
    of_third = third.remember(context)
    third.apply(context, of_third)
    for example, memory in ((third, of_third), (second, of_second), (first, remembered)):
        for _ in range(2):
            example.undo(context, memory)
    assert not is_served(second, context)


def is_served(example: Step, context: Context) -> bool:
    """Return whether the cluster serves the kind of a manifest."""
    try:
        example.remember(context)
    except StepFailed:
        return False
    return True
