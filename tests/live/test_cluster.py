"""The kinds of step that act on Kubernetes, in a real cluster: see cluster.sh."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import LockRevoked, StepFailed
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.rollout import left
from servers.kubernetes.live import LiveCluster
from servers.kubernetes.shop import NEW, OLD, autoscaler, config_map, quota, watched, workload
from support.cluster_steps import CART, CRASHING, MISSING, UNREADY, failure, image, step


def used(cluster: LiveCluster) -> set[str]:
    """Return the names of the ReplicaSets that have pods."""
    return {
        replica_set["metadata"]["name"]
        for replica_set in cluster.each("replicasets.apps")
        if replica_set["spec"]["replicas"]
    }


def as_account(cluster: LiveCluster, context: Context, *rules: dict[str, Any]) -> Context:
    """Return a context whose account may do what the rules say."""
    cluster.employ("robot", *rules)
    known = cluster.robot("robot")
    return Context("CHG-1042", 1, lambda _: known, context.log)


def rule(group: str, resource: str, *verbs: str) -> dict[str, Any]:
    """Return a rule of a Role."""
    return {"apiGroups": [group], "resources": [resource], "verbs": [*verbs]}


@pytest.mark.parametrize(
    ("kind", "resource"),
    [("image", "deployments.apps"), ("restart", "deployments.apps"), ("scale", "deployments.apps/scale")],
)
def test_a_right_that_is_missing_is_named(cluster: LiveCluster, context: Context, kind: str, resource: str) -> None:
    """At the gate, and when it was taken away later."""
    robot = as_account(cluster, context, rule("apps", "deployments", "get"), rule("apps", "replicasets", "list"))
    asked = f"The account of connection 'example_cluster' may not patch {resource} 'cart' in namespace shop"
    advice = f"Give it the verb 'patch' on {resource} by a Role and RoleBinding."
    assert step(kind).missing_prerequisites(robot) == [f"{asked}. {advice}"]
    message = failure(robot, step(kind))
    assert message.startswith(
        f'{asked} (403). {advice} The server says: deployments.apps "cart" is forbidden: User "system:'
    )


def test_credentials_that_are_wrong_or_no_longer_valid_are_told(cluster: LiveCluster, context: Context) -> None:
    """A token ends with its account."""
    robot = as_account(cluster, context, rule("apps", "deployments", "get"))
    assert step("scale").remember(robot)
    cluster.delete("serviceaccounts", "shop", "robot")
    message = "The cluster of connection 'example_cluster' does not accept its credentials (401)"
    with pytest.raises(StepFailed, match="401") as raised:
        cluster.settle(lambda: not step("scale").remember(robot))
    assert str(raised.value).startswith(message)
    host = cluster.api.configuration.host
    wrong = Connection("example_cluster", "kubernetes", host=host, password="wrong", extra={"disable_verify_ssl": True})
    with pytest.raises(StepFailed) as raised:
        step("scale").remember(Context("CHG-1042", 1, lambda _: wrong, context.log))
    assert str(raised.value).startswith(message)
    untrusted = Connection("example_cluster", "kubernetes", host=host, password="wrong")
    with pytest.raises(StepFailed, match=r"gave no reply: SSL.* trusted"):
        step("scale").remember(Context("CHG-1042", 1, lambda _: untrusted, context.log))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (MISSING, ["1 of 3 new replicas are updated", "container cart: ", "ImagePull", MISSING]),
        (CRASHING, ["container cart: CrashLoopBackOff: ", "exit code 3"]),
        (UNREADY, ["runs, but is not ready (its readiness probe fails or has not passed yet)"]),
    ],
    ids=["cannot be pulled", "crashes", "never gets ready"],
)
def test_pods_that_do_not_work_are_told_and_taken_back(
    cluster: LiveCluster, context: Context, wrong: str, message: list[str]
) -> None:
    """The deployment exceeds its progress deadline; undo gives the ReplicaSet of before."""
    before, example = used(cluster), step("image", image=wrong)
    cluster.edit(*CART, lambda obj: obj["spec"].update(progressDeadlineSeconds=20))  # and at once remembered
    remembered = example.remember(context)
    failed = failure(context, example, remembered=remembered)
    assert failed.startswith("deployments.apps 'cart' in namespace shop exceeded its progress deadline. ")
    assert [part for part in message if part not in failed] == []
    for _ in range(2):
        example.undo(context, remembered)
        assert (image(cluster), used(cluster), cluster.is_settled()) == (OLD, before, True)


def test_a_quota_is_told(cluster: LiveCluster, context: Context) -> None:
    """For a rollout, and for scaling, where undo is quick."""
    cluster.make(quota(3))
    cluster.settle(lambda: cluster.get("resourcequotas", "shop", "small").get("status", {}).get("used"))
    example = step("image")
    remembered = example.remember(context)
    message = failure(context, example, remembered=remembered)
    assert "FailedCreate: pods " in message
    assert "exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3" in message
    example.undo(context, remembered)
    remembered = step("scale").remember(context)
    message = failure(context, step("scale", timeout="5s"), remembered=remembered)
    assert "there are 3 pods, 5 wanted: " in message
    assert "exceeded quota: small" in message
    step("scale").undo(context, remembered)
    assert cluster.is_settled()


def test_somebody_elses_edit_is_kept(cluster: LiveCluster, context: Context) -> None:
    """Another field stays; the same field is not overwritten."""
    example = step("image")
    remembered = example.remember(context)
    example.apply(context, remembered)

    def sets(name: str, value: Any) -> Callable[[Any], None]:
        return lambda obj: obj["spec"]["template"]["spec"]["containers"][0].update({name: value})

    cluster.edit(*CART, sets("env", [{"name": "DEBUG", "value": "1"}]))
    example.undo(context, remembered)
    container = cluster.get(*CART)["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == (OLD, [{"name": "DEBUG", "value": "1"}])
    cluster.edit(*CART, sets("image", UNREADY))
    for way in ("apply", "undo"):
        assert f"image is '{UNREADY}', neither '{OLD}'" in failure(context, example, way, remembered)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("StatefulSet", MISSING), ("StatefulSet", CRASHING), ("DaemonSet", MISSING), ("DaemonSet", UNREADY)],
)
def test_a_set_that_is_stuck_comes_back(cluster: LiveCluster, context: Context, kind: str, wrong: str) -> None:
    """Those pods of a StatefulSet that would block its rollback are deleted."""
    place = (f"{kind.lower()}s.apps", "shop", "db")
    cluster.make(watched(kind, "db"))
    cluster.settle(lambda: not left(cluster.get(*place)))
    example = step("image", workload=f"{kind.lower()}/db", image=wrong, timeout="15s")
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    message = failure(context, example, remembered=remembered)
    assert message.startswith("Timed out after 15s, waiting until ")
    assert any(sign in message for sign in ("ImagePull", "is not ready", "CrashLoopBackOff"))
    back = step("image", workload=f"{kind.lower()}/db", image=wrong)
    for _ in range(2):
        back.undo(context, remembered)
        assert image(cluster, place) == OLD
    pods = [pod for pod in cluster.each("pods", "shop") if pod["metadata"]["labels"]["app"] == "db"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {OLD}
    good = step("image", workload=f"{kind.lower()}/db")
    good.apply(context, good.remember(context))
    assert image(cluster, place) == NEW


def test_a_stateful_set_is_scaled_restarted_and_given_another_image(cluster: LiveCluster, context: Context) -> None:
    """And all of it is rolled back, twice."""
    cluster.make(workload("StatefulSet", "db", replicas=2))
    cluster.settle(cluster.is_settled)
    for example in [
        step("scale", workload="statefulset/db", replicas=3),
        step("scale", workload="statefulset/db", replicas=0),
        step("restart", workload="statefulset/db"),
        step("image", workload="statefulset/db"),
    ]:
        assert example.missing_prerequisites(context) == []
        before, remembered = cluster.get("statefulsets.apps", "shop", "db")["spec"], example.remember(context)
        example.apply(context, remembered)
        assert cluster.is_settled()
        for _ in range(2):
            example.undo(context, remembered)
            assert cluster.is_settled()
        assert cluster.get("statefulsets.apps", "shop", "db")["spec"] == before


def test_a_restart_of_all_users_of_a_config_map_is_taken_back(cluster: LiveCluster, context: Context) -> None:
    """By the ReplicaSet of before, with the value of before in the pods."""
    cluster.make(config_map(MAX_IDLE="10"), workload("DaemonSet", "agent"))
    cluster.settle(lambda: not left(cluster.get("daemonsets.apps", "shop", "agent")))
    before, example = used(cluster), step("config", restart="users")
    assert example.missing_prerequisites(context) == []
    remembered = example.remember(context)
    assert [restart["name"] for restart in remembered["restarts"]] == ["cart", "agent"]
    pods = {pod["metadata"]["uid"] for pod in cluster.each("pods", "shop")}
    example.apply(context, remembered)
    alive = [pod for pod in cluster.each("pods", "shop") if "deletionTimestamp" not in pod["metadata"]]
    assert pods.isdisjoint(pod["metadata"]["uid"] for pod in alive)
    example.undo(context, remembered)
    assert used(cluster) == before


def test_an_autoscaler_is_seen(cluster: LiveCluster, context: Context) -> None:
    """It owns the scale."""
    cluster.make(autoscaler())
    assert "The HorizontalPodAutoscaler cart owns the scale" in step("scale").missing_prerequisites(context)[0]


def test_a_job_tells_its_log_and_how_it_ended(cluster: LiveCluster, context: Context, logged: list[str]) -> None:
    """Line by line, also those that are equal; it runs once."""
    example = step("job", secrets={}, command=["sh", "-c", "echo first; echo same; echo same; echo no table; exit 3"])
    remembered = example.remember(context)
    assert example.missing_prerequisites(context) == []
    message = failure(context, example, remembered=remembered)
    assert [line for line in logged if line in {"first", "same", "no table"}] == ["first", "same", "same", "no table"]
    assert "container run: Error, exit code 3" in message
    assert "BackoffLimitExceeded: Job has reached the specified backoff limit" in message
    assert len([pod for pod in cluster.each("pods", "shop") if "job-name" in pod["metadata"]["labels"]]) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"image": MISSING}, "ImagePull"), ({"secrets": {"A": "nowhere/key"}}, 'secret "nowhere" not found')],
)
def test_a_job_that_cannot_start_is_told(context: Context, fields: dict[str, Any], message: str) -> None:
    """The cluster ends it when its time is over."""
    failed = failure(context, step("job", **{"secrets": {}, "command": ["true"], "timeout": "8s", **fields}))
    assert message in failed
    assert "DeadlineExceeded: Job was active longer than specified deadline" in failed


def test_undo_of_a_job_ends_it_before_it_takes_it_back(cluster: LiveCluster, context: Context, tmp_path: Path) -> None:
    """The pod of a revoked apply is gone before the undo container starts."""
    written, undone = tmp_path / "written", tmp_path / "undone"
    tmp_path.chmod(0o777)
    forth = f"trap 'exit 1' TERM; echo begun; touch {written}; sleep 60 & wait; touch {written}"
    back = ["sh", "-c", f"rm {written} && touch {undone}"]
    example = step("job", secrets={}, command=["sh", "-c", forth], undo={"command": back})
    remembered = example.remember(context)
    log = context.log
    context.log = lambda line: (log(line), context.stopped.set() if line == "begun" else None)  # type: ignore[assignment]
    with pytest.raises(LockRevoked):
        example.apply(context, remembered)
    for _ in range(2):
        example.undo(Context("CHG-1042", 1, context.connections, log), remembered)
        assert (written.exists(), undone.exists()) == (False, True)
    assert [job["metadata"]["name"] for job in cluster.each("jobs.batch", "shop")] == [remembered["undo_job"]]


def test_what_only_events_tell_is_told(cluster: LiveCluster, context: Context) -> None:
    """A volume that is missing, and pods of a set or a job that a quota forbids."""
    mounting = watched(name="mounting")
    spec = mounting["spec"]["template"]["spec"]
    spec["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": "/x"}]
    spec["volumes"] = [{"name": "x", "configMap": {"name": "nowhere"}}]
    cluster.make(mounting, workload("StatefulSet", "db", replicas=1))
    cluster.settle(lambda: not left(cluster.get("statefulsets.apps", "shop", "db")))
    message = failure(context, step("restart", workload="deployment/mounting", timeout="12s"))
    assert 'FailedMount: MountVolume.SetUp failed for volume "x" : configmap "nowhere" not found' in message
    cluster.delete("deployments.apps", "shop", "mounting")
    cluster.settle(lambda: len(cluster.each("pods", "shop")) == 4)
    cluster.make(quota(4))
    cluster.settle(lambda: cluster.get("resourcequotas", "shop", "small").get("status", {}).get("used"))
    example = step("scale", workload="statefulset/db", replicas=2, timeout="5s")
    remembered = example.remember(context)
    assert "exceeded quota: small" in failure(context, example, remembered=remembered)
    example.undo(context, remembered)
    message = failure(context, step("job", secrets={}, command=["true"], timeout="5s"))
    assert "FailedCreate: Error creating: pods " in message
    assert "exceeded quota: small" in message
