"""What only a real cluster does to a change - policies, evictions, finalizers, long logs: see cluster.sh."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from changewindow.systems.context import Context
from changewindow.systems.kubernetes.resource import Resource, core
from changewindow.systems.kubernetes.rollout import left
from servers.kubernetes.live import OURS, LiveCluster
from servers.kubernetes.shop import NEW, OLD, config_map, watched, workload
from support.cluster_steps import CART, UNREADY, failure, image, step

ADMISSION = "admissionregistration.k8s.io"
POLICIES = {
    "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
}
HOLD = "example.org/hold"


def at_line(context: Context, start: str, do: Callable[[], object]) -> None:
    """Do something once, when a line of the log starts so."""
    log, left_to_do = context.log, [do]

    def also(line: str) -> None:
        log(line)
        if line.startswith(start) and left_to_do:
            left_to_do.pop()()

    context.log = also


def held(name: str, namespace: str = "shop") -> dict[str, Any]:
    """Return a ConfigMap that stays until somebody removes its finalizer."""
    return {**config_map(A="1"), "metadata": {"name": name, "namespace": namespace, "finalizers": [HOLD]}}


def release(cluster: LiveCluster, name: str, namespace: str = "shop") -> None:
    """Remove the finalizer."""
    cluster.edit("configmaps", namespace, name, lambda obj: obj["metadata"].pop("finalizers"))


@contextmanager
def policy(cluster: LiveCluster, expression: str, message: str) -> Iterator[None]:
    """Forbid deployments of the tests to be unlike an expression."""
    operations = {"operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], **operations}
    validation = {"expression": expression, "message": message}
    bound = {"policyName": "live", "validationActions": ["Deny"]}
    specs = (
        {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]},
        {**bound, "matchResources": {"namespaceSelector": {"matchLabels": OURS}}},
    )
    try:
        for (plural, kind), spec in zip(POLICIES.items(), specs, strict=True):
            body = {"apiVersion": f"{ADMISSION}/v1", "kind": kind, "metadata": {"name": "live"}, "spec": spec}
            cluster.send("POST", Resource(ADMISSION, "v1", plural), body)
        yield
    finally:
        for plural in POLICIES:
            cluster.send("DELETE", Resource(ADMISSION, "v1", plural, name="live"), passes=(404,))


def test_what_a_policy_forbids_is_refused_at_the_gate(cluster: LiveCluster, context: Context) -> None:
    """The gate tells it in the policy's own words; what it allows is let through."""
    expression = "!object.spec.template.spec.containers.exists(one, one.image.endsWith(':2.15.0'))"
    example = step("image")
    assert example.missing_prerequisites(context) == []
    with policy(cluster, expression, "2.15 is not signed"):
        (message,) = cluster.settle(lambda: example.missing_prerequisites(context))
        assert "refused to patch deployments.apps 'cart' in namespace shop (" in message
        assert message.endswith("denied request: 2.15 is not signed")
        assert step("image", image=UNREADY).missing_prerequisites(context) == []


def test_pods_that_security_forbids_are_told(cluster: LiveCluster, context: Context) -> None:
    """Those of a rollout, which is rolled back all the same, and the one of a job."""
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.edit("namespaces", "", "shop", lambda obj: obj["metadata"]["labels"].update(enforce))
    example = step("image", timeout="20s")
    remembered = example.remember(context)
    assert 'is forbidden: violates PodSecurity "restricted:latest"' in failure(context, example, remembered=remembered)
    example.undo(context, remembered)
    assert cluster.is_settled()
    message = failure(context, step("job", secrets={}, command=["true"], timeout="5s"))
    assert "runAsNonRoot != true" in message


@pytest.mark.parametrize("instead", [OLD, UNREADY])
def test_an_image_that_is_put_back_is_no_success(cluster: LiveCluster, context: Context, instead: str) -> None:
    """Whoever rolled out something else, it is told at once."""

    def meddle(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = instead

    at_line(context, "waiting until", lambda: cluster.edit(*CART, meddle))
    assert f"cart.image is '{instead}', not '{NEW}'" in failure(context, step("image"))


def test_a_long_and_ugly_log_is_told_to_its_end(cluster: LiveCluster, context: Context, logged: list[str]) -> None:
    """More within a second than is read at once, bars of progress, what is no text, and a line of megabytes."""
    ugly = r"printf '10 %%\r20 %%\rdone\f\034end\n'; printf '\377\000\n'; head -c 3000000 /dev/zero | tr '\000' a; echo"
    line = f"seq 100001 400000; {ugly}; echo last words; exit 3"
    failure(context, step("job", secrets={}, command=["sh", "-c", line]))
    assert [line for line in logged if line.isdigit()] == [str(number) for number in range(100001, 400001)]
    rest = [line for line in logged if not line.isdigit()]
    first = rest.index(r"10 %\u000d20 %\u000ddone\u000c\u001cend")
    assert [rest[first + 1], rest[first + 3]] == ["\ufffd\\u0000", "last words"]
    assert rest[first + 2].startswith("aaa")
    logged.clear()  # nobody reads that


@pytest.mark.parametrize(
    ("how", "message"),
    [("eviction", "EvictionByEvictionAPI: Eviction API: evicting"), ("", "is deleted before its end")],
)
def test_a_job_whose_pod_is_taken_away_is_told(cluster: LiveCluster, context: Context, how: str, message: str) -> None:
    """By a drain, or by somebody, also when it is gone before it is looked at again; it is not run again."""

    def take() -> None:
        (name,) = (pod["metadata"]["name"] for pod in pods_of_jobs(cluster))
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "shop"}}
        verb = ("POST", core("pods", "shop", name, how), body) if how else ("DELETE", core("pods", "shop", name), None)
        cluster.send(*verb)

    at_line(context, "begun", take)
    line = "trap 'echo ending; exit 1' TERM; echo begun; sleep 60 & wait"
    told = failure(context, step("job", secrets={}, command=["sh", "-c", line]))
    assert message in told or "its pod is gone: it was deleted before its end, not by its Job" in told
    assert len(pods_of_jobs(cluster)) <= 1


def pods_of_jobs(cluster: LiveCluster) -> list[dict[str, Any]]:
    """Return the pods that Jobs made."""
    return [pod for pod in cluster.each("pods", "shop") if "job-name" in pod["metadata"]["labels"]]


def test_what_keeps_an_object_from_going_is_told(cluster: LiveCluster, context: Context) -> None:
    """Its own finalizer, or what is inside a namespace; then undo goes on where it was."""
    example = step("apply", manifests=[held("held")], timeout="3s")
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert f"What keeps it: finalizer {HOLD}." in failure(context, example, "undo", remembered)
    (message,) = example.missing_prerequisites(context)
    assert "was marked for deletion at" in message
    release(cluster, "held")
    example.undo(context, remembered)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stall", "labels": OURS}}
    example = step("apply", manifests=[space], timeout="8s")
    remembered = example.remember(context)
    example.apply(context, remembered)
    cluster.make(held("held", "stall"))
    assert f"{HOLD} in 1 resource instances" in failure(context, example, "undo", remembered)
    release(cluster, "held", "stall")
    example.undo(context, remembered)


def test_a_daemon_set_that_was_applied_comes_back_twice(cluster: LiveCluster, context: Context) -> None:
    """Although its server counts templates in an annotation, the rollback included."""
    place = ("daemonsets.apps", "shop", "agent")
    cluster.make(workload("DaemonSet", "agent"))
    cluster.settle(lambda: not left(cluster.get(*place)))
    manifest = workload("DaemonSet", "agent")
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = NEW
    example = step("apply", manifests=[manifest], force=True)
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert image(cluster, place) == NEW
    for _ in range(2):
        example.undo(context, remembered)
        assert image(cluster, place) == OLD


def test_a_part_of_a_stateful_set_is_updated_and_comes_back(cluster: LiveCluster, context: Context) -> None:
    """The pods below its partition stay; a partition of all of them is refused at the gate."""
    strategy: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    cluster.make(watched("StatefulSet", "db", updateStrategy=strategy))
    place = ("statefulsets.apps", "shop", "db")
    cluster.settle(lambda: not left(cluster.get(*place)))
    example = step("image", workload="statefulset/db")
    assert "is 3: all of its 3 pods stay as they are" in example.missing_prerequisites(context)[0]
    cluster.edit(*place, lambda obj: obj["spec"]["updateStrategy"]["rollingUpdate"].update(partition=1))
    cluster.settle(lambda: not left(cluster.get(*place)))
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert images_of_db(cluster) == [OLD, NEW, NEW]
    for _ in range(2):
        example.undo(context, remembered)
        assert images_of_db(cluster) == [OLD, OLD, OLD]


def images_of_db(cluster: LiveCluster) -> list[str]:
    """Return the images of the pods, the first pod in front."""
    pods = {pod["metadata"]["name"]: pod for pod in cluster.each("pods", "shop")}
    return [pods[f"db-{number}"]["spec"]["containers"][0]["image"] for number in range(3)]
