"""Checks manifests in tickets, and finds the resource of the cluster that each stands for."""

from typing import Annotated, Any

from pydantic import AfterValidator

from changewindow.documents.refusal import refusal
from changewindow.documents.text import hint
from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.resource import Json, Resource


def checked(manifest: Json) -> Json:
    """Return a manifest unchanged.

    Raises:
        ValueError: it is not a manifest, or holds what does not belong in a ticket.
    """
    if str(manifest.get("kind")).endswith("List") and isinstance(manifest.get("items"), list):
        raise refusal("a list is not one object", "Write each of its items as a manifest of its own.")
    metadata = manifest.get("metadata")
    parts = (manifest.get("apiVersion"), manifest.get("kind"), metadata)
    if [type(part) for part in parts] != [str, str, dict] or not isinstance(manifest["metadata"].get("name"), str):
        remedy = "Write all of them; what has a generated name could not be undone."
        raise refusal("a manifest has apiVersion, kind, and metadata with a name", remedy)
    if manifest["apiVersion"] == "v1" and manifest["kind"] == "Secret":
        raise refusal("a Secret has no place in a ticket, which many people read", "Bring it into the cluster apart.")
    if "status" in manifest:
        raise refusal("a status is written by controllers", "Leave it out.")
    if {"managedFields", "resourceVersion", "uid"} & manifest["metadata"].keys():
        raise refusal("managedFields, resourceVersion and uid are written by the server", "Leave them out.")
    return manifest


Manifest = Annotated[dict[str, Any], AfterValidator(checked)]
"""One object as YAML, as `kubectl apply` takes it."""


def named(manifest: Json) -> str:
    """Return kind and name of a manifest: `Deployment cart`."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def resource_of(cluster: Cluster, manifest: Json, namespace: str) -> Resource:
    """Return the resource of a manifest, as the cluster serves its kind.

    Raises:
        StepFailed: the cluster does not serve it.
    """
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind, metadata = manifest["kind"], manifest["metadata"]
    # the path of a group and version without a resource lists the resources it has
    served = Resource(group, version, "")
    try:
        listed = cluster.get(served)["resources"]
        kinds = {resource["kind"]: resource for resource in listed if "/" not in resource["name"]}
    except Refused as error:
        if error.status != 404:
            raise
        kinds = {}
    if kind not in kinds:
        missing = "Is its CustomResourceDefinition installed? It has to be before this change."
        advice = hint(kind, kinds) if kinds else missing
        raise StepFailed(f"The cluster does not serve {kind} of {manifest['apiVersion']}. {advice}")
    served_as = kinds[kind]
    inside = cluster.namespace(metadata.get("namespace") or namespace) if served_as["namespaced"] else ""
    return Resource(group, version, served_as["name"], inside, metadata["name"])
