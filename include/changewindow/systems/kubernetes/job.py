"""Runs a container to its end as a Job, and brings its log into the task log line by line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.diagnosis import listed, owned, troubles
from changewindow.systems.kubernetes.events import failed_creates, warnings
from changewindow.systems.kubernetes.resource import Json, Resource, core

CONTAINER = "run"
EVERY = 0.5
MARGIN = timedelta(seconds=5)
"""So much longer than the Job itself is its end waited for, so that its own reason is seen."""
KEPT_SECONDS = 7 * 24 * 3600
CHUNK = 1_000_000
"""So many bytes of a log are read at once, and more where that does not reach beyond a second."""
MOST = 32 * CHUNK
"""Of one second, no more bytes of a log are told: the API gives a log from a whole second on."""


@dataclass(frozen=True)
class Task:
    """A container to run."""

    image: str
    command: Sequence[str]
    args: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    """Secret and key by variable: `secret/key`."""
    service_account: str = ""

    @property
    def line(self) -> str:
        """Return the container on one line."""
        return " ".join([self.image, *self.command, *self.args])


def run_to_end(cluster: Cluster, job: Resource, task: Task, within: timedelta) -> None:
    """Run a container once, unless it has succeeded under this name, and wait for its end.

    Raises:
        StepFailed: it failed, could not start, or did not end in time.
    """
    found = cluster.find(job)
    if found and _end_of(found) == "Complete":
        cluster.context.log(f"{job} has succeeded already")
        return
    if found and _end_of(found):
        stop(cluster, job, found, within)
        found = None
    if found is None:
        _create(cluster, job, task, within)
    follower = Follower(cluster, job)
    try:
        ended = cluster.context.until(f"{job} has ended", follower.ended, within=within + MARGIN, every=EVERY)
    except StepFailed as error:
        if isinstance(error, Refused):
            raise
        raise StepFailed(f"{error} {listed(follower.troubles)}".rstrip()) from error
    if ended and _end_of(ended) == "Failed":
        reasons = [
            f"{one.get('reason')}: {one.get('message')}" for one in _conditions(ended) if one["type"] == "Failed"
        ]
        told = listed([*follower.troubles, *reasons])
        raise StepFailed(f"'{task.line}' failed as {job}: {told}. Its output is in the log above.")


def stop(cluster: Cluster, job: Resource, found: Json, within: timedelta) -> None:
    """Delete a Job that has not succeeded, and wait until it and its pods are gone; nothing of it acts any more."""
    if _end_of(found) == "Complete":
        return
    cluster.delete(job, found)

    def is_gone() -> bool:
        there = cluster.find(job)
        is_same = there is not None and there["metadata"]["uid"] == found["metadata"]["uid"]
        return not is_same and not _pods(cluster, job, found)

    cluster.context.until(f"{job} and its pods are gone", lambda: cluster.glance(is_gone), within=within, every=EVERY)


@dataclass
class Follower:
    """Looks at a Job again and again; new lines of its pods' logs and new troubles go to the task log."""

    cluster: Cluster
    job: Resource
    troubles: list[str] = field(default_factory=list)
    told: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By pod: the time of the last line that was told, and how many lines of that time were."""

    def ended(self) -> Json | None:
        """Return the Job when it has ended."""
        return self.cluster.glance(self._looked_at)

    def _looked_at(self) -> Json | None:
        found = self.cluster.get(self.job)
        pods = _pods(self.cluster, self.job, found)
        for pod in pods:
            self._tell(pod["metadata"]["name"])
        events = warnings(self.cluster, pods) if pods else failed_creates(self.cluster, found)
        known = troubles(pods, [], []) or troubles([], [], events) or _deleted(pods, found)
        earlier, self.troubles = self.troubles, known or self.troubles
        for said in self.troubles:
            if said not in earlier:
                self.cluster.context.log(said)
        return found if _end_of(found) else None

    def _tell(self, pod: str) -> None:
        limit = CHUNK
        while limit:
            limit = self._tell_some(pod, limit)
            self.cluster.context.require_lock()

    def _tell_some(self, pod: str, limit: int) -> int:
        """Tell the next lines of a log; return how many bytes to read next, or 0 when there are no more."""
        since, count = self.told.get(pod, ("", 0))
        asked = {"container": CONTAINER, "timestamps": "true", "limitBytes": limit}
        asked |= {"sinceTime": since} if since else {}
        try:
            text = self.cluster.text(core("pods", self.job.namespace, pod, "log"), **asked)
        except Refused as error:
            # there is no log yet (400), or none any more (404)
            if error.status in {400, 404}:
                return 0
            raise
        is_cut = len(text.encode()) >= limit
        # not by any other end of a line: only these begin with a time
        lines = [line for line in text.split("\n") if line]
        whole = lines[:-1] if is_cut and len(lines) > 1 else lines
        new = _newer(whole, since, count)
        for line in new:
            at, _, says = line.partition(" ")
            self.cluster.context.log(says)
            since, count = at, (count + 1 if at == since else 1)
        if is_cut and not new and limit >= MOST:
            self.cluster.context.log(f"more than {MOST} bytes of log at {since}: the rest of that second is left out")
            since, count = _next_second(since), 0
        self.told[pod] = since, count
        return min(2 * limit, MOST) if is_cut else 0


def _deleted(pods: Sequence[Json], job: Json) -> list[str]:
    """Return which pods go although their Job has not ended: a node that is drained, or somebody, does that."""
    going = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]
    return [] if _conditions(job) else [f"pod {name} is deleted before its end, not by its Job" for name in going]


def _next_second(stamp: str) -> str:
    """Return the beginning of the second after a time, written as that."""
    second, zone = stamp[:19], stamp[29:]
    return f"{(datetime.fromisoformat(second) + timedelta(seconds=1)).isoformat()}.000000000{zone}"


def _newer(lines: Sequence[str], since: str, count: int) -> list[str]:
    """Return the lines that were not told yet: those after a time, and of that time all but the first few."""
    times = [line.partition(" ")[0] for line in lines]
    same = [line for line, at in zip(lines, times, strict=True) if at == since]
    return [*same[count:], *(line for line, at in zip(lines, times, strict=True) if at > since)]


def refusals(cluster: Cluster, job: Resource, task: Task, within: timedelta) -> list[str]:
    """Return why the server would refuse the Job of a container, by a dry run of its own."""
    return cluster.refusals(lambda: cluster.try_create(job.of(name=""), _job(job.name, task, within)))


def _create(cluster: Cluster, job: Resource, task: Task, within: timedelta) -> None:
    try:
        cluster.create(job.of(name=""), _job(job.name, task, within))
    except Refused as error:
        # its name is ours alone: an answer that did not arrive was followed by a second try
        if error.status != 409:
            raise


def _job(name: str, task: Task, within: timedelta) -> Json:
    container: Json = {"name": CONTAINER, "image": task.image, "command": [*task.command], "args": [*task.args]}
    plain = [{"name": key, "value": text} for key, text in task.environment.items()]
    container["env"] = [*plain, *(_from_secret(key, secret) for key, secret in task.secrets.items())]
    pod: Json = {"restartPolicy": "Never", "containers": [container]}
    if task.service_account:
        pod["serviceAccountName"] = task.service_account
    labels = {"app.kubernetes.io/managed-by": "changewindow"}
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": max(1, math.ceil(within.total_seconds())),
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": spec}


def _from_secret(name: str, secret: str) -> Json:
    where, _, key = secret.partition("/")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": where, "key": key}}}


def _pods(cluster: Cluster, job: Resource, found: Json) -> list[Json]:
    pods = cluster.items(core("pods", job.namespace), labelSelector=f"batch.kubernetes.io/job-name={job.name}")
    return owned(pods, found)


def _conditions(found: Json) -> list[Json]:
    conditions = (found.get("status") or {}).get("conditions") or []
    return [one for one in conditions if one["status"] == "True"]


def _end_of(found: Json) -> str:
    """Return `Complete` or `Failed` for a Job that has ended, else nothing."""
    return next((one["type"] for one in _conditions(found) if one["type"] in {"Complete", "Failed"}), "")
