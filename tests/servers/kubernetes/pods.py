"""Makes pods out of templates, as controllers do, and lets them live as a kubelet does: pull, start, crash, end."""

import math
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from uuid import uuid4

from servers.kubernetes.patches import copied
from servers.kubernetes.store import Json, Refusal, Store, now

Line = tuple[str, str]
"""Time with nanoseconds, and text."""


@dataclass
class Images:
    """What becomes of a container by its image; every other image starts and is ready at once."""

    missing: set[str] = field(default_factory=set)
    without_volume: set[str] = field(default_factory=set)
    """These never get beyond the creation of their container, which only an event tells."""
    crashing: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)
    prints: dict[str, list[str]] = field(default_factory=dict)
    """What a container of an image prints when it starts."""


def stamp() -> str:
    """Return the time as the log of a container has it."""
    nanoseconds = time.time_ns()
    return f"{_second(nanoseconds // 10**9)}.{nanoseconds % 10**9:09}Z"


@lru_cache(1)
def _second(number: int) -> str:
    """Return a second as it stands in a log, in which it may have 100,000 lines."""
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def owned(store: Store, kind: str, owner: Json) -> list[Json]:
    """Return the objects of a kind that an owner controls."""
    return list(store.each(kind, owner["metadata"]["namespace"], owner["metadata"]["uid"]))


def owner_reference(owner: Json) -> Json:
    """Return what a controlled object says of its owner."""
    metadata = owner["metadata"]
    made = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**made, "controller": True, "blockOwnerDeletion": True}


def make_pod(store: Store, owner: Json, template: Json, name: str = "", **labels: str) -> str:
    """Create a pod; return what hinders it, or nothing."""
    metadata = copied(template.get("metadata") or {})
    named = name or f"{owner['metadata']['name']}-{uuid4().hex[:5]}"
    metadata |= {"name": named, "namespace": owner["metadata"]["namespace"]}
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    metadata["ownerReferences"] = [owner_reference(owner)]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copied(template["spec"])}
    pod["status"] = {"phase": "Pending"}
    hindered = over_quota(store, pod)
    if not hindered:
        store.create(pod)
    return hindered


def over_quota(store: Store, pod: Json) -> str:
    """Return the words in which the quota of the namespace refuses a pod, or nothing."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    used = len(
        [entry for entry in store.each("pods", namespace) if entry["status"].get("phase") in {"Pending", "Running"}]
    )
    for quota in store.each("resourcequotas", namespace):
        limit = int(quota["spec"]["hard"].get("pods", used + 1))
        if used + 1 > limit:
            numbers = f"requested: pods=1, used: pods={used}, limited: pods={limit}"
            return f'pods "{name}" is forbidden: exceeded quota: {quota["metadata"]["name"]}, {numbers}'
    return ""


def is_ready(pod: Json) -> bool:
    """Return whether a pod is ready."""
    conditions = pod["status"].get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


@dataclass
class Kubelet:
    """Runs the pods: those of Jobs as real programs of this machine, all others as the images say."""

    store: Store
    images: Images = field(default_factory=Images)
    logs: dict[tuple[str, bool], list[Line]] = field(default_factory=dict)
    """By uid of the pod and whether it is of the container that ran before."""
    programs: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def tick(self) -> None:
        """Let every pod live on a little."""
        for pod in list(self.store.each("pods")):
            uid, key = pod["metadata"]["uid"], ("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
            if "deletionTimestamp" in pod["metadata"]:
                self._kill(uid)
                self.store.remove(key)
            elif pod["status"].get("phase") in {"Pending", "Running"}:
                self._live(pod)

    def is_busy(self) -> bool:
        """Return whether a program runs, or its last words are still read."""
        return any(program.poll() is None or not is_read(program) for program in self.programs.values())

    def end(self) -> None:
        """End all programs."""
        for uid in list(self.programs):
            self._kill(uid)

    def _live(self, pod: Json) -> None:
        container, status = pod["spec"]["containers"][0], pod["status"]
        image, is_job = container["image"], pod["spec"]["restartPolicy"] == "Never"
        before = (status.get("containerStatuses") or [{}])[0]
        if not before:
            self._say(pod, {"waiting": {"reason": "ContainerCreating"}})
        elif image in self.images.without_volume:
            warn(self.store, pod, "FailedMount", 'MountVolume.SetUp failed for volume "x": configmap "x" not found')
        elif image in self.images.missing:
            self._say(pod, {"waiting": _cannot_pull(image, before["state"])})
        elif is_job:
            self._live_job(pod, container)
        elif image in self.images.crashing:
            self._crash(pod, before)
        elif "running" not in before["state"]:
            self._print(pod, self.images.prints.get(image, []))
            running = {"running": {"startedAt": now()}}
            self._say(pod, running, phase="Running", ready=image not in self.images.unready)

    def _crash(self, pod: Json, before: Json) -> None:
        if before.get("restartCount", 0) >= 3:
            return
        self._print(pod, self.images.prints.get(pod["spec"]["containers"][0]["image"], []), previous=True)
        last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now(), "finishedAt": now()}}
        name, place = pod["spec"]["containers"][0]["name"], f"{pod['metadata']['name']}_{pod['metadata']['namespace']}"
        message = f"back-off 10s restarting failed container={name} pod={place}"
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        count = before.get("restartCount", 0) + 1
        self._say(pod, state, phase="Running", lastState=last, restartCount=count)

    def _live_job(self, pod: Json, container: Json) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self.programs:
            try:
                environment = {**os.environ, **dict(self._environment(pod, container))}
            except Refusal as error:
                self._say(
                    pod,
                    {
                        "waiting": {
                            "reason": "CreateContainerConfigError",
                            "message": str(error).replace("secrets", "secret"),
                        }
                    },
                )
                return
            self._start(uid, [*container.get("command", []), *container.get("args", [])], environment)
            self._say(pod, {"running": {"startedAt": now()}}, phase="Running", ready=True)
            return
        program = self.programs[uid]
        code = program.poll()
        if code is not None and is_read(program):
            ended = {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": now()}
            self._say(pod, {"terminated": ended}, phase="Failed" if code else "Succeeded")

    def _environment(self, pod: Json, container: Json) -> Iterator[tuple[str, str]]:
        for entry in container.get("env") or []:
            if "valueFrom" not in entry:
                yield entry["name"], entry.get("value", "")
                continue
            reference = entry["valueFrom"]["secretKeyRef"]
            secret = self.store.get(("secrets", pod["metadata"]["namespace"], reference["name"]))
            yield entry["name"], secret["stringData"][reference["key"]]

    def _start(self, uid: str, command: list[str], environment: dict[str, str]) -> None:
        program = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.programs[uid] = program
        lines = self.logs.setdefault((uid, False), [])

        def follow() -> None:
            with program.stdout as output:  # type: ignore[union-attr]
                for line in output:
                    lines.append((stamp(), line.removesuffix(b"\n").decode(errors="replace")))

        threading.Thread(target=follow, daemon=True).start()

    def _print(self, pod: Json, lines: list[str], *, previous: bool = False) -> None:
        kept = self.logs.setdefault((pod["metadata"]["uid"], previous), [])
        kept += [(stamp(), line) for line in lines]

    def _kill(self, uid: str) -> None:
        program = self.programs.pop(uid, None)
        if program:
            program.kill()
            program.wait()

    def _say(self, pod: Json, state: Json, *, phase: str = "Pending", ready: bool = False, **more: object) -> None:
        container = pod["spec"]["containers"][0]
        status = {"name": container["name"], "image": container["image"], "ready": ready, "state": state}
        status |= {"restartCount": 0, "lastState": {}, **more}
        conditions = [{"type": "PodScheduled", "status": "True"}]
        conditions.append({"type": "Ready", "status": "True" if ready else "False"})
        self.store.status(pod, phase=phase, conditions=conditions, containerStatuses=[status])


def is_read(program: "subprocess.Popen[bytes]") -> bool:
    """Return whether all that a program printed is read."""
    return program.stdout is not None and program.stdout.closed


def _cannot_pull(image: str, before: Json) -> Json:
    if before.get("waiting", {}).get("reason") == "ContainerCreating":
        message = f'failed to pull and unpack image "{image}": not found'
        return {"reason": "ErrImagePull", "message": message}
    return {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}


def warn(store: Store, obj: Json, reason: str, message: str) -> None:
    """Tell something bad of an object in an event, once."""
    metadata, kind = obj["metadata"], obj["kind"]
    name = f"{metadata['name']}.{reason.lower()}"
    if ("events", metadata["namespace"], name) not in store.objects:
        about = {"kind": kind, "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": metadata["namespace"]}}
        warning = {"reason": reason, "message": message, "type": "Warning"}
        store.create({**event, **warning, "involvedObject": about, "lastTimestamp": now()})


def share(given: int | str, of: int, *, up: bool) -> int:
    """Return a number, or a percentage of pods as a number."""
    if isinstance(given, int):
        return given
    exact = of * int(given.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)
