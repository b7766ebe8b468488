"""Says what a manifest in a ticket may be, and which resource of a cluster it stands for."""

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
        ValueError: it is none, or holds what must not stand in a ticket.
    """
    if str(manifest.get("kind")).endswith("List") and isinstance(manifest.get("items"), list):
        raise refusal("a list is not one object", "Write each of its items as a manifest of its own.")
    metadata = manifest.get("metadata")
    given = (manifest.get("apiVersion"), manifest.get("kind"), metadata)
    if [type(one) for one in given] != [str, str, dict] or not isinstance(manifest["metadata"].get("name"), str):
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
    """Return a manifest as one says it: `Deployment cart`."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def resource_of(cluster: Cluster, manifest: Json, namespace: str) -> Resource:
    """Return the resource of a manifest, as the cluster serves its kind.

    Raises:
        StepFailed: the cluster does not serve it.
    """
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind, metadata = manifest["kind"], manifest["metadata"]
    # the list of resources of a group and version stands where the resources themselves begin
    served = Resource(group, version, "")
    try:
        kinds = {one["kind"]: one for one in cluster.get(served)["resources"] if "/" not in one["name"]}
    except Refused as error:
        if error.status != 404:
            raise
        kinds = {}
    if kind not in kinds:
        says = (
            hint(kind, kinds)
            if kinds
            else "Is its CustomResourceDefinition installed? It has to be before this change."
        )
        raise StepFailed(f"The cluster does not serve {kind} of {manifest['apiVersion']}. {says}")
    found = kinds[kind]
    inside = cluster.namespace(metadata.get("namespace") or namespace) if found["namespaced"] else ""
    return Resource(group, version, found["name"], inside, metadata["name"])
