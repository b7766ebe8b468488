"""Counts the lines that match a regular expression in the logs of the pods of a workload, since the change.

With `over` it looks back that far instead; before a change and without `over`, 2 minutes. All pods of the Deployment,
StatefulSet or DaemonSet are read, also the container that ran before a restart; of pods that are gone nothing can be
read. Where a container has restarted more than once, the runs before have no log any more: the lines that are there
count, but to find none, or too few for a limit, is `invalid`. Pods that have no log yet count nothing, but if no pod
has a log, it is `no_data`. A log too long to be read whole is `invalid`: the lines left out might be the bad ones.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName, Duration, Expression, duration_text
from changewindow.sources.base import SourceBase
from changewindow.systems import expressions
from changewindow.systems.kubernetes.async_cluster import AskedCluster, cluster
from changewindow.systems.kubernetes.client import Reply
from changewindow.systems.kubernetes.diagnosis import statuses
from changewindow.systems.kubernetes.resource import Json, core, refusal
from changewindow.systems.kubernetes.workload import Namespace, Workload, named
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.process.apart import apart

EXAMPLE = {
    "kind": "kubernetes_logs",
    "connection": "example_cluster",
    "namespace": "shop",
    "workload": "deployment/cart",
    "matches": r"(?i)\b(error|panic|fatal)\b",
}
BEFORE_A_CHANGE = timedelta(minutes=2)
LIMIT = 16 * 1024 * 1024
"""How many bytes of a container's log are read at most."""
AT_ONCE = 8
"""How many logs are read at the same time."""
LONGEST_LINE = 10_000
LIMIT_TOGETHER = 4 * LIMIT
"""How many characters of all logs together are read at most."""


@dataclass
class _Together:
    """What is read of all containers."""

    few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    read: int = 0

    def add(self, characters: int) -> None:
        """Take note of what was read.

        Raises:
            SourceError: `invalid`, it is too much.
        """
        self.read += characters
        if self.read > LIMIT_TOGETHER:
            fault = f"the logs of all pods are longer than {LIMIT_TOGETHER // 1024**2} MiB together"
            raise SourceError("invalid", f"{fault}; look back less far with `over`, or name one `container`")


class Source(SourceBase):
    """Lines to count."""

    kind: Literal["kubernetes_logs"] = "kubernetes_logs"
    is_about_the_asker: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    workload: Workload
    """Whose pods: `deployment/…`, `statefulset/…` or `daemonset/…`."""
    container: str = ""
    """The container whose log is read; without it, all of each pod."""
    matches: Expression
    """The regular expression that a line has to contain to be counted."""
    over: Duration | None = Field(default=None, gt=timedelta(0))
    """How far to look back; without it, to the end of the last step."""

    def description(self) -> str:
        """Return what is counted."""
        over = f"in the last {duration_text(self.over)}" if self.over else "since the change"
        return f"lines with {self.matches!r} in the logs of {self.workload} at {self.connection} {over}"

    async def ask(self, context: SourceContext) -> Answer:
        """Read the logs of all pods, and count."""
        at = context.now()
        start = at - (self.over or BEFORE_A_CHANGE) if self.over or context.since is None else context.since
        async with cluster(context, self.connection, self.namespace) as here:
            pods = await here.pods(await here.get(named(here.namespace, self.workload)))
            together = _Together()
            logs = [self._read(here, question, together) for pod in pods for question in self._parameters(pod, start)]
            read = [text for text in await asyncio.gather(*logs) if text is not None]
        if not read:
            raise SourceError("no_data", f"{self.workload} has {len(pods)} pods, and none of them has a log to read")
        count = await apart(self._count, sum(map(len, read)), read, start)
        lost = ", ".join(pod["metadata"]["name"] for pod in pods if self._has_lost(pod, start))
        if lost and not count:
            fault = f"{lost} restarted several times, and of what ran before the last two starts no log is kept"
            raise SourceError("invalid", f"no line was found, but {fault}. Look at `restarts` of kubernetes_pods")
        note = f"at least: {lost} restarted several times" if lost else ""
        return Answer(float(count), at, self.description(), note, is_at_least=bool(lost))

    def _has_lost(self, pod: Json, start: datetime) -> bool:
        """Return whether a container of a pod has run of which no log is left: only the last two runs have one."""
        return any(
            status.get("restartCount", 0) > 1 and _began_last(status) > start
            for status in statuses(pod)
            if self.container in {"", status["name"]}
        )

    def _parameters(self, pod: Json, start: datetime) -> Iterator[tuple[Json, Json]]:
        """Yield the pod and what to ask of it, for each container, and for the one before it if it was restarted."""
        since = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for status in statuses(pod):
            if self.container in {"", status["name"]}:
                asked = {"container": status["name"], "sinceTime": since, "timestamps": "true", "limitBytes": LIMIT}
                yield pod, asked
                if status.get("restartCount"):
                    yield pod, {**asked, "previous": "true"}

    async def _read(self, here: AskedCluster, asked: tuple[Json, Json], together: "_Together") -> str | None:
        """Return a log, or None when there is none: the container has not started (400), or the pod is gone (404)."""
        pod, parameters = asked
        log = core("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], "log")
        async with together.few:
            reply: Reply = await here.ask(log, **parameters)
            together.add(len(reply.text))
        if reply.status in {400, 404}:
            return None
        if reply.status != 200:
            fault = refusal(self.connection, "GET", log, status=reply.status, text=reply.text)
            raise SourceError("unreachable", fault)
        if len(reply.text.encode()) >= LIMIT:
            fault = f"the log of pod {log.name} is longer than {LIMIT // 1024**2} MiB; look back less far with `over`"
            raise SourceError("invalid", fault)
        return reply.text

    def _count(self, logs: list[str], start: datetime) -> int:
        lines = [line.partition(" ") for log in logs for line in log.split("\n")]
        new = [text for at, _, text in lines if at and _moment(at) >= start]
        return sum(expressions.occurs(self.matches, line[:LONGEST_LINE]) for line in new)


def _began_last(status: Json) -> datetime:
    """Return when the run before the present one began."""
    ended = (status.get("lastState") or {}).get("terminated") or {}
    return datetime.fromisoformat(ended["startedAt"]) if ended.get("startedAt") else datetime.min.replace(tzinfo=UTC)


def _moment(stamp: str) -> datetime:
    """Return the time of a line, which has nanoseconds."""
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", stamp))
    except ValueError as error:
        raise SourceError("invalid", f"a line of a log does not begin with its time: {stamp[:40]!r}") from error
