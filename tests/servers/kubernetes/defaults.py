"""Fills in what the API server fills in, and refuses what it refuses of an object."""

import re
from typing import Any

from kubernetes import client
from servers.kubernetes.store import Json, Refusal

POD = {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst"}
POD |= {"securityContext": {}, "schedulerName": "default-scheduler"}
CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "resources": {}}
QUARTER = {"maxUnavailable": "25%", "maxSurge": "25%"}
SPECS: dict[str, Json] = {
    "Deployment": {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
    | {"strategy": {"type": "RollingUpdate", "rollingUpdate": QUARTER}},
    "StatefulSet": {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"}
    | {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
    "DaemonSet": {"revisionHistoryLimit": 10}
    | {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
    "Job": {"backoffLimit": 6, "completions": 1, "parallelism": 1},
}


def defaulted(obj: Json) -> Json:
    """Return an object with the defaults of its kind."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    for name, part in SPECS.get(obj["kind"], {}).items():
        spec.setdefault(name, part)
    pod = spec if obj["kind"] == "Pod" else (spec.get("template") or {}).get("spec")
    if isinstance(pod, dict):
        for name, part in POD.items():
            pod.setdefault(name, part)
        for container in [*pod.get("containers", []), *(pod.get("initContainers") or [])]:
            _default_container(container)
    return obj


def _default_container(container: Json) -> None:
    for name, part in CONTAINER.items():
        container.setdefault(name, part)
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "Always" if tag in {"", "latest"} else "IfNotPresent")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")


def require_valid(obj: Json, old: Json | None = None) -> None:
    """Refuse an object that the API server would find invalid."""
    kind, name = obj["kind"], obj["metadata"]["name"]
    problems = []
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
        problems.append(f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain')
    spec = obj.get("spec") or {}
    template = spec.get("template")
    if template is not None:
        for at, container in enumerate(template["spec"].get("containers") or []):
            if not container.get("image"):
                problems.append(f"spec.template.spec.containers[{at}].image: Required value")
        if not template["spec"].get("containers"):
            problems.append("spec.template.spec.containers: Required value")
        labels = (template.get("metadata") or {}).get("labels") or {}
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        if kind != "Job" and not wanted.items() <= labels.items():
            problems.append("spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`")
    if old and kind in SPECS and old["spec"].get("selector") != spec.get("selector"):
        problems.append("spec.selector: Invalid value: field is immutable")
    if old and kind == "ConfigMap" and old.get("immutable") and old.get("data") != obj.get("data"):
        problems.append("data: Forbidden: field is immutable when `immutable` is set")
    if problems:
        raise Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {", ".join(problems)}')


def require_known(obj: Json) -> None:
    """Refuse fields that the kind does not have, as a server does that applies; yes, with a status of 500."""
    version = obj["apiVersion"].rpartition("/")[2].title()
    model = getattr(client.models, f"{version}{obj['kind']}", None)
    unknown = list(_unknown(obj, model, "")) if model else []
    if unknown:
        place = f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"
        what = f"failed to create typed patch object ({place}; {obj['apiVersion']}, Kind={obj['kind']})"
        errors = [f".{entry}: field not declared in schema" for entry in unknown]
        raise Refusal(500, "", f"{what}: " + (errors[0] if len(errors) == 1 else "\n  ".join(["errors:", *errors])))


def _unknown(obj: Any, model: Any, path: str) -> Any:
    types = {json: model.openapi_types[name] for name, json in model.attribute_map.items()}
    for name, part in obj.items():
        where = f"{path}.{name}".strip(".")
        if name not in types:
            yield where
            continue
        inner = re.sub(r"^list\[(.*)\]$", r"\1", types[name])
        inside = getattr(client.models, inner, None)
        for entry in part if isinstance(part, list) else [part]:
            if inside and isinstance(entry, dict):
                yield from _unknown(entry, inside, where)
