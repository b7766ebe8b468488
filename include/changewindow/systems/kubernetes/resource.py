"""Names the resources of the Kubernetes API, and explains what its server refuses."""

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}
MISFIT = "failed to create typed patch object"
"""How the answer to a manifest with fields that its kind does not have begins; its status is 500 nevertheless."""
WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass(frozen=True)
class Resource:
    """An object of the API, or with an empty name all of its kind: `deployments.apps 'cart' in namespace shop`.

    Without a plural, it is the list of the resources that a group and version has.
    """

    group: str
    version: str
    plural: str
    namespace: str = ""
    """Empty for resources without a namespace."""
    name: str = ""
    subresource: str = ""

    @property
    def path(self) -> str:
        """Return its path in the API."""
        start = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = ["namespaces", self.namespace] if self.namespace else []
        parts = [*inside, *filter(None, (self.plural, self.name, self.subresource))]
        return "/".join([start, *(quote(part, safe="") for part in parts)])

    @property
    def kinds(self) -> str:
        """Return its kind as rights name it: `deployments.apps/scale`."""
        group = f".{self.group}" if self.group else ""
        return f"{self.plural}{group}{f'/{self.subresource}' if self.subresource else ''}"

    def __str__(self) -> str:
        if not self.plural:
            return f"the kinds of {self.group}/{self.version}"
        named = f" '{self.name}'" if self.name else ""
        return f"{self.kinds}{named}{f' in namespace {self.namespace}' if self.namespace else ''}"

    def of(self, **changed: str) -> "Resource":
        """Return the resource with other fields."""
        return replace(self, **changed)


def core(plural: str, namespace: str = "", name: str = "", subresource: str = "") -> Resource:
    """Return a resource of the core group, such as a pod."""
    return Resource("", "v1", plural, namespace, name, subresource)


def workload(kind: str, namespace: str, name: str) -> Resource:
    """Return a Deployment, StatefulSet or DaemonSet."""
    return Resource("apps", "v1", WORKLOADS[kind], namespace, name)


def verb_of(method: str, resource: Resource) -> str:
    """Return the verb for which a request needs a right."""
    return "list" if method == "GET" and not resource.name else VERBS[method]


def message_of(text: str) -> str:
    """Return what the server says in its reply, which normally is a Status."""
    try:
        status = json.loads(text)
    except ValueError:
        status = None
    message = status.get("message") if isinstance(status, dict) else None
    return str(message or " ".join(text.split())[:200] or "no explanation")


def refusal(connection: str, method: str, resource: Resource, *, status: int, text: str) -> str:
    """Return what a status other than success means, and what to do now; with 0, the text already says so."""
    if not status:
        return text
    verb, message = verb_of(method, resource), message_of(text)
    if status == 401:
        return (
            f"The cluster of connection '{connection}' does not accept its credentials (401): they are wrong, or have "
            "expired. Renew them under Admin, Connections."
        )
    if status == 403 and f" cannot {verb} resource" in message:
        return (
            f"The account of connection '{connection}' may not {verb} {resource} (403). Give it the verb '{verb}' on "
            f"{resource.kinds} by a Role and RoleBinding. The server says: {message}"
        )
    if status == 404:
        return f"There is no {resource} in the cluster of connection '{connection}' (404): {message}"
    if status == 500 and message.startswith(MISFIT):
        return f"The manifest of {resource} does not fit its kind; correct it. The server says: {message}"
    if status == 429 or status >= 500:
        return (
            f"The API server of connection '{connection}' failed to {verb} {resource} ({status}): {message}. Is it up?"
        )
    return f"The API server of connection '{connection}' refused to {verb} {resource} ({status}): {message}"
