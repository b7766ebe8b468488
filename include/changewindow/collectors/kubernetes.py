"""Shows what was changed in a namespace of Kubernetes: revisions of workloads, and who wrote which objects.

Deployments show their revisions by ReplicaSets, StatefulSets and DaemonSets by ControllerRevisions, each with the
difference to the one before; images and numbers are shown, of values that may be secret only fingerprints. Objects
name the programs that wrote their fields (`managedFields`), so that scale by hand is told from an autoscaler's; of each
program only its last write of an object is known, and never the person. Releases of Helm are shown by chart, status and
revision. Events reach back only as far as the server keeps them, for one hour by default. A deletion is seen by
comparing with the look before, so the first look remembers, and shows none.

The account needs the right to list in its namespace, no other; what it may not list is not seen, and named.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, Literal, TypeVar

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.moments import utc
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.http.clock import ahead_by_date
from changewindow.systems.kubernetes.async_cluster import AskedCluster, Listing, cluster
from changewindow.systems.kubernetes.helm import TYPE
from changewindow.systems.kubernetes.last_look import rescaled, state_of, unowned
from changewindow.systems.kubernetes.object_history import Histories, happened
from changewindow.systems.kubernetes.resource import Json, Resource, core
from changewindow.systems.kubernetes.workload import Namespace
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort
from changewindow.systems.remembered import Memory, changed_prints, compared

T = TypeVar("T")
EXAMPLE = {"kind": "kubernetes", "connection": "example_cluster", "namespace": "shop", "service": "orders"}
MOST = 5000
"""Objects of a kind that are looked at."""
SLACK = timedelta(hours=1)
"""How far the clock of a cluster may be off before entries of the span are missed."""
RBAC, NETWORK = "rbac.authorization.k8s.io", "networking.k8s.io"
KEPT = {
    "Deployment": Resource("apps", "v1", "replicasets"),
    "StatefulSet": Resource("apps", "v1", "controllerrevisions"),
    "DaemonSet": Resource("apps", "v1", "controllerrevisions"),
}
"""Where the revisions of workloads are kept."""
SHOWN = {
    "Deployment": Resource("apps", "v1", "deployments"),
    "StatefulSet": Resource("apps", "v1", "statefulsets"),
    "DaemonSet": Resource("apps", "v1", "daemonsets"),
    "HorizontalPodAutoscaler": Resource("autoscaling", "v2", "horizontalpodautoscalers"),
    "CronJob": Resource("batch", "v1", "cronjobs"),
    "ConfigMap": core("configmaps"),
    "Secret": core("secrets"),
    "Service": core("services"),
    "ServiceAccount": core("serviceaccounts"),
    "ResourceQuota": core("resourcequotas"),
    "Ingress": Resource(NETWORK, "v1", "ingresses"),
    "NetworkPolicy": Resource(NETWORK, "v1", "networkpolicies"),
    "Role": Resource(RBAC, "v1", "roles"),
    "RoleBinding": Resource(RBAC, "v1", "rolebindings"),
}
EVENTS = core("events")
IMAGE = re.compile(r"spec\.(?:containers|initContainers)\.(?P<container>[^. ]+)\.image = (?P<image>[^\s]+)")
LAST = "of each program only its last write of an object is known"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


class Collector(CollectorBase):
    """A namespace of a cluster."""

    kind: Literal["kubernetes"] = "kubernetes"
    looks_at: ClassVar[Sort] = "cluster"
    connection: ConnectionName
    """The Airflow Connection of the cluster, as for the steps."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""

    def put_back(self, entry: Entry) -> PutBack:
        """Set the images, or the number of pods, of before."""
        kind, _, place = entry.object.partition(" ")
        namespace, _, name = place.partition("/")
        where = {"connection": self.connection, "namespace": namespace, "workload": f"{kind.lower()}/{name}"}
        if entry.what.startswith("scaled"):
            if kind not in {"Deployment", "StatefulSet"} or not entry.before.isdecimal():
                return "how many pods there were before is not known; write the ticket by hand, with `kubernetes_scale`"
            number = int(entry.before)
            return [{"name": f"Scale {name} to {number}", "kind": "kubernetes_scale", **where, "replicas": number}]
        images = [IMAGE.fullmatch(line) for line in entry.before.splitlines()]
        if kind not in KEPT or not images or not all(images):
            return "what it was before is not kept, or only by fingerprints; write the ticket by hand"
        return [
            {"name": f"Set {name} to {image['image']}", "kind": "kubernetes_image", **where, **image.groupdict()}
            for image in images
            if image
        ]

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """List everything at once, and read from it who did what."""
        began = context.now()
        resources = sorted({*SHOWN.values(), *KEPT.values(), EVENTS}, key=str)
        async with cluster(context, self.connection, self.namespace) as here:
            answers = await asyncio.gather(*(_listed(here, resource) for resource in resources))
            world = _World(here.namespace, dict(zip(resources, answers, strict=True)), span, context)
            await world.require_something(here)
        return world.collected(began)


async def _listed(here: AskedCluster, resource: Resource) -> Listing | SourceError:
    try:
        return await here.listing(resource.of(namespace=here.namespace), MOST)
    except SourceError as error:
        return error


@dataclass
class _World:
    """What a namespace holds, and how many of its objects cannot be read."""

    namespace: str
    answers: Mapping[Resource, Listing | SourceError]
    span: Span
    context: CollectorContext
    unreadable: int = 0
    states: dict[str, str] = field(default_factory=dict)
    """Each object by name, with its scale if it has one, and fingerprints of its fields."""

    async def require_something(self, here: AskedCluster) -> None:
        """Make sure that there is a namespace, and that something in it may be seen.

        Raises:
            SourceError: it is not so.
        """
        problems = [answer for answer in self.answers.values() if isinstance(answer, SourceError)]
        if len(problems) == len(self.answers):
            raise problems[0]
        if not any(map(self.items, self.answers)):
            reply = await here.ask(core("namespaces", name=self.namespace))
            if reply.status == 404:
                gone = f"there is no namespace '{self.namespace}' in the cluster of connection '{here.connection}'"
                raise SourceError("no_data", f"{gone}. Correct `namespace`")

    def items(self, resource: Resource) -> tuple[Json, ...]:
        """Return the objects of a kind, as far as they may be seen."""
        answer = self.answers[resource]
        return answer.items if isinstance(answer, Listing) else ()

    def collected(self, began: datetime) -> Collected:
        """Return what can be read from it all."""
        kept = {kind: self.items(resource) for kind, resource in KEPT.items()}
        named = [
            self._tried(partial(_target, namespace=self.namespace), scaler)
            for scaler in self.items(SHOWN["HorizontalPodAutoscaler"])
        ]
        scalers = dict(filter(None, named))
        since = self.span.since - SLACK
        histories = Histories(self.namespace, since, self.context.fingerprint, kept, scalers)
        objects = [(kind, obj) for kind, resource in SHOWN.items() for obj in self.items(resource)]
        for kind, obj in objects:
            self._tried(partial(self._remember, histories, kind), obj, counts=False)
        memory = compared(self.context.kept, self.states, began, is_all=True, is_unread=self._is_unread)
        ahead = self._ahead(began)
        scales = rescaled(memory, self.span, ahead or timedelta(0))
        histories = replace(histories, keys=_keys(memory, self.span), rescaled=scales)
        read = [self._tried(partial(histories.of, kind), obj) for kind, obj in objects]
        entries = [entry for entries in read for entry in entries or ()]
        events = [self._tried(partial(happened, namespace=self.namespace), event) for event in self.items(EVENTS)]
        entries += unowned(memory, entries, self.span, ahead or timedelta(0))
        unreadable = f"{self.unreadable} objects cannot be read" if self.unreadable else ""
        unseen = (*dict(self._unseen()).values(), unreadable)
        why = "; ".join(filter(None, (*unseen, memory.why(self.span, "deletions"), self._reach(), LAST)))
        blind = dict(self._unseen())
        coverage = Coverage(
            self.span.since, self.span.until, lost=self.unreadable, clock_off=ahead, why=why, blind=blind
        )
        return Collected((*entries, *(event for event in events if event)), coverage)

    def _remember(self, histories: Histories, kind: str, obj: Json) -> None:
        if obj.get("type") == TYPE:
            return
        self.states[histories.name(kind, obj)] = state_of(kind, obj, self.context.fingerprint)

    def _tried(self, read: Callable[[Json], T], obj: Json, *, counts: bool = True) -> T | None:
        try:
            return read(obj)
        except UNREADABLE:
            self.unreadable += counts
            return None

    def _is_unread(self, name: str) -> bool:
        """Return whether an object may be there although it was not read: nobody may list it, or there are too many."""
        answer = self.answers.get(SHOWN[name.split(maxsplit=1)[0]])
        return bool(self.unreadable) or not isinstance(answer, Listing) or not answer.is_whole

    def _ahead(self, began: datetime) -> timedelta | None:
        """Return how far the clock of the server is ahead, to two seconds."""
        dates = [answer.date for answer in self.answers.values() if isinstance(answer, Listing)]
        return ahead_by_date(next(filter(None, dates), ""), began, self.context.now())

    def _unseen(self) -> Iterator[tuple[str, str]]:
        for resource, answer in self.answers.items():
            if isinstance(answer, SourceError):
                yield resource.kinds, f"{resource.kinds} are not seen: {answer}"
            elif not answer.is_whole:
                yield resource.kinds, f"of {resource.kinds} only the first {MOST} are looked at"

    def _reach(self) -> str:
        """Return how far back events are known."""
        made = [self._tried(_made, event) for event in self.items(EVENTS)]
        oldest = min(filter(None, made), default=None)
        if (oldest and oldest <= self.span.since) or self.span.until - self.span.since <= timedelta(minutes=59):
            return ""
        at = f"the oldest here is of {oldest:%Y-%m-%d %H:%M} UTC" if oldest else "there are none here"
        return f"events are kept for only as long as the server is set to, one hour by default: {at}"


def _target(scaler: Json, namespace: str) -> tuple[str, str]:
    target = scaler["spec"]["scaleTargetRef"]
    return f"{target['kind']} {namespace}/{target['name']}", f"HorizontalPodAutoscaler {scaler['metadata']['name']}"


def _made(event: Json) -> datetime:
    return utc(event["metadata"]["creationTimestamp"])


def _keys(memory: Memory, span: Span) -> dict[str, list[str]]:
    """Return which keys of ConfigMaps and Secrets have changed in a span."""
    changes = [change for change in memory.differences if change.before and change.after and change.at(span)]
    return {change.object: changed_prints(*change.values) for change in changes}
