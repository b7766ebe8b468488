"""The step kubernetes_image, against a local API server."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.kubernetes_image import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.image_registry import reference
from servers.image_registry import registry
from servers.kubernetes import ApiServer, Trouble
from servers.kubernetes.shop import NEW, OLD, quota, workload

PLACE = ("deployments.apps", "shop", "cart")


def step(**fields: Any) -> Step:
    """Return the example with other fields."""
    known = {key: value for key, value in EXAMPLE.items() if key != "kind"}
    return Step.model_validate({**known, "timeout": timedelta(seconds=20), **fields})


def image(cluster: ApiServer, place: tuple[str, str, str] = PLACE) -> str:
    """Return the image that the template names."""
    return str(cluster.get(*place)["spec"]["template"]["spec"]["containers"][0]["image"])


def give_up_after(cluster: ApiServer, seconds: int) -> None:
    """Set the progress deadline."""
    cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(progressDeadlineSeconds=seconds))


def setting(name: str, value: Any) -> Callable[[Any], None]:
    """Return what changes the first container of a template."""
    return lambda obj: obj["spec"]["template"]["spec"]["containers"][0].update({name: value})


def test_undo_gives_the_remembered_revision(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """The ReplicaSet of before is used again, as kubectl rollout undo does."""
    before = {obj["metadata"]["name"] for obj in cluster.each("replicasets.apps")}
    remembered = step().remember(context)
    assert (remembered["revision"], remembered["was_rolled_out"]) == ("1", True)
    step().apply(context, remembered)
    assert image(cluster) == NEW
    step().undo(context, remembered)
    used = [obj for obj in cluster.each("replicasets.apps") if obj["spec"]["replicas"]]
    assert {obj["metadata"]["name"] for obj in used} == before
    assert f"back to {OLD}, which was revision 1" in logged


def test_what_was_written_a_moment_ago_is_remembered_as_it_is(cluster: ApiServer, context: Context) -> None:
    """The status is still about the spec of before; undo would not wait for what seems not to be rolled out."""
    just_before = Trouble("^GET .*deployments/cart", do=lambda: give_up_after(cluster, 30))
    cluster.api.troubles.append(just_before)
    remembered = step().remember(context)
    assert (remembered["revision"], remembered["was_rolled_out"]) == ("1", True)


def test_an_image_that_cannot_be_pulled_is_told_and_taken_back(
    cluster: ApiServer, context: Context, logged: list[str]
) -> None:
    """The error has the reason and the message of the pod; undo brings all old pods back although it timed out."""
    give_up_after(cluster, 1)
    cluster.images.missing.add(NEW)
    remembered = step().remember(context)
    with pytest.raises(StepFailed) as raised:
        step().apply(context, remembered)
    message = str(raised.value)
    assert message.startswith("deployments.apps 'cart' in namespace shop exceeded its progress deadline. ")
    assert "1 of 3 new replicas are updated" in message
    assert f'container cart: ImagePullBackOff: Back-off pulling image "{NEW}"' in message
    assert any("ImagePullBackOff" in line or "ErrImagePull" in line for line in logged)
    give_up_after(cluster, 600)
    step().undo(context, remembered)
    assert image(cluster) == OLD
    assert cluster.get(*PLACE)["status"]["availableReplicas"] == 3


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("crashing", "CrashLoopBackOff: back-off 10s restarting failed container=cart"),
        ("unready", "runs, but is not ready (its readiness probe fails or has not passed yet)"),
    ],
)
def test_a_pod_that_does_not_work_is_told(cluster: ApiServer, context: Context, kind: str, message: str) -> None:
    """What holds it up stands in the error."""
    give_up_after(cluster, 1)
    getattr(cluster.images, kind).add(NEW)
    with pytest.raises(StepFailed) as raised:
        step().apply(context, step().remember(context))
    assert message in str(raised.value)


def test_a_quota_is_told(cluster: ApiServer, context: Context) -> None:
    """No pod is there to tell it; the ReplicaSet does, and the deployment's repetition of that is left out."""
    give_up_after(cluster, 1)
    cluster.make(quota(3))
    with pytest.raises(
        StepFailed, match=r"FailedCreate: .*exceeded quota: small, requested: pods=1, used: pods=3"
    ) as raised:
        step().apply(context, step().remember(context))
    assert str(raised.value).count("exceeded quota") == 1


def test_what_only_events_tell_is_told(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """A pod whose volume is missing says nothing by itself; without a right to events, kubectl is named."""
    cluster.images.without_volume.add(NEW)
    slow = step(timeout="1s")
    message = 'FailedMount: MountVolume.SetUp failed for volume "x": configmap "x" not found'
    with pytest.raises(StepFailed, match=message):
        slow.apply(context, slow.remember(context))
    assert any(line.endswith(message) for line in logged)
    cluster.api.denied.add(("list", "events"))
    with pytest.raises(StepFailed, match="its pods give no reason; look at them with kubectl describe"):
        slow.apply(context, slow.remember(context))


def test_a_rollout_that_takes_too_long_is_told(cluster: ApiServer, context: Context) -> None:
    """The timeout of the step ends the wait where no progress deadline does."""
    cluster.images.missing.add(NEW)
    slow = step(timeout="1s")
    with pytest.raises(
        StepFailed,
        match=r"^Timed out after 1s, waiting until the rollout of deployments.apps 'cart' .* ImagePullBackOff",
    ):
        slow.apply(context, slow.remember(context))


def test_what_others_changed_meanwhile_stays(cluster: ApiServer, context: Context) -> None:
    """Undo puts the image back and leaves the rest; somebody else's write in that very moment is seen (409)."""
    remembered = step().remember(context)
    step().apply(context, remembered)
    others = [{"name": "DEBUG", "value": "1"}]
    cluster.api.troubles.append(
        Trouble("^PATCH .*deployments/cart", do=lambda: cluster.store.edit(*PLACE, setting("env", others)))
    )
    step().undo(context, remembered)
    container = cluster.get(*PLACE)["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == (OLD, others)


@pytest.mark.parametrize("way", ["apply", "undo"])
def test_somebody_elses_image_is_not_overwritten(cluster: ApiServer, context: Context, way: str) -> None:
    """Neither on the way there nor back; the error names all three."""
    remembered = step().remember(context)
    cluster.store.edit(*PLACE, setting("image", "cart:hotfix"))
    with pytest.raises(StepFailed) as raised:
        getattr(step(), way)(context, remembered)
    assert str(raised.value) == (
        "Somebody else has changed deployments.apps 'cart' in namespace shop meanwhile: spec.template.spec.containers."
        f"cart.image is 'cart:hotfix', neither '{OLD}' (before this change) nor '{NEW}' (by this change). It was "
        "left as it is; find out who changed it, and decide by hand which value is right."
    )
    assert image(cluster) == "cart:hotfix"


@pytest.mark.parametrize("instead", [OLD, "cart:hotfix"])
def test_somebody_elses_rollout_is_not_taken_for_its_own(cluster: ApiServer, context: Context, instead: str) -> None:
    """What keeps a cluster as a repository says (Argo CD, Flux) puts the image back within seconds."""
    log = context.log

    def meddle(line: str) -> None:
        log(line)
        if line.startswith("waiting until"):
            cluster.store.edit(*PLACE, setting("image", instead))

    context.log = meddle
    remembered = step().remember(context)
    with pytest.raises(StepFailed) as raised:
        step().apply(context, remembered)
    assert str(raised.value).startswith(
        "Somebody else has changed deployments.apps 'cart' in namespace shop during its rollout: "
        f"spec.template.spec.containers.cart.image is '{instead}', not '{NEW}'. Find out who did, or what resets it "
        "(Argo CD, Flux, an operator, a webhook that writes something else each time), and make the change there."
    )


def test_undo_without_an_apply_writes_nothing(cluster: ApiServer, context: Context) -> None:
    """An apply that was cut short before its patch left nothing to take back."""
    remembered = step().remember(context)
    step().undo(context, remembered)
    assert [line for line in cluster.api.lines if line.startswith("PATCH") and "dryRun=All" not in line] == []


def test_undo_of_what_is_gone_calls_a_person(cluster: ApiServer, context: Context) -> None:
    """The deployment was deleted meanwhile, so its image cannot be put back."""
    remembered = step().remember(context)
    step().apply(context, remembered)
    with cluster.store.lock:
        cluster.store.delete(PLACE)
    with pytest.raises(StepFailed, match=rf"is gone: somebody has deleted it .*cart.image = '{OLD}'\.$"):
        step().undo(context, remembered)


def test_a_broken_workload_can_be_mended_and_taken_back(cluster: ApiServer, context: Context) -> None:
    """What was not rolled out before is not waited for on the way back, and its old deadline does not count."""
    give_up_after(cluster, 1)
    cluster.images.missing.add("cart:broken")
    cluster.store.edit(*PLACE, setting("image", "cart:broken"))
    cluster.settle(lambda: "ProgressDeadlineExceeded" in json.dumps(cluster.get(*PLACE)["status"]))
    give_up_after(cluster, 600)
    remembered = step().remember(context)
    step().apply(context, remembered)
    step().undo(context, remembered)
    assert image(cluster) == "cart:broken"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_set_rolls_out_and_back(cluster: ApiServer, context: Context, kind: str) -> None:
    """Also when its pods cannot start: those that would block a StatefulSet's way back are deleted."""
    place = (f"{kind.lower()}s.apps", "shop", "db")
    cluster.make(workload(kind, "db"))
    cluster.settle(lambda: step(workload=f"{kind.lower()}/db").missing_prerequisites(context) == [])
    cluster.settle(cluster.is_settled)
    example = step(workload=f"{kind.lower()}/db", timeout="3s")
    remembered = example.remember(context)
    cluster.images.missing.add(NEW)
    with pytest.raises(StepFailed, match="ImagePullBackOff"):
        example.apply(context, remembered)
    example.undo(context, remembered)
    assert image(cluster, place) == OLD
    cluster.images.missing.clear()
    example.apply(context, remembered)
    assert image(cluster, place) == NEW


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"container": "crat"},
            "deployments.apps 'cart' in namespace shop has no container 'crat'. Did you mean 'cart'?",
        ),
        (
            {"workload": "deployment/art"},
            (
                "There is no deployments.apps 'art' in namespace shop. Correct the name or the namespace, or create it "
                "first."
            ),
        ),
    ],
)
def test_what_is_not_there_is_refused_at_the_gate(context: Context, change: dict[str, str], message: str) -> None:
    """The container and the workload are asked for at the gate."""
    assert step(**change).missing_prerequisites(context) == [message]


def test_a_right_that_is_missing_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """The verb and the kind are named."""
    cluster.api.denied.add(("patch", "deployments.apps"))
    message = (
        "The account of connection 'example_cluster' may not patch deployments.apps 'cart' in namespace shop. Give it "
        "the verb 'patch' on deployments.apps by a Role and RoleBinding."
    )
    assert step().missing_prerequisites(context) == [message]


def test_a_paused_deployment_is_refused_at_the_gate_and_by_apply(cluster: ApiServer, context: Context) -> None:
    """Nothing would reach its pods; when it is paused later, undo says so after writing."""
    remembered = step().remember(context)
    step().apply(context, remembered)
    cluster.store.edit(*PLACE, lambda obj: obj["spec"].update(paused=True))
    with pytest.raises(StepFailed, match=r"is paused: .* `kubectl rollout resume deployment/cart -n shop`"):
        step().undo(context, remembered)
    assert image(cluster) == OLD
    with pytest.raises(StepFailed, match="is paused"):
        step().apply(context, remembered)
    assert any("is paused" in obj for obj in step().missing_prerequisites(context))


def test_pods_that_are_updated_by_hand_are_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """OnDelete would leave all pods as they are."""
    cluster.make(workload("DaemonSet", "agent", updateStrategy={"type": "OnDelete"}))
    cluster.settle(lambda: cluster.get("daemonsets.apps", "shop", "agent").get("status"))
    assert any("is OnDelete" in obj for obj in step(workload="daemonset/agent").missing_prerequisites(context))


def test_what_a_policy_forbids_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """The server tries it at the gate, and nothing has changed by then."""
    message = 'admission webhook "signed.example.org" denied the request: 2.15.0 is not signed'
    cluster.api.troubles.append(Trouble("^PATCH .*dryRun=All", 403, message))
    refused = (
        "The API server of connection 'example_cluster' refused to patch deployments.apps 'cart' in namespace shop"
    )
    assert step().missing_prerequisites(context) == [f"{refused} (403): {message}"]
    assert step().missing_prerequisites(context) == []
    assert image(cluster) == OLD


def test_a_partition_that_leaves_all_pods_alone_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """A rollout that no pod takes part in would be done at once; one for some of them is wanted so."""
    spec: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    cluster.make(workload("StatefulSet", "db", updateStrategy=spec))
    cluster.settle(cluster.is_settled)
    assert step(workload="statefulset/db").missing_prerequisites(context) == [
        "The partition of statefulsets.apps 'db' in namespace shop is 3: all of its 3 pods stay as they are. Lower it."
    ]
    part = spec["rollingUpdate"] | {"partition": 2}
    cluster.edit(
        "statefulsets.apps", "shop", "db", lambda obj: obj["spec"]["updateStrategy"].update(rollingUpdate=part)
    )
    cluster.settle(cluster.is_settled)
    assert step(workload="statefulset/db").missing_prerequisites(context) == []


def test_a_pause_in_the_middle_is_told(cluster: ApiServer, context: Context) -> None:
    """That pods are not ready yet is not what it waits for."""
    cluster.images.unready.add(NEW)
    log = context.log

    def pause(line: str) -> None:
        log(line)
        if line.startswith("waiting until"):
            cluster.edit(*PLACE, lambda obj: obj["spec"].update(paused=True))

    context.log = pause
    slow = step(timeout="1s")
    with pytest.raises(StepFailed, match="it is paused; resume it with `kubectl rollout resume deployment/cart`"):
        slow.apply(context, slow.remember(context))


def test_a_connection_without_a_cluster_says_so(logged: list[str]) -> None:
    """Nobody there is not mistaken for anything else."""
    nowhere = Connection("example_cluster", "kubernetes", host="http://127.0.0.1:1")
    with pytest.raises(StepFailed, match=r"The API server http://127.0.0.1:1 gave no reply: NewConnectionError"):
        step().remember(Context("CHG-1", 1, lambda _: nowhere, logged.append))


def test_before_the_first_step_both_images_can_be_pulled(cluster: ApiServer, tmp_path: Path) -> None:
    """An image of before that its registry has no more is no way back."""
    with registry(tmp_path) as here:
        known = {"example_cluster": cluster.connection(), "example_registry": here.connection()}
        context = Context("CHG-1042", 1, known.__getitem__, print)
        asks = step(registry="example_registry")
        for image, _, tag in (NEW.rpartition(":"), OLD.rpartition(":")):
            assert asks.missing_prerequisites(context)[0].startswith(f"Image {image}:{tag} cannot be pulled")
            here.push(*reference(f"{image}:{tag}"))
        assert asks.missing_prerequisites(context) == []
