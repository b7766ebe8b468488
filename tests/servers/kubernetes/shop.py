"""What stands in the cluster of the tests: a shop with its cart."""

from typing import Any

from servers.kubernetes.store import Json

OLD, NEW = "registry.example.org/cart:2.14.3", "registry.example.org/cart:2.15.0"
SETTINGS = {"name": "cart-settings", "optional": True}


def config_map(**data: str) -> Json:
    """Return the settings of the cart."""
    metadata = {"name": "cart-settings", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def workload(kind: str = "Deployment", name: str = "cart", **spec: Any) -> Json:
    """Return a workload that runs the old image and reads its settings from the environment."""
    container = {"name": "cart", "image": OLD, "envFrom": [{"configMapRef": SETTINGS}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    made = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    if kind != "DaemonSet":
        made.setdefault("replicas", 3)
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": made}


def watched(kind: str = "Deployment", name: str = "cart", **spec: Any) -> Json:
    """Return a workload whose pods are ready when the file /ready is there."""
    made = workload(kind, name, **spec)
    probe = {"exec": {"command": ["test", "-e", "/ready"]}, "periodSeconds": 1}
    made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
    return made


def quota(pods: int) -> Json:
    """Return a quota that allows so many pods."""
    metadata = {"name": "small", "namespace": "shop"}
    spec = {"hard": {"pods": str(pods)}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


def autoscaler(name: str = "cart") -> Json:
    """Return what owns the scale of the cart."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
