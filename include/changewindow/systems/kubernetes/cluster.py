"""Lets a step look at a cluster and act on it, through the library `kubernetes`.

What acts goes through the context, so dry runs hold. Objects are JSON as the API wrote it, not the library's models:
so fields that only a newer cluster knows are not lost. A server that asks to wait (429, or any other status with
Retry-After) is asked again; credentials that are refused are fetched anew, once.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack

from changewindow.errors import StepFailed
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.client import Content, Parameters, api, following, namespace_of, request
from changewindow.systems.kubernetes.resource import Json, Resource, refusal

T = TypeVar("T")
TRIES = 10
"""How often a server that asks to wait is asked, as by kubectl."""
STARTS_WITHIN = 30.0
MANAGER = "changewindow"
"""The field manager: the name under which the cluster records who changed a field."""
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
READ = Content()


class Refused(StepFailed):
    """The API server did not do what it was asked; a status of 0 means that no reply came."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)

    @property
    def is_passing(self) -> bool:
        """Return whether a later look may well succeed."""
        return self.status in {0, 410, 429} or self.status >= 500


@dataclass
class Cluster:
    """The cluster behind a connection, for one step."""

    context: Context
    connection: str
    api: Any = None
    away: float = -math.inf
    """When a look last failed for a passing reason."""

    def namespace(self, asked: str) -> str:
        """Return the namespace that is asked for, or the one of the connection."""
        return namespace_of(self.context.connection(self.connection), asked)

    def get(self, resource: Resource, **parameters: Unpack[Parameters]) -> Json:
        """Return an object.

        Raises:
            Refused: there is none, or the server does not give it.
        """
        return _parsed(self._send("GET", resource, parameters=parameters), resource)

    def find(self, resource: Resource) -> Json | None:
        """Return an object, or None when there is none."""
        try:
            return self.get(resource)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def glance(self, look: Callable[[], T]) -> T | None:
        """Return what a look finds, or None when it fails for a passing reason: such a look decides nothing.

        For a moment after its start, an API server knows neither accounts nor their rights.
        """
        try:
            return look()
        except Refused as error:
            now = time.monotonic()
            is_starting = error.status in {401, 403} and now - self.away < STARTS_WITHIN
            if not error.is_passing and not is_starting:
                raise
            self.away = now if error.is_passing else self.away
            self.context.log(f"ignored, and looking again: {error}")
            return None

    def refusals(self, attempt: Callable[[], object]) -> list[str]:
        """Return why the server refuses an attempt, which is a dry run on the server; nothing if it does not."""
        try:
            attempt()
        except Refused as error:
            return [str(error)]
        return []

    def items(self, resource: Resource, **parameters: Unpack[Parameters]) -> list[Json]:
        """Return all objects of a kind, in its namespace."""
        items: list[Json] = []
        asked: Parameters | None = parameters
        while asked is not None:
            listed = self.get(resource, **asked)
            items += listed.get("items") or []
            asked = following(parameters, listed)
        return items

    def text(self, resource: Resource, **parameters: Unpack[Parameters]) -> str:
        """Return what is not JSON: a log."""
        return self._send("GET", resource, parameters=parameters)

    def patch(
        self, resource: Resource, body: Json, content: str = MERGE, **parameters: Unpack[Parameters]
    ) -> Json | None:
        """Change an object; a dry run only logs it, and returns None."""
        parameters["fieldManager"] = MANAGER
        return self.context.act(
            f"patch {resource}: {shortened(body)}",
            lambda: _parsed(self._send("PATCH", resource, Content(body, content), parameters=parameters), resource),
        )

    def try_patch(self, resource: Resource, body: Json, content: str = MERGE, **parameters: Unpack[Parameters]) -> Json:
        """Return what a patch would make of an object; the server changes nothing."""
        parameters |= {"fieldManager": MANAGER, "dryRun": "All"}
        return _parsed(self._send("PATCH", resource, Content(body, content), parameters=parameters), resource)

    def create(self, resource: Resource, body: Json) -> Json | None:
        """Create an object; a dry run only logs it."""
        return self.context.act(
            f"create {resource.of(name=body['metadata']['name'])}", lambda: self._created(resource, body, {})
        )

    def try_create(self, resource: Resource, body: Json) -> Json:
        """Return what creating an object would give; the server changes nothing."""
        return self._created(resource, body, {"dryRun": "All"})

    def _created(self, resource: Resource, body: Json, parameters: Parameters) -> Json:
        parameters = {**parameters, "fieldManager": MANAGER}
        return _parsed(self._send("POST", resource, Content(body), parameters=parameters), resource)

    def delete(self, resource: Resource, obj: Json) -> None:
        """Delete exactly this object, not another one that has its name by now; it may be gone already."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": obj["metadata"]["uid"]}}

        def do() -> None:
            try:
                self._send("DELETE", resource, Content(body))
            except Refused as error:
                if error.status not in {404, 409}:
                    raise

        self.context.act(f"delete {resource}", do)

    def revise(self, resource: Resource, patch_of: Callable[[Json], Json | None], subresource: str = "") -> None:
        """Patch an object, or a subresource of it, as it is now; when it changes meanwhile, look again.

        `patch_of` returns the patch for the object, or None when there is nothing to do.

        Raises:
            Refused: the server refuses, or the object keeps changing.
        """
        for left in reversed(range(TRIES)):
            current = self.get(resource)
            patch = patch_of(current)
            if patch is None:
                return
            version = {"resourceVersion": current["metadata"]["resourceVersion"]}
            body = {**patch, "metadata": {**patch.get("metadata", {}), **version}}
            try:
                self.patch(resource.of(subresource=subresource), body)
            except Refused as error:
                if error.status != 409 or not left:
                    raise
                self.context.log(f"{resource} was changed by somebody else at this moment; looking again")
            else:
                return

    def missing_rights(self, *needed: tuple[str, Resource]) -> list[str]:
        """Return which verbs the account of the connection may not use on resources, each with what to do."""
        return [
            f"The account of connection '{self.connection}' may not {verb} {resource}. Give it the verb '{verb}' on "
            f"{resource.kinds} by a Role and RoleBinding{reason}."
            for verb, resource in needed
            for is_allowed, reason in [self._may(verb, resource)]
            if not is_allowed
        ]

    def _may(self, verb: str, resource: Resource) -> tuple[bool, str]:
        asked = {"verb": verb, "group": resource.group, "resource": resource.plural, "name": resource.name}
        asked |= {"namespace": resource.namespace, "subresource": resource.subresource}
        review = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        body: Json = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body |= {"spec": {"resourceAttributes": {name: value for name, value in asked.items() if value}}}
        status = _parsed(self._send("POST", review, Content(body)), review).get("status") or {}
        reason = status.get("reason") or status.get("evaluationError")
        return bool(status.get("allowed")), f" ({reason})" if reason else ""

    def _send(
        self, method: str, resource: Resource, content: Content = READ, *, parameters: Parameters | None = None
    ) -> str:
        renewed = False
        for left in reversed(range(TRIES)):
            self.api = self.api or api(self.context.connection(self.connection))
            reply = request(self.api, method, resource, content, parameters=parameters or {})
            if 200 <= reply.status < 300:
                return reply.text
            if reply.status == 401 and not renewed:
                renewed, self.api = True, None
            elif reply.pause is None or not left:
                break
            else:
                self.context.log(f"the API server asks to wait {reply.pause:g} s ({reply.status}): {resource}")
                self.context.stopped.wait(reply.pause)
                self.context.require_lock()
        raise Refused(reply.status, refusal(self.connection, method, resource, status=reply.status, text=reply.text))


def shortened(body: Json) -> str:
    """Return a patch as a line for the log."""
    text = json.dumps(body, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:299]}…"


def _parsed(text: str, resource: Resource) -> Json:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused(0, f"The answer about {resource} is not that of an API server: {text[:80]!r}. Is the host right?")
    return document
