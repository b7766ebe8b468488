"""Images that the gate asks a registry for, and a node of a real cluster then pulls from it: see cluster.sh."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from changewindow.steps.kubernetes_image import EXAMPLE, Step
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.rollout import left
from servers.image_registry import ACCOUNT, Registry, registry
from servers.kubernetes.live import LiveCluster
from servers.kubernetes.shop import workload

STALL = ("deployments.apps", "shop", "stall")


def pulled(cluster: LiveCluster, here: Registry, image: str, program: Path) -> None:
    """Let a deployment run an empty image, with a program of this machine, whose /tmp pods see."""
    login = base64.b64encode(":".join(ACCOUNT).encode()).decode()
    known = json.dumps({"auths": {here.url.removeprefix("http://"): {"auth": login}}})
    kind: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    metadata = {"name": "registry", "namespace": "shop"}
    stall = workload(name="stall", replicas=1, progressDeadlineSeconds=20)
    pod = stall["spec"]["template"]["spec"]
    pod["imagePullSecrets"] = [{"name": "registry"}]
    pod["containers"][0] |= {"image": image, "command": [str(program), "sleep", "3600"]}
    cluster.make({**kind, "metadata": metadata, "stringData": {".dockerconfigjson": known}}, stall)
    cluster.settle(lambda: not left(cluster.get(*STALL)))


def test_what_the_gate_found_is_what_the_node_pulls(cluster: LiveCluster, context: Context, tmp_path: Path) -> None:
    """An image that is not there is refused at the gate; one that is there is rolled out and rolled back."""
    program = Path(shutil.copy("/bin/busybox", tmp_path))
    with registry(tmp_path / "registry") as here:
        images = f"{here.url.removeprefix('http://')}/shop/stall"
        here.push("shop/stall", "1")
        pulled(cluster, here, f"{images}:1", program)
        known = {"example_cluster": cluster.connection(), "example_registry": here.connection()}
        context.connections = known.__getitem__
        fields = {key: value for key, value in EXAMPLE.items() if key != "kind"} | {"workload": "deployment/stall"}
        fields |= {"timeout": "60s", "image": f"{images}:2", "registry": "example_registry"}
        example = Step.model_validate(fields)
        message = f"the registry at {here.url} has no image of that name. Push it, or correct it."
        assert example.missing_prerequisites(context) == [f"Image {images}:2 cannot be pulled: {message}"]
        here.push("shop/stall", "2")
        assert example.missing_prerequisites(context) == []
        remembered = example.remember(context)
        example.apply(context, remembered)
        (ran,) = {pod["spec"]["containers"][0]["image"] for pod in of_stall(cluster)}
        assert ran == f"{images}:2"
        example.undo(context, remembered)
        (ran,) = {pod["spec"]["containers"][0]["image"] for pod in of_stall(cluster)}
        assert ran == f"{images}:1"


def of_stall(cluster: LiveCluster) -> list[dict[str, Any]]:
    """Return the pods that stay."""
    pods = [pod for pod in cluster.each("pods", "shop") if pod["metadata"]["labels"].get("app") == "stall"]
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
