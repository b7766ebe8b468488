"""Runs a container to its end as a Job, and copies its log into the task log line by line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.client import Parameters
from changewindow.systems.kubernetes.cluster import Cluster, Refused
from changewindow.systems.kubernetes.diagnosis import diagnosis, listed, owned
from changewindow.systems.kubernetes.events import failed_creates, warnings
from changewindow.systems.kubernetes.resource import Json, Resource, core

CONTAINER = "run"
EVERY = 0.5
MARGIN = timedelta(seconds=5)
"""How much longer than the Job may take we wait for its end, so that its own reason is seen."""
KEPT_SECONDS = 7 * 24 * 3600
CHUNK = 1_000_000
"""How many bytes of a log are read at a time; more where a single second has more."""
MOST = 32 * CHUNK
"""The most bytes of a log that are read for one second: the API can resume a log only at a whole second."""


@dataclass(frozen=True)
class Task:
    """A container to run."""

    image: str
    command: Sequence[str]
    args: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    """Secret and key by variable, as `secret/key`."""
    service_account: str = ""

    @property
    def line(self) -> str:
        """Return the container on one line."""
        return " ".join([self.image, *self.command, *self.args])


def run_to_end(cluster: Cluster, job: Resource, task: Task, within: timedelta) -> None:
    """Run a container once, unless it has already succeeded under this name, and wait for its end.

    Raises:
        StepFailed: it failed, could not start, or did not end in time.
    """
    existing = cluster.find(job)
    if existing and _end_of(existing) == "Complete":
        cluster.context.log(f"{job} has already succeeded")
        return
    if existing and _end_of(existing):
        stop(cluster, job, existing, within)
        existing = None
    if existing is None:
        _create(cluster, job, task, within)
    follower = Follower(cluster, job)
    try:
        ended = cluster.context.until(f"{job} has ended", follower.ended, within=within + MARGIN, every=EVERY)
    except StepFailed as error:
        if isinstance(error, Refused):
            raise
        raise StepFailed(f"{error} {listed(follower.findings)}".rstrip()) from error
    if ended and _end_of(ended) == "Failed":
        reasons = [
            f"{condition.get('reason')}: {condition.get('message')}"
            for condition in _conditions(ended)
            if condition["type"] == "Failed"
        ]
        findings = listed([*follower.findings, *reasons])
        raise StepFailed(f"'{task.line}' failed as {job}: {findings}. Its output is in the log.")


def stop(cluster: Cluster, job: Resource, state: Json, within: timedelta) -> None:
    """Delete a Job that has not succeeded, and wait until its pods are gone: nothing of it acts any more."""
    if _end_of(state) == "Complete":
        return
    cluster.delete(job, state)

    def is_gone() -> bool:
        present = cluster.find(job)
        is_same = present is not None and present["metadata"]["uid"] == state["metadata"]["uid"]
        return not is_same and not _pods(cluster, job, state)

    cluster.context.until(f"{job} and its pods are gone", lambda: cluster.glance(is_gone), within=within, every=EVERY)


@dataclass
class Follower:
    """Looks at a Job again and again, and copies new lines of its pods' logs and new findings to the task log."""

    cluster: Cluster
    job: Resource
    findings: list[str] = field(default_factory=list)
    copied: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By pod: the time of the last line that was copied, and how many lines of that time were."""

    def ended(self) -> Json | None:
        """Return the Job when it has ended."""
        return self.cluster.glance(self._look)

    def _look(self) -> Json | None:
        job = self.cluster.get(self.job)
        pods = _pods(self.cluster, self.job, job)
        for pod in pods:
            self._copy_log(pod["metadata"]["name"])
        events = warnings(self.cluster, pods) if pods else failed_creates(self.cluster, job)
        findings = diagnosis(pods) or diagnosis(events=events) or deleted(pods, job)
        earlier, self.findings = self.findings, findings or self.findings
        for finding in self.findings:
            if finding not in earlier:
                self.cluster.context.log(finding)
        return job if _end_of(job) else None

    def _copy_log(self, pod: str) -> None:
        limit = CHUNK
        while limit:
            limit = self._copy_lines(pod, limit)
            self.cluster.context.require_lock()

    def _copy_lines(self, pod: str, limit: int) -> int:
        """Copy the next lines of a log; return how many bytes to read next, or 0 when there are no more."""
        since, count = self.copied.get(pod, ("", 0))
        parameters: Parameters = {"container": CONTAINER, "timestamps": "true", "limitBytes": limit}
        if since:
            parameters["sinceTime"] = since
        try:
            text = self.cluster.text(core("pods", self.job.namespace, pod, "log"), **parameters)
        except Refused as error:
            # there is no log yet (400), or none any more (404)
            if error.status in {400, 404}:
                return 0
            raise
        is_cut = len(text.encode()) >= limit
        # not `splitlines`: only what follows a line feed begins with a time
        lines = [line for line in text.split("\n") if line]
        whole = lines[:-1] if is_cut and len(lines) > 1 else lines
        new = _newer(whole, since, count)
        for line in new:
            at, _, text = line.partition(" ")
            self.cluster.context.log(text)
            since, count = at, (count + 1 if at == since else 1)
        if is_cut and not new and limit >= MOST:
            self.cluster.context.log(f"more than {MOST} bytes of log at {since}: the rest of that second is left out")
            since, count = _next_second(since), 0
        self.copied[pod] = since, count
        return min(2 * limit, MOST) if is_cut else 0


def deleted(pods: Sequence[Json], job: Json) -> list[str]:
    """Return which pods were deleted before their Job ended: by a node drain, or by somebody.

    A Job that ends deletes its pods itself, but none that has failed: so none is left only where it was deleted.
    """
    conditions = _conditions(job)
    ended = min((datetime.fromisoformat(condition["lastTransitionTime"]) for condition in conditions), default=None)
    findings = [
        f"pod {pod['metadata']['name']} is deleted before its end, not by its Job"
        for pod in pods
        for deleted_at in [_deleted_at(pod)]
        if deleted_at and (ended is None or deleted_at < ended)
    ]
    has_failed = any(condition.get("reason") == "BackoffLimitExceeded" for condition in conditions)
    gone = ["its pod is gone: it was deleted before its end, not by its Job"] if has_failed and not pods else []
    return findings + gone


def _deleted_at(pod: Json) -> datetime | None:
    """Return when the deletion of a pod was asked for; its timestamp is when the time to end by itself is over."""
    metadata = pod["metadata"]
    if "deletionTimestamp" not in metadata:
        return None
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    return datetime.fromisoformat(metadata["deletionTimestamp"]) - grace


def _next_second(stamp: str) -> str:
    """Return the beginning of the second after a time, in the same format."""
    second, zone = stamp[:19], stamp[29:]
    return f"{(datetime.fromisoformat(second) + timedelta(seconds=1)).isoformat()}.000000000{zone}"


def _newer(lines: Sequence[str], since: str, count: int) -> list[str]:
    """Return the lines that were not copied yet: those after a time, and all but the first few of that time."""
    times = [line.partition(" ")[0] for line in lines]
    same = [line for line, at in zip(lines, times, strict=True) if at == since]
    return [*same[count:], *(line for line, at in zip(lines, times, strict=True) if at > since)]


def refusals(cluster: Cluster, job: Resource, task: Task, within: timedelta) -> list[str]:
    """Return why the server would refuse the Job of a container, by a dry run on the server."""
    return cluster.refusals(lambda: cluster.try_create(job.of(name=""), _job(job.name, task, within)))


def _create(cluster: Cluster, job: Resource, task: Task, within: timedelta) -> None:
    try:
        cluster.create(job.of(name=""), _job(job.name, task, within))
    except Refused as error:
        # nobody else uses its name: it exists because an earlier attempt got no answer
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


def _pods(cluster: Cluster, job: Resource, state: Json) -> list[Json]:
    pods = cluster.items(core("pods", job.namespace), labelSelector=f"batch.kubernetes.io/job-name={job.name}")
    return owned(pods, state)


def _conditions(job: Json) -> list[Json]:
    conditions = (job.get("status") or {}).get("conditions") or []
    return [condition for condition in conditions if condition["status"] == "True"]


def _end_of(job: Json) -> str:
    """Return `Complete` or `Failed` for a Job that has ended, or else an empty text."""
    types = [condition["type"] for condition in _conditions(job)]
    return next((end for end in types if end in {"Complete", "Failed"}), "")
