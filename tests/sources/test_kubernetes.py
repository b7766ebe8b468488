"""The sources kubernetes_pods and kubernetes_logs, against a local API server."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.resource import core
from changewindow.systems.measurement import Answer, SourceError
from servers.kubernetes import TOKEN, ApiServer, Trouble, asking, local
from servers.kubernetes.shop import NEW, OLD, workload

PLACE = ("deployments.apps", "shop", "cart")
Ask = Callable[..., Any]


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """Return a cluster with a cart that prints two lines when it starts."""
    with local() as made:
        made.images.prints[OLD] = ["all is well", "ERROR: no such table"]
        made.make(workload())
        made.settle(made.is_settled)
        yield made


async def ask(cluster: ApiServer | Connection, kind: str, kept: Any = None, **fields: Any) -> Answer:
    """Ask a source; see `asking`."""
    known = cluster if isinstance(cluster, Connection) else cluster.connection()
    return await asking.ask(known, kind, kept, **fields)


def use(cluster: ApiServer, image: str) -> None:
    """Let somebody set an image."""
    container = {"image": image}
    cluster.store.edit(*PLACE, lambda obj: obj["spec"]["template"]["spec"]["containers"][0].update(container))


def reasons(cluster: ApiServer) -> str:
    """Return for what containers wait, as text."""
    return str([pod["status"].get("containerStatuses") for pod in cluster.each("pods")])


async def test_a_list_in_pieces_is_read_to_its_end(cluster: ApiServer) -> None:
    """By sources and by steps; the pod that is in trouble may be in the last piece."""
    expected = (await ask(cluster, "logs", matches="ERROR", over="1h")).value
    cluster.api.most = 1
    assert (await ask(cluster, "logs", matches="ERROR", over="1h")).value == expected == 3
    context = Context("CHG-1042", 1, lambda _: cluster.connection(), print)
    assert len(Cluster(context, "example_cluster").items(core("pods", "shop"))) == 3


async def test_ready_and_missing_are_of_the_wanted_pods(cluster: ApiServer) -> None:
    """A pod that is not ready is missing."""
    assert (await ask(cluster, "pods", read="ready")).value == 1.0
    assert (await ask(cluster, "pods", read="missing")).value == 0
    cluster.images.unready.add(NEW)
    cluster.make(workload("DaemonSet", "agent"))
    cluster.settle(lambda: cluster.get("daemonsets.apps", "shop", "agent").get("status", {}).get("numberReady") == 2)
    assert (await ask(cluster, "pods", read="ready", workload="daemonset/agent")).value == 1.0
    cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(strategy={"type": "Recreate"}))
    use(cluster, NEW)
    cluster.settle(lambda: not cluster.get(*PLACE)["status"].get("readyReplicas"))
    assert (await ask(cluster, "pods", read="missing")).value == 3
    assert (await ask(cluster, "pods", read="ready")).value == 0.0


async def test_a_status_of_before_the_newest_spec_is_stale(cluster: ApiServer) -> None:
    """What the controller has not seen yet, it says nothing about."""
    cluster.stopped.set()
    use(cluster, NEW)
    with pytest.raises(SourceError, match="has not seen the newest spec") as raised:
        await ask(cluster, "pods", read="ready")
    assert raised.value.cause == "stale"


async def test_no_pods_wanted_is_no_data_for_their_part(cluster: ApiServer) -> None:
    """A part of nothing is nothing, never all."""
    cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(replicas=0))
    cluster.settle(cluster.is_settled)
    with pytest.raises(SourceError, match="wants no pods") as raised:
        await ask(cluster, "pods", read="ready")
    assert raised.value.cause == "no_data"


async def test_waiting_tells_the_reasons(cluster: ApiServer) -> None:
    """Starting is no reason."""
    assert (await ask(cluster, "pods", read="waiting")).value == "nothing"
    cluster.images.missing.add(NEW)
    use(cluster, NEW)
    cluster.settle(lambda: "ImagePullBackOff" in reasons(cluster))
    assert (await ask(cluster, "pods", read="waiting")).value == "ImagePullBackOff"


async def test_restarts_count_from_the_change_on(cluster: ApiServer) -> None:
    """Those of before do not count; those of younger pods count all; those of pods that went away stay counted."""
    cluster.images.crashing.add(NEW)
    use(cluster, NEW)
    cluster.settle(lambda: "'restartCount': 3" in reasons(cluster))
    # the new pod is younger than an hour, and older than a minute from now
    assert (await ask(cluster, "pods", read="restarts")).value == 3
    assert (await ask(cluster, "pods", read="restarts", since=datetime.now(UTC) - timedelta(hours=1))).value == 3
    kept: dict[str, Any] = {}
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert (await ask(cluster, "pods", kept, read="restarts", since=later)).value == 0
    pod = next(pod for pod in cluster.each("pods") if pod["status"]["containerStatuses"][0]["restartCount"])
    key = ("pods", "shop", pod["metadata"]["name"])
    cluster.store.edit(*key, lambda obj: obj["status"]["containerStatuses"][0].update(restartCount=5))
    assert (await ask(cluster, "pods", kept, read="restarts", since=later)).value == 2
    use(cluster, OLD)
    cluster.settle(cluster.is_settled)
    assert (await ask(cluster, "pods", kept, read="restarts", since=later)).value == 2


async def test_what_happened_in_the_second_of_the_change_counts(cluster: ApiServer) -> None:
    """The API writes whole seconds: a pod made a moment after the change would seem older than it."""
    cluster.images.crashing.add(NEW)
    use(cluster, NEW)
    cluster.settle(lambda: "'restartCount': 3" in reasons(cluster))
    created = max(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in cluster.each("pods"))
    since = created + timedelta(milliseconds=1)
    assert (await ask(cluster, "pods", read="restarts", since=since)).value == 3


async def test_lines_are_counted_in_all_pods(cluster: ApiServer) -> None:
    """One in each of three pods; the other line does not match."""
    assert (await ask(cluster, "logs")).value == 3
    assert (await ask(cluster, "logs", matches="is well$", over="1h")).value == 3
    assert (await ask(cluster, "logs", matches="nothing like it")).value == 0


async def test_lines_of_before_the_change_do_not_count(cluster: ApiServer) -> None:
    """The API knows whole seconds only; the source looks closer."""
    await asyncio.sleep(0.01)
    assert (await ask(cluster, "logs", since=datetime.now(UTC))).value == 0


async def test_the_container_before_a_restart_counts_too(cluster: ApiServer) -> None:
    """It is the one that said why it died."""
    cluster.images.crashing.add(NEW)
    cluster.images.prints[NEW] = ["panic: boom"]
    use(cluster, NEW)
    cluster.settle(lambda: "'restartCount': 3" in reasons(cluster))
    answer = await ask(cluster, "logs", matches="panic")
    assert answer.value == 3
    assert answer.note.startswith("at least: cart-")
    assert answer.is_at_least
    # Of the first two runs no log is left.
    with pytest.raises(SourceError, match="restarted several times, and of what ran before the last two") as raised:
        await ask(cluster, "logs", matches="out of memory")
    assert raised.value.cause == "invalid"


async def test_no_log_at_all_is_no_data(cluster: ApiServer) -> None:
    """Silence of pods that never started proves nothing."""
    cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(strategy={"type": "Recreate"}))
    cluster.images.missing.add(NEW)
    use(cluster, NEW)
    cluster.settle(lambda: reasons(cluster).count("ImagePullBackOff") == 3)
    with pytest.raises(SourceError, match="has 3 pods, and none of them has a log to read") as raised:
        await ask(cluster, "logs")
    assert raised.value.cause == "no_data"


@pytest.mark.parametrize(
    ("happens", "cause", "message"),
    [
        pytest.param({"status": 401}, "unreachable", "does not accept its credentials", id="an expired token"),
        pytest.param({"status": 500, "message": "etcd"}, "unreachable", r"\(500\): etcd", id="a server in trouble"),
        pytest.param(
            {"status": 404, "message": "gone"}, "no_data", "There is no deployments.apps 'cart'", id="deleted"
        ),
    ],
)
async def test_a_refusal_is_a_cause(cluster: ApiServer, happens: dict[str, Any], cause: str, message: str) -> None:
    """Never a value."""
    cluster.api.troubles.append(Trouble("^GET", **happens))
    with pytest.raises(SourceError, match=message) as raised:
        await ask(cluster, "pods", read="missing")
    assert raised.value.cause == cause


async def test_a_missing_right_to_logs_is_named(cluster: ApiServer) -> None:
    """Not mistaken for a log without errors."""
    cluster.api.denied.add(("get", "pods/log"))
    with pytest.raises(SourceError, match=r"may not get pods/log .* Give it the verb 'get' on pods/log") as raised:
        await ask(cluster, "logs")
    assert raised.value.cause == "unreachable"


async def test_a_server_that_asks_to_wait_is_asked_again(cluster: ApiServer) -> None:
    """429 and 410 pass."""
    cluster.api.troubles.append(Trouble("deployments", status=429, headers={"Retry-After": "1"}))
    cluster.api.troubles.append(Trouble("replicasets", status=410))
    assert (await ask(cluster, "pods", read="waiting")).value == "nothing"


async def test_an_address_and_a_token_are_enough(cluster: ApiServer) -> None:
    """A connection without a kube config has them in host and password."""
    plain = Connection("example_cluster", "http", host=cluster.url, password=TOKEN)
    assert (await ask(plain, "pods", read="missing")).value == 0
