"""The steps kubernetes_scale and kubernetes_restart, against a local API server."""

from typing import Any

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.kubernetes_restart import EXAMPLE as RESTART
from changewindow.steps.kubernetes_restart import Step as Restart
from changewindow.steps.kubernetes_scale import EXAMPLE, Step
from changewindow.systems.context import Context
from servers.kubernetes import ApiServer, Trouble
from servers.kubernetes.shop import autoscaler, quota, workload

PLACE = ("deployments.apps", "shop", "cart")


def step(**fields: Any) -> Step:
    """Return the example with other fields."""
    return Step.model_validate({**{key: value for key, value in EXAMPLE.items() if key != "kind"}, **fields})


def replicas(cluster: ApiServer) -> int:
    """Return how many pods are wanted."""
    return int(cluster.get(*PLACE)["spec"]["replicas"])


def test_it_scales_to_nothing_and_back(cluster: ApiServer, context: Context) -> None:
    """The API leaves out a number that is 0."""
    none = step(replicas=0)
    remembered = none.remember(context)
    none.apply(context, remembered)
    assert cluster.each("pods") == []
    none.undo(context, remembered)
    assert cluster.get(*PLACE)["status"]["readyReplicas"] == 3


def test_an_autoscaler_that_owns_the_scale_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """It would set its own number at once; only switching it off is let through."""
    cluster.make(autoscaler())
    message = (
        "The HorizontalPodAutoscaler cart owns the scale of deployments.apps 'cart' in namespace shop and would set "
        "its own number at once. Change its minReplicas and maxReplicas instead, for instance with kubernetes_apply."
    )
    assert step().missing_prerequisites(context) == [message]
    assert step(replicas=0).missing_prerequisites(context) == []


def test_a_number_that_somebody_else_set_is_not_overwritten(cluster: ApiServer, context: Context) -> None:
    """More pods may be there for a reason."""
    remembered = step().remember(context)
    step().apply(context, remembered)
    cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(replicas=9))
    with pytest.raises(StepFailed, match=r"spec.replicas is 9, neither 3 \(before this change\) nor 5"):
        step().undo(context, remembered)
    assert replicas(cluster) == 9


@pytest.mark.parametrize("instead", [3, 4])
def test_another_number_of_pods_is_not_taken_for_its_own(cluster: ApiServer, context: Context, instead: int) -> None:
    """Somebody, or an autoscaler that is new, scales while this step waits."""
    log = context.log

    def meddle(line: str) -> None:
        log(line)
        if line.startswith("waiting until"):
            cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(replicas=instead))

    context.log = meddle
    remembered = step().remember(context)
    with pytest.raises(StepFailed) as raised:
        step().apply(context, remembered)
    assert str(raised.value).startswith(
        "Somebody else has changed deployments.apps 'cart' in namespace shop during its rollout: "
        f"spec.replicas is {instead}, not 5. Find out who did, or what resets it (Argo CD, "
        "Flux, an operator, a webhook that writes something else each time), and make the change there."
    )


def test_a_quota_ends_the_wait_with_its_reason(cluster: ApiServer, context: Context) -> None:
    """And undo is quick, for it takes away what was never there."""
    cluster.make(quota(4))
    remembered = step().remember(context)
    with pytest.raises(StepFailed, match=r"there are 4 pods, 5 wanted: .*exceeded quota: small"):
        step(timeout="1s").apply(context, remembered)
    step().undo(context, remembered)
    assert cluster.get(*PLACE)["status"]["readyReplicas"] == 3


def test_a_quota_that_hinders_a_stateful_set_is_told(cluster: ApiServer, context: Context) -> None:
    """The pods that are there say nothing of those that are not; the set does, in an event."""
    cluster.make(workload("StatefulSet", "db", replicas=1))
    cluster.settle(cluster.is_settled)
    cluster.make(quota(5))
    example = step(workload="statefulset/db", timeout="1s")
    with pytest.raises(StepFailed, match=r"there are 2 pods, 5 wanted: db: FailedCreate: .*exceeded quota: small"):
        example.apply(context, example.remember(context))


def test_a_right_to_the_scale_is_enough_and_needed(cluster: ApiServer, context: Context) -> None:
    """Scaling needs no right to change anything else of a deployment."""
    cluster.api.denied.add(("patch", "deployments.apps"))
    assert step().missing_prerequisites(context) == []
    cluster.api.denied.add(("patch", "deployments.apps/scale"))
    assert (
        step()
        .missing_prerequisites(context)[0]
        .startswith(
            "The account of connection 'example_cluster' may not patch deployments.apps/scale 'cart' in namespace shop."
        )
    )


def test_a_server_that_asks_to_wait_is_asked_again(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """429 with Retry-After is no failure, and neither are 503 and 410 while it waits."""
    busy = {"status": 429, "message": "too many requests", "headers": {"Retry-After": "1"}}
    cluster.api.troubles.append(Trouble("^PATCH", **busy))
    cluster.api.troubles.append(Trouble("^GET .*replicasets", status=410, message="too old resource version"))
    remembered = step().remember(context)
    step().apply(context, remembered)
    assert replicas(cluster) == 5
    assert any("asks to wait 1 s (429)" in line for line in logged)


def test_a_wait_outlives_a_server_that_is_away_for_a_moment(
    cluster: ApiServer, context: Context, logged: list[str]
) -> None:
    """One look that fails decides nothing."""
    remembered = step().remember(context)
    patched = Trouble("^PATCH", do=lambda: cluster.api.troubles.append(Trouble("^GET", status=500, message="etcd")))
    cluster.api.troubles.append(patched)
    step().apply(context, remembered)
    assert any(line.startswith("ignored, and looking again: ") and "(500): etcd" in line for line in logged)


def test_a_wait_outlives_a_server_that_starts_anew(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """Until it has read accounts and rights it refuses everybody; a refusal out of the blue is one."""
    remembered = step().remember(context)
    denied, again = (Trouble("^GET", 403, 'User "robot" cannot get resource "deployments"') for _ in range(2))
    starts = [Trouble("^GET", 500, "etcd"), denied, Trouble("^GET", 401, times=2)]
    cluster.api.troubles.append(Trouble("^PATCH", do=lambda: cluster.api.troubles.extend(starts)))
    step().apply(context, remembered)
    assert len([line for line in logged if line.startswith("ignored, and looking again: ")]) == 3
    cluster.api.troubles.append(Trouble("^PATCH", do=lambda: cluster.api.troubles.append(again)))
    with pytest.raises(StepFailed, match=r"may not get deployments.apps 'cart' in namespace shop"):
        step().undo(context, remembered)


def test_a_patch_whose_answer_was_lost_is_taken_back(cluster: ApiServer, context: Context) -> None:
    """It fails the step although it had its effect; undo finds that out."""
    remembered = step().remember(context)
    cluster.api.troubles.append(Trouble("^PATCH", status=500, message="timed out", is_after=True))
    with pytest.raises(StepFailed, match=r"failed to patch deployments.apps/scale 'cart' .* \(500\): timed out"):
        step().apply(context, remembered)
    assert replicas(cluster) == 5
    step().undo(context, remembered)
    assert replicas(cluster) == 3


def test_an_expired_token_is_fetched_anew_once_and_then_told(cluster: ApiServer, context: Context) -> None:
    """Credentials that were renewed meanwhile are taken; those that stay refused end it."""
    cluster.api.troubles.append(Trouble("^GET", status=401, message="Unauthorized"))
    assert step().remember(context)["was_scaled"]
    cluster.api.users.clear()
    with pytest.raises(StepFailed) as raised:
        step().remember(context)
    assert str(raised.value) == (
        "The cluster of connection 'example_cluster' does not accept its credentials (401): they are wrong, or have "
        "expired. Renew them under Admin, Connections."
    )


def test_a_right_taken_away_meanwhile_is_named(cluster: ApiServer, context: Context) -> None:
    """Verb, resource and namespace, with what the server says."""
    remembered = step().remember(context)
    cluster.api.denied.add(("patch", "deployments.apps/scale"))
    with pytest.raises(StepFailed) as raised:
        step().apply(context, remembered)
    assert str(raised.value) == (
        "The account of connection 'example_cluster' may not patch deployments.apps/scale 'cart' in namespace shop "
        "(403). Give it the verb 'patch' on deployments.apps/scale by a Role and RoleBinding. The server says: "
        'deployments.apps "cart" is forbidden: User "robot" cannot patch resource "deployments/scale" in API group '
        '"apps" in the namespace "shop"'
    )


def test_a_restart_replaces_all_pods_once(cluster: ApiServer, context: Context) -> None:
    """And undo goes back to the ReplicaSet of before."""
    restart = Restart.model_validate({key: value for key, value in RESTART.items() if key != "kind"})
    assert restart.missing_prerequisites(context) == []
    before = {pod["metadata"]["uid"] for pod in cluster.each("pods")}
    sets = {obj["metadata"]["name"] for obj in cluster.each("replicasets.apps")}
    remembered = restart.remember(context)
    restart.apply(context, remembered)
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in cluster.each("pods"))
    restart.undo(context, remembered)
    assert {obj["metadata"]["name"] for obj in cluster.each("replicasets.apps") if obj["spec"]["replicas"]} == sets
