"""Names what the API of Kubernetes serves, and words what its server refuses."""

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}
MISFIT = "failed to create typed patch object"
"""So begins the answer to a manifest with fields that its kind does not have, whose status is 500 all the same."""
WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass(frozen=True)
class Resource:
    """An object of the API, or with an empty name all of them: `deployments.apps 'cart' in namespace shop`.

    Without a plural, it is the list of what a group and version has.
    """

    group: str
    version: str
    plural: str
    namespace: str = ""
    """Empty for what belongs to no namespace."""
    name: str = ""
    subresource: str = ""

    @property
    def path(self) -> str:
        """Return where the API serves it."""
        start = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = ["namespaces", self.namespace] if self.namespace else []
        parts = [*inside, *filter(None, (self.plural, self.name, self.subresource))]
        return "/".join([start, *(quote(part, safe="") for part in parts)])

    @property
    def kinds(self) -> str:
        """Return what it is, as rights name it: `deployments.apps/scale`."""
        group = f".{self.group}" if self.group else ""
        return f"{self.plural}{group}{f'/{self.subresource}' if self.subresource else ''}"

    def __str__(self) -> str:
        if not self.plural:
            return f"the kinds of {self.group}/{self.version}"
        named = f" '{self.name}'" if self.name else ""
        return f"{self.kinds}{named}{f' in namespace {self.namespace}' if self.namespace else ''}"

    def of(self, **changed: str) -> "Resource":
        """Return another one beside it, with other fields."""
        return replace(self, **changed)


def core(plural: str, namespace: str = "", name: str = "", subresource: str = "") -> Resource:
    """Return a resource of the core group, such as a pod."""
    return Resource("", "v1", plural, namespace, name, subresource)


def workload(kind: str, namespace: str, name: str) -> Resource:
    """Return a Deployment, StatefulSet or DaemonSet."""
    return Resource("apps", "v1", WORKLOADS[kind], namespace, name)


def verb_of(method: str, resource: Resource) -> str:
    """Return the verb that a request needs a right for."""
    return "list" if method == "GET" and not resource.name else VERBS[method]


def message_of(text: str) -> str:
    """Return what the server says in its reply, which is a Status where all is well."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    message = said.get("message") if isinstance(said, dict) else None
    return str(message or " ".join(text.split())[:200] or "no explanation")


def refusal(connection: str, method: str, resource: Resource, *, status: int, text: str) -> str:
    """Return what a status other than success means, and what to do now; with 0, the text says it already."""
    if not status:
        return text
    verb, says = verb_of(method, resource), message_of(text)
    if status == 401:
        return (
            f"The cluster of connection '{connection}' does not accept its credentials (401): they are wrong, or have "
            "expired. Renew them under Admin, Connections."
        )
    if status == 403 and f" cannot {verb} resource" in says:
        return (
            f"The account of connection '{connection}' may not {verb} {resource} (403). Give it the verb '{verb}' on "
            f"{resource.kinds} by a Role and RoleBinding. The server says: {says}"
        )
    if status == 404:
        return f"There is no {resource} in the cluster of connection '{connection}' (404): {says}"
    if status == 500 and says.startswith(MISFIT):
        return f"The manifest of {resource} does not fit its kind; correct it. The server says: {says}"
    if status == 429 or status >= 500:
        return f"The API server of connection '{connection}' did not {verb} {resource} ({status}): {says}. Is it well?"
    return f"The API server of connection '{connection}' refused to {verb} {resource} ({status}): {says}"
