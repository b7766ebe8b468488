"""Airflow's REST API as a user of Change Windows needs it.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from changewindow.cli.airflow_session import REDIRECTS, Signature, elsewhere, require_safe_address, unsigned, why
from changewindow.errors import PlatformError
from changewindow.systems.secrecy import Secrets

Answer = TypeVar("Answer")
ENDED = {"success", "failed"}
PAGE = 100


class RestError(PlatformError):
    """Airflow refused a request or did not answer it."""

    def __init__(self, method: str, url: str, reason: str, status: int = 0) -> None:
        self.status = status
        super().__init__(f"{method} {url} failed: {reason}")


def is_outage(error: RestError) -> bool:
    """Return whether Airflow, or whoever logs users in there, is down; a refusal is none."""
    return error.status == 0 or error.status >= requests.codes.internal_server_error


@dataclass
class Client:
    """One user's view of one Airflow."""

    url: str
    user: str
    password: str = field(repr=False)
    authorities: Path | None = None
    """A file, or a folder, of the authorities that are trusted; by default those that the environment names."""
    allow_http: bool = False
    """Whether the password may go over a network in the clear."""
    timeout: float = 60
    """Seconds that Airflow has for an answer."""
    _session: requests.Session = field(default_factory=unsigned, repr=False)
    _secrets: Secrets = field(default_factory=Secrets, repr=False)
    """What no message shows, though an answer may repeat it."""

    def log_in(self) -> "Client":
        """Get a token for the user.

        Raises:
            RestError: wrong password, or nobody answers.
            PlatformError: the password would go where it must not.
        """
        require_safe_address(self._session, self.url, allow_http=self.allow_http)
        self._secrets.learn(self.password)
        token = self._token()
        if not isinstance(token, dict) or not isinstance(token.get("access_token"), str):
            raise RestError("POST", f"{self.url}/auth/token", "there is no token in the answer. Is that Airflow?")
        self._secrets.learn(token["access_token"])
        self._session.auth = Signature(f"Bearer {token['access_token']}")
        return self

    def _token(self) -> Any:
        """Return what Airflow answers to user name and password."""
        try:
            return self._send("POST", "/auth/token", {"username": self.user, "password": self.password})
        except RestError as error:
            if error.status == requests.codes.unauthorized:
                sentence = f"{self.url} knows no user '{self.user}' with this password. Check both."
                raise PlatformError(sentence) from error
            raise

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the reply to a GET request below /api/v2."""
        return self._send("GET", f"/api/v2{path}", None, parameters)

    def post(self, path: str, body: Any) -> Any:
        """Return the reply to a POST request below /api/v2."""
        return self._send("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: Any) -> Any:
        """Return the reply to a PATCH request below /api/v2."""
        return self._send("PATCH", f"/api/v2{path}", body)

    def delete(self, path: str) -> None:
        """Send a DELETE request below /api/v2."""
        self._send("DELETE", f"/api/v2{path}", None)

    def trigger(self, dag: str, conf: dict[str, Any] | None = None, **fields: str | None) -> str:
        """Trigger a run of a DAG with its parameters; return the run's id."""
        body = {"logical_date": None, "conf": conf or {}, **fields}
        return str(self.post(f"/dags/{quote(dag)}/dagRuns", body)["dag_run_id"])

    def run(self, dag: str, run: str) -> dict[str, Any]:
        """Return a run."""
        details: dict[str, Any] = self.get(f"/dags/{quote(dag)}/dagRuns/{quote(run, safe='')}")
        return details

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return all runs of a DAG, oldest first."""
        return self._listed(f"/dags/{quote(dag)}/dagRuns", "dag_runs", order_by="run_after")

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task."""
        path = f"/dags/{quote(dag)}/dagRuns/{quote(run, safe='')}/taskInstances"
        return {task["task_id"]: task for task in self._listed(path, "task_instances", order_by="id")}

    def _listed(self, path: str, name: str, **parameters: str) -> list[dict[str, Any]]:
        """Return all entries of a list; Airflow gives a page at a time, of a size that its configuration limits."""
        entries: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=PAGE, offset=len(entries), **parameters)
            entries += page[name]
            if not page[name] or len(entries) >= page["total_entries"]:
                return entries

    def xcom(self, dag: str, run: str, task: str, key: str = "return_value") -> Any:
        """Return what a task handed over, or None."""
        path = f"/dags/{quote(dag)}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/xcomEntries/{key}"
        try:
            return self.get(path, deserialize=True)["value"]
        except RestError as error:
            if error.status == requests.codes.not_found:
                return None
            raise

    def log(self, dag: str, run: str, task: str, attempt: int = 1) -> str:
        """Return the text of a task's log."""
        path = f"/dags/{quote(dag)}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/logs/{attempt}"
        content = self.get(path, full_content=True)["content"]
        return "\n".join(_line(line) for line in content)

    def answer(self, dag: str, run: str, task: str, *, options: list[str]) -> None:
        """Answer a task that asks a person."""
        self.patch(_question(dag, run, task), {"chosen_options": options, "params_input": {}})

    def asks(self, dag: str, run: str, task: str) -> bool:
        """Return whether a task is waiting for a person's answer."""
        if self.tasks(dag, run).get(task, {}).get("state") not in {"awaiting_input", "deferred"}:
            return False
        try:
            return not self.get(_question(dag, run, task))["response_received"]
        except RestError as error:
            if error.status == requests.codes.not_found:
                return False
            raise

    def page(self, dag: str, run: str) -> str:
        """Return the address of a run in the UI."""
        return f"{self.url}/dags/{quote(dag)}/runs/{quote(run, safe='')}"

    def _send(self, method: str, path: str, body: Any, parameters: dict[str, Any] | None = None) -> Any:
        url = f"{self.url}{path}"
        try:
            reply = self._session.request(
                method,
                url,
                json=body,
                params=parameters,
                headers={"Accept": "application/json"},
                timeout=self.timeout,
                allow_redirects=False,  # who follows one sends password or token to whoever is named there
                proxies={**self._session.proxies},  # only here does `requests` look for `no_proxy`
                verify=str(self.authorities) if self.authorities else None,
            )
            if reply.status_code in REDIRECTS:
                raise RestError(method, url, self._secrets.line(elsewhere(reply)), reply.status_code)
            if not reply.ok:
                said = self._secrets.line(reply.text)[:500]
                raise RestError(method, url, f"{reply.status_code} {said}", reply.status_code)
            return reply.json() if reply.content else None
        except (requests.RequestException, OSError, ValueError) as error:
            raise RestError(method, url, self._secrets.line(why(error))) from error


def _question(dag: str, run: str, task: str) -> str:
    return f"/dags/{quote(dag)}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/-1/hitlDetails"


def _line(line: Any) -> str:
    """Return a line of a task's log, with the text of the exception that it reports."""
    if not isinstance(line, dict):
        return str(line)
    lines = [str(line.get("event", line))]
    lines += [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in line.get("error_detail") or []]
    return "\n".join(lines)


def wait_for(ask: Callable[[], Answer | None], what: str, seconds: float = 120, every: float = 0.3) -> Answer:
    """Return the first true answer.

    Raises:
        PlatformError: there was none in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(every)
    raise PlatformError(f"No sign of {what} after {seconds:.0f} s.")
