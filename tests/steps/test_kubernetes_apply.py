"""The step kubernetes_apply, against a local API server."""

from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import StepFailed
from changewindow.steps import kubernetes_config
from changewindow.steps.kubernetes_apply import EXAMPLE, Step
from changewindow.systems.context import Context
from servers.kubernetes import ApiServer
from servers.kubernetes.shop import NEW, autoscaler, config_map, workload

SETTINGS = ("configmaps", "shop", "cart-settings")
BUDGET = ("poddisruptionbudgets.policy", "shop", "cart")


def step(*manifests: dict[str, Any], **fields: Any) -> Step:
    """Return the example with other manifests and fields."""
    known = {key: value for key, value in EXAMPLE.items() if key != "kind"}
    return Step.model_validate({**known, **({"manifests": manifests} if manifests else {}), **fields})


def test_a_field_that_somebody_else_manages_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """The manager and the field are named; forced, the field is taken over and given back."""
    cluster.make(config_map(MAX_IDLE="10"))
    message = (
        "The API server of connection 'example_cluster' refused to patch configmaps 'cart-settings' in namespace shop "
        '(409): Apply failed with 1 conflict: conflict with "kubectl-create": .data.MAX_IDLE Leave the field out, or '
        "set `force: true` to take it over."
    )
    assert step().missing_prerequisites(context) == [message]
    assert step(force=True).missing_prerequisites(context) == []


def test_a_typing_mistake_in_a_manifest_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """The server reads strictly; that it answers as if it were in trouble itself misleads nobody."""
    wrong = workload()
    wrong["spec"]["replcias"] = 3
    (message,) = step(wrong).missing_prerequisites(context)
    assert message == (
        "The manifest of deployments.apps 'cart' in namespace shop does not fit its kind; correct it. The server says: "
        "failed to create typed patch object (shop/cart; apps/v1, Kind=Deployment): .spec.replcias: field not declared "
        "in schema"
    )


def test_a_kind_that_is_not_served_is_told(context: Context) -> None:
    """With the nearest name, or where to look."""
    wrong = {"apiVersion": "apps/v1", "kind": "Deploiment", "metadata": {"name": "x"}}
    with pytest.raises(StepFailed, match=r"does not serve Deploiment of apps/v1. Did you mean 'Deployment'\?"):
        step(wrong).missing_prerequisites(context)
    wrong |= {"apiVersion": "example.org/v1"}
    with pytest.raises(StepFailed, match="Is its CustomResourceDefinition installed"):
        step(wrong).missing_prerequisites(context)


def test_what_others_changed_in_other_fields_stays(cluster: ApiServer, context: Context) -> None:
    """Undo puts back only what apply changed, and deletes only what it created."""
    cluster.make(config_map(MAX_IDLE="10"))
    forced = step(force=True)
    remembered = forced.remember(context)
    forced.apply(context, remembered)
    cluster.store.edit(*SETTINGS, lambda obj: obj["data"].update(THEIRS="y"))
    forced.undo(context, remembered)
    assert cluster.get(*SETTINGS)["data"] == {"MAX_IDLE": "10", "THEIRS": "y"}
    assert cluster.each(BUDGET[0]) == []


def test_undo_does_the_rest_before_it_tells_what_it_could_not(cluster: ApiServer, context: Context) -> None:
    """One object that somebody else changed does not keep the others from being put back."""
    cluster.make(config_map(MAX_IDLE="10"))
    forced = step(*reversed(EXAMPLE["manifests"]), force=True)
    remembered = forced.remember(context)
    forced.apply(context, remembered)
    cluster.store.edit(*SETTINGS, lambda obj: obj["data"].update(MAX_IDLE="7"))
    with pytest.raises(StepFailed, match=r"data.MAX_IDLE is '7'"):
        forced.undo(context, remembered)
    assert cluster.each(BUDGET[0]) == []


def test_an_object_that_somebody_else_created_meanwhile_is_left(cluster: ApiServer, context: Context) -> None:
    """Apply refuses, and undo does not delete what is not ours."""
    example = step(EXAMPLE["manifests"][1])
    remembered = example.remember(context)
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "cart"}}}
    metadata = {"name": "cart", "namespace": "shop"}
    cluster.make({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec})
    with pytest.raises(StepFailed, match="was created by somebody else since the change began"):
        example.apply(context, remembered)
    example.undo(context, remembered)
    assert cluster.get(*BUDGET)["spec"]["minAvailable"] == 2


def manifest(**container: Any) -> dict[str, Any]:
    """Return a manifest of the cart with other fields of its container."""
    made = workload()
    del made["spec"]["replicas"]
    made["spec"]["template"]["spec"]["containers"][0] |= container
    return made


def test_a_deployment_is_waited_for_both_ways(cluster: ApiServer, context: Context) -> None:
    """Its old ReplicaSet is used again: lists, new structures and defaults go back exactly."""
    sets = {obj["metadata"]["name"] for obj in cluster.each("replicasets.apps")}
    probe = {"httpGet": {"path": "/health", "port": 80}}
    example = step(manifest(image=NEW, env=[{"name": "A", "value": "1"}], livenessProbe=probe), force=True)
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert cluster.is_settled()
    example.undo(context, remembered)
    assert {obj["metadata"]["name"] for obj in cluster.each("replicasets.apps") if obj["spec"]["replicas"]} == sets


def test_pods_that_do_not_start_are_told(cluster: ApiServer, context: Context) -> None:
    """As for any other rollout."""
    cluster.images.missing.add(NEW)
    example = step(manifest(image=NEW), force=True, timeout="2s")
    remembered = example.remember(context)
    with pytest.raises(StepFailed, match="ImagePullBackOff"):
        example.apply(context, remembered)
    example.undo(context, remembered)
    assert cluster.is_settled()


def test_every_workload_is_looked_at(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """Also what stands behind one that does not come about: its trouble is in the log, and its state in the error."""
    cluster.images.missing.add(NEW)
    stall = workload(name="stall")
    stall["spec"]["template"]["spec"]["containers"][0]["image"] = NEW
    example = step(manifest(image=NEW), stall, force=True, timeout="1s")
    with pytest.raises(
        StepFailed, match=r"'stall' in namespace shop: 0 of 3 updated replicas are available: pod stall"
    ):
        example.apply(context, example.remember(context))
    assert any(line.startswith("stall: pod stall-") for line in logged)


def test_replicas_that_an_autoscaler_owns_are_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """The two would fight over the number."""
    cluster.make(autoscaler())
    message = (
        "The manifest of Deployment cart sets replicas, which the HorizontalPodAutoscaler cart owns. Leave replicas "
        "out."
    )
    assert step(workload(), force=True).missing_prerequisites(context) == [message]
    assert step(manifest(), force=True).missing_prerequisites(context) == []


def test_a_namespace_and_what_is_inside_it_go_together(cluster: ApiServer, context: Context) -> None:
    """What does not exist yet cannot be tried, and goes with undo."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stall"}}
    inside = {**config_map(A="1"), "metadata": {"name": "a", "namespace": "stall"}}
    example = step(namespace, inside)
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert cluster.get("configmaps", "stall", "a")["data"] == {"A": "1"}
    example.undo(context, remembered)
    assert [obj["metadata"]["name"] for obj in cluster.each("namespaces")] == ["default", "shop"]


def test_what_is_inside_a_namespace_that_exists_is_tried(cluster: ApiServer, context: Context) -> None:
    """Also where the ticket brings the namespace along."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stall"}}
    inside = {**config_map(A="1"), "metadata": {"name": "a", "namespace": "stall"}}
    cluster.make(namespace, {**inside, "data": {"A": "0"}})
    (message,) = step(namespace, inside).missing_prerequisites(context)
    assert '(409): Apply failed with 1 conflict: conflict with "kubectl-create"' in message


def test_what_could_not_be_put_back_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """An immutable ConfigMap stays so; one that is new goes as a whole."""
    frozen = {**config_map(MAX_IDLE="5"), "immutable": True}
    assert step(frozen).missing_prerequisites(context) == []
    cluster.make(config_map(MAX_IDLE="10"))
    message = (
        "immutable of configmaps 'cart-settings' in namespace shop can be set, but not restored: the API server "
        "forbids that. Leave it out, or make a new object instead."
    )
    assert step(frozen, force=True).missing_prerequisites(context) == [message]


def test_what_is_being_deleted_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """A finalizer may keep it for long, and what is written into it goes with it."""
    cluster.make(config_map(MAX_IDLE="10"))
    going = {"deletionTimestamp": "2026-03-17T14:00:00Z", "finalizers": ["example.org/hold"]}
    cluster.edit("configmaps", "shop", "cart-settings", lambda obj: obj["metadata"].update(going))
    marked = "configmaps 'cart-settings' in namespace shop was marked for deletion at 2026-03-17T14:00:00Z."
    message = f"{marked} Find out by whom."
    assert step(config_map(MAX_IDLE="5"), force=True).missing_prerequisites(context) == [message]
    config = kubernetes_config.Step.model_validate(
        {key: value for key, value in kubernetes_config.EXAMPLE.items() if key != "kind"} | {"restart": "nothing"}
    )
    assert config.missing_prerequisites(context) == [message]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, "a Secret has no place in a ticket"),
        ({"kind": "ConfigMap", "metadata": {"name": "x"}}, "a manifest has apiVersion, kind, and metadata with a name"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x"}}, "metadata with a name"),
        (
            {"apiVersion": "v1", "kind": "List", "items": [config_map()]},
            "Write each of its items as a manifest of its own",
        ),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "status": {}}, "written by controllers"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "uid": "1"}}, "written by the server"),
    ],
)
def test_what_must_not_stand_in_a_ticket_is_refused(wrong: dict[str, Any], message: str) -> None:
    """Before anybody approves it."""
    with pytest.raises(ValidationError, match=message):
        step(wrong)
