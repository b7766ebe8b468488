"""XComs, state stores and tasks: what a task has left is written by nobody else."""

import pytest

from support.attack import Attempt, Ground

RUN = "/dags/$acting/dagRuns/$run"
XCOM = f"{RUN}/taskInstances/apply_1/xcomEntries"
CHECK = "/dags/request_change/dagRuns/$request/taskInstances/check/xcomEntries"
STORE = f"{RUN}/taskInstances/watch/state-store"
VALUE = {"value": '{"plan": "another one"}'}

ATTEMPTS = (
    Attempt("the plan that is shown is edited", "mallory", "PATCH", f"{CHECK}/return_value", VALUE),
    Attempt("the plan that is shown is deleted", "mallory", "DELETE", f"{CHECK}/return_value"),
    Attempt("a second plan is handed over", "mallory", "POST", CHECK, {"key": "note", **VALUE}),
    Attempt("what is remembered is edited", "mallory", "PATCH", f"{XCOM}/remembered", VALUE),
    Attempt("what is remembered is made up", "mallory", "POST", XCOM, {"key": "remembered", **VALUE}),
    Attempt("what is remembered is deleted", "admin", "DELETE", f"{XCOM}/remembered"),
    Attempt(
        "the decision of the watch is made up",
        "admin",
        "POST",
        f"{RUN}/taskInstances/watch/xcomEntries",
        {"key": "decision", **VALUE},
    ),
    Attempt("the key of an xcom has a slash", "mallory", "PATCH", f"{XCOM}/a/../return_value", VALUE),
    Attempt("the key of an xcom has an encoded slash", "mallory", "PATCH", f"{XCOM}/a%2F..%2Freturn_value", VALUE),
    Attempt(
        "the dag is written in small letters",
        "mallory",
        "PATCH",
        XCOM.replace("$acting", "chg-1001") + "/return_value",
        VALUE,
        (404, 409),
    ),
    Attempt(
        "an xcom is written into any run",
        "mallory",
        "POST",
        "/dags/$acting/dagRuns/~/taskInstances/apply_1/xcomEntries",
        {"key": "x", **VALUE},
    ),
    Attempt("the state of the watch is written", "mallory", "PUT", f"{STORE}/progress", VALUE),
    Attempt("the state of the watch is patched", "mallory", "PATCH", f"{STORE}/progress", VALUE),
    Attempt("one state of the watch is deleted", "mallory", "DELETE", f"{STORE}/progress"),
    Attempt("all states of the watch are deleted", "admin", "DELETE", STORE),
    Attempt("the task that undoes is deleted", "admin", "DELETE", f"{RUN}/taskInstances/undo_1"),
    Attempt("the task that closes is deleted", "admin", "DELETE", f"{RUN}/taskInstances/close"),
    Attempt("a viewer writes an xcom", "vera", "POST", XCOM, {"key": "x", **VALUE}, (403, 409)),
    Attempt(
        "a viewer marks the watch as good",
        "vera",
        "PATCH",
        f"{RUN}/taskInstances/watch",
        {"new_state": "success"},
        (403,),
    ),
    Attempt("a viewer clears the run", "vera", "POST", "/dags/$acting/clearTaskInstances", {"dry_run": False}, (403,)),
)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_nobody_writes_what_a_task_has_left(ground: Ground, attempt: Attempt) -> None:
    """Not even the admin."""
    ground.fails(attempt)
