"""Runs a container in the cluster to its end, as a Job, with its log in the task log; undo runs the undo container.

The container runs once: it is not started anew when it fails, and is ended when the step's timeout is over. Its exit
code must be 0. undo first deletes the Job of apply with its pods, if it still runs, and waits until they are gone; then
it runs the undo container in the same way. If apply was cut short before it made its Job, undo does nothing; an undo
container that has succeeded is not run again. Finished Jobs stay for a week, then the cluster removes them. Values of
Secrets are referred to and never read here.

It goes through the client library and the Connection of the cncf-kubernetes provider, not through its operator: steps
know no Airflow.

Uses an Airflow Connection of type Kubernetes: `in_cluster`, `kube_config_path` or `kube_config`, with
`cluster_context`, `namespace` and `disable_verify_ssl`; or else `host` and `password`, as API server and bearer token.
"""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self
from uuid import uuid4

from pydantic import Field as Setting
from pydantic import model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName, Model
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.kubernetes.cluster import Cluster
from changewindow.systems.kubernetes.image_registry import images_not_pullable
from changewindow.systems.kubernetes.job import Task, refusals, run_to_end, stop
from changewindow.systems.kubernetes.resource import Resource, core
from changewindow.systems.kubernetes.workload import Name, Namespace
from changewindow.systems.place import Sort

EXAMPLE = {
    "name": "Migrate the schema",
    "kind": "kubernetes_job",
    "connection": "example_cluster",
    "namespace": "shop",
    "image": "registry.example.org/cart:2.15.0",
    "command": ["migrate", "up"],
    "secrets": {"DATABASE_URL": "cart-database/url"},
    "undo": {"command": ["migrate", "down"]},
}
Text = Annotated[str, Setting(min_length=1)]


class Undo(Model):
    """The container that undoes it; environment, secrets and service account are those of apply."""

    image: str = Setting(default="", pattern=r"^[^\s]*$")
    """The image to run; without it, that of apply."""
    command: tuple[Text, ...] = ()
    args: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_what_is_run(self) -> Self:
        if not (self.image or self.command or self.args):
            raise refusal("undo runs nothing of its own", "Give it a command, args or an image, or write `nothing`.")
        return self


class Step(StepBase):
    """A container to run, with the container that undoes it."""

    kind: Literal["kubernetes_job"] = "kubernetes_job"
    why_not_before_approval: ClassVar[str] = "it would hand its jobs to the API server and its webhooks"
    acts_on: ClassVar[Sort] = "cluster"
    connection: ConnectionName
    """The Airflow Connection of the cluster."""
    namespace: Namespace = ""
    """The namespace; without it, the one of the connection."""
    image: str = Setting(pattern=r"^[^\s]+$")
    """The image to run."""
    command: tuple[Text, ...] = ()
    """The program in the image; without it, the image's own entrypoint."""
    args: tuple[str, ...] = ()
    """The arguments of the program."""
    environment: dict[str, str] = {}
    """Environment variables of both containers."""
    secrets: dict[str, Annotated[str, Setting(pattern=r"^[-a-z0-9.]+/[-._a-zA-Z0-9]+$")]] = {}
    """Environment variables from Secrets of the namespace: `NAME: secret/key`."""
    service_account: Name | Literal[""] = ""
    """The service account of the pods; without it, that of the namespace."""
    registry: ConnectionName = ""
    """The Airflow Connection (type HTTP) of the images' registry; it is asked whether they can be pulled."""
    undo_run: Undo | Literal["nothing"] = Setting(alias="undo")
    """The container that undoes it; `nothing` when the container only reads."""

    def does(self) -> str:
        """Describe the container."""
        return f"run {self._task().line} at {self.connection} to its end"

    def undoes(self) -> str:
        """Describe the undo container."""
        back = self._undo_task()
        return f"run {back.line} at {self.connection} to its end" if back else "nothing to undo"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return which rights, service account or image are missing, and what the server would refuse."""
        cluster = Cluster(context, self.connection)
        job = self._job(cluster, "")
        pods = core("pods", job.namespace)
        verbs = [(verb, job) for verb in ("create", "get", "delete")]
        missing = cluster.missing_rights(*verbs, ("list", pods), ("get", pods.of(subresource="log")))
        account = core("serviceaccounts", job.namespace, self.service_account or "default")
        if not missing and cluster.find(account) is None:
            missing = [f"There is no {account}. Correct the service account or the namespace, or create it first."]
        tasks = [task for task in (self._task(), self._undo_task()) if task]
        tried = job.of(name=self._start(context))
        refused = (
            [] if missing else [refusal for task in tasks for refusal in refusals(cluster, tried, task, self.timeout)]
        )
        missing += dict.fromkeys(refused)
        if missing or not self.registry:
            return missing
        return images_not_pullable(context.connection(self.registry), *(task.image for task in tasks))

    def remember(self, context: Context) -> Memory:
        """Return the names that the Jobs of this run will have."""
        start = self._start(context)
        return {"job": f"{start}-apply", "undo_job": f"{start}-undo"}

    def apply(self, context: Context, remembered: Memory) -> None:
        """Run the container."""
        cluster = Cluster(context, self.connection)
        run_to_end(cluster, self._job(cluster, remembered["job"]), self._task(), within=self.timeout)

    def undo(self, context: Context, remembered: Memory) -> None:
        """Stop the container if it still runs, and run the one that undoes it."""
        cluster = Cluster(context, self.connection)
        job = self._job(cluster, remembered["job"])
        back, state = self._undo_task(), cluster.find(job)
        if state is None and context.apply_ended != "applied":
            context.log(f"nothing to undo: {job} was never created")
            return
        if state is None:  # the cluster removes finished Jobs, and so do people
            context.log(f"{job} is gone, but it ran to its end")
        else:
            stop(cluster, job, state, within=self.timeout)
        if back is None:
            context.log("nothing to undo: the ticket says that the container only reads")
            return
        run_to_end(cluster, self._job(cluster, remembered["undo_job"]), back, within=self.timeout)

    def _start(self, context: Context) -> str:
        return f"{context.mark.lower().replace('/', '-')}-{uuid4().hex[:8]}"

    def _job(self, cluster: Cluster, name: str) -> Resource:
        return Resource("batch", "v1", "jobs", cluster.namespace(self.namespace), name)

    def _task(self) -> Task:
        return Task(
            self.image, self.command, self.args, self.environment, self.secrets, service_account=self.service_account
        )

    def _undo_task(self) -> Task | None:
        if not isinstance(self.undo_run, Undo):
            return None
        back = self.undo_run
        return replace(self._task(), image=back.image or self.image, command=back.command, args=back.args)
