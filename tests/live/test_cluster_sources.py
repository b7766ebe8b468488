"""The sources kubernetes_pods and kubernetes_logs, in a real cluster: see cluster.sh."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError
from servers.kubernetes.asking import ask
from servers.kubernetes.live import LiveCluster
from servers.kubernetes.shop import OLD

CART = ("deployments.apps", "shop", "cart")
REPOSITORY = OLD.partition(":")[0]
MISSING, CRASHING, UNREADY = (f"{REPOSITORY}:{name}" for name in ("nope", "crashing", "unready"))


def use(cluster: LiveCluster, image: str, **spec: Any) -> None:
    """Let somebody set an image."""

    def do(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image
        obj["spec"].update(spec)

    cluster.edit(*CART, do)


def restarts(cluster: LiveCluster) -> int:
    """Return how often containers were restarted."""
    pods = cluster.each("pods", "shop")
    return sum(status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses") or [])


async def test_pods_are_counted_and_their_reasons_read(cluster: LiveCluster) -> None:
    """Of all pods that are wanted; a rollout that is stuck shows by its reason, for all others are still there."""
    known = cluster.connection()
    assert (await ask(known, "pods", read="ready")).value == 1.0
    assert (await ask(known, "pods", read="missing")).value == 0
    assert (await ask(known, "pods", read="waiting")).value == "nothing"
    use(cluster, MISSING)
    cluster.settle(lambda: "ImagePull" in str(cluster.each("pods", "shop")))
    assert (await ask(known, "pods", read="waiting")).value in {"ErrImagePull", "ImagePullBackOff"}
    assert (await ask(known, "pods", read="ready")).value == 1.0
    cluster.edit(*CART, lambda obj: obj["spec"].update(replicas=0))
    cluster.settle(lambda: not cluster.get(*CART)["status"].get("replicas"))
    with pytest.raises(SourceError, match="wants no pods"):
        await ask(known, "pods", read="ready")


async def test_restarts_since_the_change_are_counted(cluster: LiveCluster) -> None:
    """In pods that are younger, from the first reading on; none that was before."""
    known, since, kept = cluster.connection(), datetime.now(UTC), dict[str, Any]()
    assert (await ask(known, "pods", kept, read="restarts", since=since)).value == 0
    use(cluster, CRASHING)
    cluster.settle(lambda: restarts(cluster) >= 2)
    counted, there = (await ask(known, "pods", kept, read="restarts", since=since)).value, restarts(cluster)
    assert isinstance(counted, float)
    assert 2 <= counted <= there
    assert (await ask(known, "pods", read="restarts")).value in {counted, there}
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert (await ask(known, "pods", read="restarts", since=later)).value == 0
    cluster.settle(lambda: "CrashLoopBackOff" in str(cluster.each("pods", "shop")))


async def test_lines_since_the_change_are_counted(cluster: LiveCluster) -> None:
    """All pods say that they started; a container that crashed says why, and the one before it too."""
    known = cluster.connection()
    assert (await ask(known, "logs", matches="started$")).value == 3
    assert (await ask(known, "logs", matches="started$", since=datetime.now(UTC))).value == 0
    since = datetime.now(UTC)
    use(cluster, CRASHING)
    cluster.settle(lambda: restarts(cluster) >= 1)
    value = (await ask(known, "logs", matches="^panic: no database$", since=since)).value
    assert isinstance(value, float)
    assert value >= 1


async def test_no_log_at_all_is_no_data(cluster: LiveCluster) -> None:
    """Silence of pods that never started proves nothing."""
    use(cluster, MISSING, strategy={"type": "Recreate"})
    cluster.settle(lambda: ["ImagePull" in str(pod) for pod in cluster.each("pods", "shop")] == [True] * 3)
    with pytest.raises(SourceError, match="has 3 pods, and none of them has a log to read") as raised:
        await ask(known := cluster.connection(), "logs")
    assert raised.value.cause == "no_data"
    with pytest.raises(SourceError, match=r"There is no deployments.apps 'art'") as raised:
        await ask(known, "logs", workload="deployment/art")
    assert raised.value.cause == "no_data"


async def test_a_missing_right_to_logs_is_named(cluster: LiveCluster) -> None:
    """Not mistaken for a log without errors."""
    cluster.employ(
        "robot",
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    )
    robot = cluster.robot("robot")
    assert (await ask(robot, "pods", read="waiting")).value == "nothing"
    with pytest.raises(SourceError, match=r"may not get pods/log .* Give it the verb 'get' on pods/log") as raised:
        await ask(robot, "logs")
    assert raised.value.cause == "unreachable"


async def test_wrong_credentials_are_told(cluster: LiveCluster) -> None:
    """By both sources."""
    host = cluster.api.configuration.host
    wrong = Connection("example_cluster", "kubernetes", host=host, password="wrong", extra={"disable_verify_ssl": True})
    for kind in ("pods", "logs"):
        with pytest.raises(SourceError, match=r"does not accept its credentials \(401\)") as raised:
            await ask(wrong, kind)
        assert raised.value.cause == "unreachable"
    untrusted = Connection("example_cluster", "kubernetes", host=host, password="wrong")
    with pytest.raises(SourceError, match=r"gave no reply: .* trusted"):
        await ask(untrusted, "pods")
