"""Answers the requests of the API: who asks, may they, what do they want; everything but the wire itself."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from servers.kubernetes import patches
from servers.kubernetes.defaults import defaulted, require_known, require_valid
from servers.kubernetes.patches import copied
from servers.kubernetes.pods import Kubelet
from servers.kubernetes.store import SERVED, Json, Key, Refusal, Store

VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


@dataclass
class Trouble:
    """What goes wrong with requests whose method and path match, so many times."""

    matches: str
    """A regular expression for `PATCH /apis/…`."""
    status: int = 0
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    do: Callable[[], object] = lambda: None
    """What happens in that moment, for instance somebody else's change; with a status of 0, the request goes on."""
    is_after: bool = False
    """Whether the request has its effect all the same."""


@dataclass(frozen=True)
class ApiCall:
    """A request, with its path taken apart."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def kinds(self) -> str:
        """Return the kind of resource: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def key(self) -> Key:
        """Return the key of the object."""
        return self.kinds, self.namespace, self.name

    @property
    def verb(self) -> str:
        """Return the verb that rights name."""
        if self.method == "GET" and not self.name:
            return "watch" if self.is_watch else "list"
        return VERBS[self.method]

    @property
    def is_watch(self) -> bool:
        """Return whether events are wanted."""
        return self.query.get("watch") in {"1", "true"}

    @property
    def manager(self) -> str:
        """Return who writes."""
        return self.query.get("fieldManager") or str(self.headers.get("User-Agent", "unknown")).partition("/")[0]

    def json(self) -> Any:
        """Return the body."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refusal(400, "BadRequest", f"couldn't get version/kind; json parse error: {error}") from error


def taken_apart(method: str, path: str, query: dict[str, str], headers: Any, *, body: bytes) -> ApiCall:
    """Return a request with the parts of its path.

    Raises:
        Refusal: the API does not serve it.
    """
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts in (["api"], ["apis"], ["version"]):
        return ApiCall(method, path, query, headers, body)
    start = 2 if parts[0] == "api" else 3
    group, version = ("", parts[1]) if start == 2 else tuple([*parts[1:3], "", ""][:2])
    rest, namespace = parts[start:], ""
    if parts[0] not in {"api", "apis"} or len(parts) < start:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", "", ""][:3]
    is_review = plural in {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}
    if plural and not is_review and plural not in SERVED.get((group, version), {}):
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    return ApiCall(method, path, query, headers, body, group, version, plural, namespace, name, subresource)


@dataclass
class Api:
    """What the server knows, and its answers."""

    store: Store
    kubelet: Kubelet
    users: dict[str, str] = field(default_factory=dict)
    """Account by bearer token; every other token is expired or unknown."""
    denied: set[tuple[str, str]] = field(default_factory=set)
    """Verb and kind of resource, with its subresource, that nobody may."""
    troubles: list[Trouble] = field(default_factory=list)
    admission: Callable[[Json], None] = lambda _: None
    """What an admission webhook makes of an object that is to be written, dry runs included."""
    most: int = 0
    """How many objects a piece of a list has at most, as what stands before a server may have it."""
    lines: list[str] = field(default_factory=list)
    """Method and path of each request."""

    def trouble(self, line: str) -> Trouble | None:
        """Return what goes wrong with a request, which then goes wrong one time less."""
        obj = next((entry for entry in self.troubles if entry.times and re.search(entry.matches, line)), None)
        if obj:
            obj.times -= 1
            obj.do()
        return obj

    def answer(self, call: ApiCall) -> tuple[int, Any]:
        """Return status and body: JSON, or text for a log."""
        user = self.users.get(str(call.headers.get("Authorization", "")).partition(" ")[2])
        if user is None:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        if not call.plural:
            return 200, _served(call)
        if call.plural == "selfsubjectaccessreviews":
            return 201, self._review(call.json())
        kinds = f"{call.kinds}/{call.subresource}" if call.subresource else call.kinds
        if (call.verb, kinds) in self.denied:
            inside = f' in the namespace "{call.namespace}"' if call.namespace else ""
            what = "/".join(filter(None, (call.plural, call.subresource)))
            message = f'User "{user}" cannot {call.verb} resource "{what}" in API group "{call.group}"{inside}'
            raise Refusal(403, "Forbidden", f'{call.kinds} "{call.name}" is forbidden: {message}')
        with self.store.lock:
            return getattr(self, f"_{call.method.lower()}")(call)

    def _review(self, body: Json) -> Json:
        wanted = body["spec"]["resourceAttributes"]
        kinds = f"{wanted['resource']}.{wanted['group']}" if wanted.get("group") else wanted["resource"]
        kinds += f"/{wanted['subresource']}" if wanted.get("subresource") else ""
        return {**body, "status": {"allowed": (wanted["verb"], kinds) not in self.denied}}

    def _get(self, call: ApiCall) -> tuple[int, Any]:
        if not call.name:
            return 200, self._list(call)
        obj = self.store.get(call.key)
        if call.subresource == "log":
            return 200, self._log(call, obj)
        return 200, _scale(obj) if call.subresource == "scale" else obj

    def _post(self, call: ApiCall) -> tuple[int, Any]:
        body = call.json()
        body.setdefault("metadata", {})
        if call.namespace:
            body["metadata"].setdefault("namespace", call.namespace)
        made = self._admitted(body)
        require_valid(made)
        made.pop("status", None)
        return 201, made if "dryRun" in call.query else self.store.create(made, call.manager)

    def _put(self, call: ApiCall) -> tuple[int, Any]:
        new, old = call.json(), self.store.get(call.key)
        return 200, self._written(call, old, {**new, "status": old.get("status")})

    def _patch(self, call: ApiCall) -> tuple[int, Any]:
        content = str(call.headers.get("Content-Type", "")).partition(";")[0]
        if content == "application/apply-patch+yaml":
            return self._apply(call)
        ways = {"merge-patch": patches.merge, "strategic-merge-patch": patches.strategic}
        ways["json-patch"] = patches.json_patch
        way = ways.get(content.removeprefix("application/").removesuffix("+json"))
        if way is None:
            raise Refusal(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content}")
        old = self.store.get(call.key)
        if call.subresource == "scale":
            scale = way(_scale(old), call.json())
            new = copied(old)
            new["spec"]["replicas"] = scale["spec"].get("replicas", 0)
            new["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"]
            return 200, _scale(self._written(call, old, new))
        new = way(old, call.json())
        return 200, self._written(call, old, {**new, "status": old.get("status")})

    def _apply(self, call: ApiCall) -> tuple[int, Any]:
        config = call.json()
        config["metadata"].setdefault("namespace", call.namespace)
        if not call.namespace:
            del config["metadata"]["namespace"]
        require_known(config)
        live = self.store.objects.get(call.key)
        start = live or {name: config[name] for name in ("apiVersion", "kind")} | {"metadata": {}}
        try:
            new = patches.apply(start, config, call.manager, force=call.query.get("force") == "true")
        except patches.Conflicts as error:
            count = f"{len(error.of)} conflict{'s'[: len(error.of) != 1]}"
            causes = [{"reason": "FieldManagerConflict", "message": who, "field": name} for who, name in error.of]
            raise Refusal(409, "Conflict", f"Apply failed with {count}: {error}", causes=causes) from error
        if live:
            return 200, self._written(call, live, new)
        new = self._admitted(new)
        require_valid(new)
        return 201, new if "dryRun" in call.query else self.store.create(new, call.manager)

    def _written(self, call: ApiCall, old: Json, new: Json) -> Json:
        new = self._admitted(patches.tidy(copied(new)))
        require_valid(new, old)
        if "dryRun" in call.query:
            return new
        return self.store.replace(call.key, new, call.manager, subresource=call.subresource)

    def _admitted(self, obj: Json) -> Json:
        made = defaulted(obj)
        self.admission(made)
        return made

    def _delete(self, call: ApiCall) -> tuple[int, Any]:
        options = json.loads(call.body or b"{}")
        gone = self.store.delete(call.key, (options.get("preconditions") or {}).get("uid", ""))
        details = {"name": call.name, "kind": call.plural, "uid": gone["metadata"]["uid"]}
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _list(self, call: ApiCall) -> Json:
        obj = [entry for entry in self.store.each(call.kinds, call.namespace) if selected(entry, call.query)]
        start, version = 0, self.store.version
        if "continue" in call.query:
            start, version = json.loads(base64.urlsafe_b64decode(call.query["continue"]))
            self.store.since(version)
        limit = int(call.query.get("limit") or 0) or self.most or len(obj) or 1
        metadata: Json = {"resourceVersion": str(version)}
        if start + limit < len(obj):
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps([start + limit, version]).encode()).decode()
        items = [{name: part for name, part in entry.items() if name not in {"kind", "apiVersion"}} for entry in obj]
        kind = SERVED[call.group, call.version][call.plural]
        version_of = f"{call.group}/{call.version}".strip("/")
        page = items[start : start + limit]
        return {"kind": f"{kind}List", "apiVersion": version_of, "metadata": metadata, "items": page}

    def _log(self, call: ApiCall, pod: Json) -> str:
        status = (pod["status"].get("containerStatuses") or [{"state": {"waiting": {"reason": "Pending"}}}])[0]
        container = call.query.get("container") or pod["spec"]["containers"][0]["name"]
        if container not in [entry["name"] for entry in pod["spec"]["containers"]]:
            raise Refusal(400, "BadRequest", f"container {container} is not valid for pod {call.name}")
        is_previous = call.query.get("previous") == "true"
        if is_previous and not status.get("lastState"):
            message = f'previous terminated container "{container}" in pod "{call.name}" not found'
            raise Refusal(400, "BadRequest", message)
        reason = status["state"].get("waiting", {}).get("reason")
        if reason and not is_previous:
            message = f'container "{container}" in pod "{call.name}" is waiting to start: {reason}'
            raise Refusal(400, "BadRequest", message)
        since = call.query.get("sinceTime", "")
        if "sinceSeconds" in call.query:
            start = datetime.now(UTC) - timedelta(seconds=int(call.query["sinceSeconds"]))
            since = start.strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = self.kubelet.logs.get((pod["metadata"]["uid"], is_previous), [])
        # whole seconds: that is all that the API takes of the time
        shown = [(at, line) for at, line in lines if at[:19] >= since[:19]]
        stamped = call.query.get("timestamps") == "true"
        text = "".join(f"{at} {line}\n" if stamped else f"{line}\n" for at, line in shown)
        limit = int(call.query.get("limitBytes") or len(text.encode()))
        return text.encode()[:limit].decode(errors="replace")


def selected(obj: Json, query: dict[str, str]) -> bool:
    """Return whether the selectors of a request mean an object."""
    labels = obj["metadata"].get("labels") or {}
    for part in filter(None, re.split(r",(?![^(]*\))", query.get("labelSelector", ""))):
        name, is_list, values = part.partition(" in (")
        if is_list and labels.get(name) not in values.rstrip(")").split(","):
            return False
        name, _, value = part.partition("=")
        if not is_list and labels.get(name) != value.lstrip("="):
            return False
    for part in filter(None, query.get("fieldSelector", "").split(",")):
        name, _, value = part.partition("=")
        place: Any = obj
        for entry in name.split("."):
            place = (place or {}).get(entry)
        if place != value.lstrip("="):
            return False
    return True


def _scale(obj: Json) -> Json:
    """Return the scale of a workload; like the API, without a number that is 0."""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {name: obj["metadata"][name] for name in kept}
    replicas = obj["spec"]["replicas"]
    spec = {"replicas": replicas} if replicas else {}
    status = {"replicas": obj.get("status", {}).get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _served(call: ApiCall) -> Json:
    if call.path == "/version/":
        built = ("buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform")
        return {"major": "1", "minor": "36", "gitVersion": "v1.36.0", **dict.fromkeys(built, "of the tests")}
    if call.path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if call.path == "/apis":
        groups = [{"groupVersion": f"{group}/{version}", "version": version} for group, version in SERVED if group]
        named = [{"name": entry["groupVersion"].partition("/")[0], "versions": [entry]} for entry in groups]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
    kinds = SERVED.get((call.group, call.version))
    if kinds is None:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    listed = [
        {"name": plural, "singularName": kind.lower(), "namespaced": plural != "namespaces", "kind": kind}
        | {"verbs": verbs}
        for plural, kind in kinds.items()
    ]
    if call.group == "apps":
        listed.append({"name": "deployments/scale", "namespaced": True, "kind": "Scale", "verbs": ["get", "patch"]})
    version = f"{call.group}/{call.version}".strip("/")
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}
