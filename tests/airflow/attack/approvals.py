"""Approvals: given by those whom the policy asks, to what they were shown, and by nothing else that can be clicked."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from changewindow.cli.airflow_api import ENDED, RestError, wait_for
from changewindow.ledger import changes
from support.attack import Attempt, Ground, later
from support.real_airflow import RealAirflow, ticket

ASKED = "/dags/request_change/dagRuns/$request/taskInstances/approve_1/-1/hitlDetails"
YES = {"chosen_options": ["Approve"], "params_input": {}}

ANSWERS = (
    Attempt("the requester approves", "alice", "PATCH", ASKED, YES, (403,)),
    Attempt("a user whom nobody asks approves", "mallory", "PATCH", ASKED, YES, (403,)),
    Attempt("an operator whom nobody asks approves", "otto", "PATCH", ASKED, YES, (403,)),
    Attempt("a viewer approves", "vera", "PATCH", ASKED, YES, (403,)),
    Attempt(
        "the requester says in a header that she is bob",
        "alice",
        "PATCH",
        ASKED,
        YES,
        (403,),
        headers={"X-Remote-User": "bob"},
    ),
    Attempt(
        "the requester says in the body that she is bob",
        "alice",
        "PATCH",
        ASKED,
        {**YES, "responded_by_user": {"id": "bob", "name": "bob"}},
        (403, 422),
    ),
    Attempt(
        "the requester adds herself to those who are asked",
        "alice",
        "PATCH",
        ASKED,
        {**YES, "assigned_users": [{"id": "alice", "name": "alice"}]},
        (403, 422),
    ),
    Attempt(
        "an approver gives an answer that is not offered",
        "bob",
        "PATCH",
        ASKED,
        {**YES, "chosen_options": ["Approve all"]},
        (400, 422),
    ),
    Attempt(
        "an approver gives both answers",
        "bob",
        "PATCH",
        ASKED,
        {**YES, "chosen_options": ["Approve", "Reject"]},
        (400, 422),
    ),
    Attempt("an approver gives no answer", "bob", "PATCH", ASKED, {**YES, "chosen_options": []}, (400, 422)),
    Attempt(
        "an approver answers another number of the question", "bob", "PATCH", ASKED.replace("/-1/", "/7/"), YES, (404,)
    ),
    Attempt("an approver answers in any run", "bob", "PATCH", ASKED.replace("$request", "~"), YES, (404, 409)),
    Attempt(
        "an approver answers a question that nobody has asked",
        "bob",
        "PATCH",
        ASKED.replace("approve_1", "approve_2"),
        YES,
        (404,),
    ),
)
"""What is answered to the question of a request."""


@pytest.mark.parametrize("attempt", ANSWERS, ids=lambda attempt: attempt.name)
def test_an_answer_of_somebody_else_is_none(ground: Ground, attempt: Attempt) -> None:
    """The question stays open, and the change unapproved."""
    ground.fails(attempt)


@dataclass(frozen=True)
class Asked:
    """A request of mallory's, with its run."""

    airflow: RealAirflow
    change: str
    run: str

    @property
    def path(self) -> str:
        """Return the address of its run."""
        return f"/dags/request_change/dagRuns/{quote(self.run, safe='')}"

    def mark(self, task: str, state: str) -> Any:
        """Mark one of its tasks."""
        body = {"new_state": state, "include_downstream": True}
        return self.airflow.clients["mallory"].patch(f"{self.path}/taskInstances/{task}", body)

    def clear(self, *tasks: str, **fields: Any) -> Any:
        """Clear some of its tasks."""
        wanted = {"dag_run_id": self.run, "task_ids": list(tasks), "dry_run": False, "only_failed": False, **fields}
        return self.airflow.clients["mallory"].post("/dags/request_change/clearTaskInstances", wanted)

    def in_bulk(self, state: str) -> Any:
        """Mark several of its tasks in one request."""
        of_run = {"dag_id": "request_change", "dag_run_id": self.run}
        entities = [{**of_run, "task_id": task, "new_state": state} for task in ("approve_1", "schedule")]
        body = {"actions": [{"action": "update", "entities": entities}]}
        return self.airflow.clients["mallory"].patch("/dags/~/dagRuns/~/taskInstances", body)

    def finish(self, state: str) -> Any:
        """Mark its run."""
        return self.airflow.clients["mallory"].patch(self.path, {"state": state})


CLICKS: dict[str, Callable[[Asked], Any]] = {
    "the question is marked as a success": lambda asked: asked.mark("approve_1", "success"),
    "the question is marked as skipped": lambda asked: asked.mark("approve_1", "skipped"),
    "the last task is marked as a success": lambda asked: asked.mark("schedule", "success"),
    "the check is marked as a success once more": lambda asked: asked.mark("check", "success"),
    "only the last task is run": lambda asked: asked.clear("schedule", include_upstream=False),
    "the last task is run after the question was marked": lambda asked: (
        asked.mark("approve_1", "success"),
        asked.clear("schedule"),
    ),
    "the check is run again": lambda asked: asked.clear("check", include_downstream=True, run_on_latest_version=True),
    "all questions are marked in one request": lambda asked: asked.in_bulk("success"),
    "the run is marked as a success": lambda asked: asked.finish("success"),
    "the run is triggered again with the same change": lambda asked: asked.airflow.clients["mallory"].trigger(
        "request_change", {"change": asked.change, "approved": True}
    ),
}


@pytest.fixture(scope="module")
def clicked(ground: Ground) -> Iterator[dict[str, Asked]]:
    """Ask for a change for each way to click, and click; a request that is refused has changed nothing."""
    airflow, mallory = ground.airflow, ground.airflow.clients["mallory"]
    runs = {}
    for place, name in enumerate(CLICKS):
        data = {**ticket(ground.folder / f"clicked-{place}"), "owner": "mallory", "window": later(9)}
        runs[name] = mallory.trigger("request_change", {"ticket": json.dumps(data)})
    asked = {}
    for name, run in runs.items():
        change = wait_for(lambda run=run: airflow.alice.xcom("request_change", run, "check"), "the check")["change"]
        asked[name] = Asked(airflow, change, run)
    for name, request in asked.items():
        wait_for(lambda run=request.run: airflow.bob.asks("request_change", run, "approve_1"), "the question")
        with suppress(RestError):  # then nothing has changed
            CLICKS[name](request)
    settled = airflow.alice.trigger("request_change", {"ticket": "nothing: 1"})
    airflow.request_ends(settled)  # begun after all of them, so that what they have set in motion has come to its end
    yield asked
    for request in asked.values():
        airflow.clients["admin"].trigger("cancel_change", {"change": request.change, "reason": "the attack is over"})


@pytest.mark.parametrize("name", CLICKS)
def test_a_click_is_no_approval(ground: Ground, clicked: dict[str, Asked], name: str) -> None:
    """Nothing is published, and the ledger knows of no yes."""
    asked = clicked[name]

    def is_settled() -> bool:
        states = {task["state"] for task in ground.airflow.alice.tasks("request_change", asked.run).values()}
        run = ground.airflow.alice.run("request_change", asked.run)["state"]
        return run in ENDED or not states & {"scheduled", "queued", "running", "restarting"}

    wait_for(is_settled, "the request to settle", 60)
    assert changes.get(ground.airflow.ledger, asked.change).status == "submitted"
    assert not {"decided", "approved"} & set(ground.airflow.kinds(asked.change))
    assert not (ground.airflow.bundle / f"{asked.change}.json").exists()


def test_a_ticket_that_calls_itself_standard_is_asked_about_all_the_same(ground: Ground) -> None:
    """Only what is inside of a template is approved in advance."""
    data = {**ticket(ground.folder / "standard"), "type": "standard", "owner": "mallory", "window": later(10)}
    run, change = ground.airflow.ask(data, user="mallory")
    wait_for(lambda: ground.airflow.bob.asks("request_change", run, "approve_1"), "the question")
    assert "403" in ground.airflow.why_refused("mallory", run, "Approve")
    assert changes.get(ground.airflow.ledger, change).status == "submitted"


def test_a_template_of_a_connection_is_shown_as_it_is_written(ground: Ground) -> None:
    """Neither the summary nor a reason is rendered in what approvers see."""
    written = "{{ conn.orders.host }} {{ var.value.x }} {{ macros }}"
    data = {**ticket(ground.folder / "templates"), "details": written, "owner": "mallory", "window": later(11)}
    run, _ = ground.airflow.ask(data, user="mallory")
    wait_for(lambda: ground.airflow.bob.asks("request_change", run, "approve_1"), "the question")
    address = f"/dags/request_change/dagRuns/{quote(run, safe='')}/taskInstances/approve_1/-1/hitlDetails"
    shown = str(ground.airflow.bob.get(address))
    assert "conn.orders.host" in shown
    assert "127.0.0.1" not in shown.split("conn.orders.host", 1)[1][:200]
