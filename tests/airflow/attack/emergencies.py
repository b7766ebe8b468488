"""Emergencies, records and what they owe, by requests to Airflow's API: each is judged by what it does."""

import pytest

from support.attack import URGENT, Attempt, Ground

RUNS, EMERGENCY = "/dags/emergency_change/dagRuns", "/dags/emergency_change/dagRuns/$emergency"
QUESTION, TOLD = "/dags/retroactive_approval/dagRuns/$asks", "/dags/record_change/dagRuns/$told"
ASKED = f"{QUESTION}/taskInstances/ask/-1/hitlDetails"
YES = {"chosen_options": ["Approve"], "params_input": {}}
OWN = ("emergency_change", "record_change", "review_change", "follow_up", "retroactive_approval", "emergency_drill")
NOT_DONE = (400, 403, 404, 405, 409, 422)


def declares(name: str, who: str = "mallory", answers: tuple[int, ...] = (409,), **changed: object) -> Attempt:
    """Return an attempt to declare an emergency, with other fields of the request, or of the form in `conf`."""
    step = {"step": "{kind: command, run: [uptime], undo: nothing}", "target": "test/acting"}
    conf = {**URGENT, **step, "unwatched_because": "an attack", **changed.pop("form", {})}  # type: ignore[dict-item]
    return Attempt(name, who, "POST", RUNS, {"logical_date": None, "conf": conf, **changed}, answers)


DECLARED = (
    declares("nobody declares an emergency", "nobody", (401,)),
    declares("a viewer declares an emergency", "vera", (403,)),
    declares("an emergency takes the id of a question", dag_run_id="asks_about_CHG-1"),
    declares("an emergency takes the id of a rollback", dag_run_id="take_back_1"),
    declares(
        "an emergency takes the id of a run that comes by itself",
        answers=(400, 409, 422),
        dag_run_id="scheduled__$opens",
    ),
    declares("an emergency takes the id of a backfill", answers=(400, 409, 422), dag_run_id="backfill__$opens"),
    declares("an emergency takes the id of another one", dag_run_id="$raw_emergency"),
    declares("an emergency takes the id of one that was refused", dag_run_id="$raw_refused"),
    declares("the id of an emergency goes up", answers=(400, 409, 422), dag_run_id="../../CHG-1/x"),
    declares("an emergency is dated later", logical_date="2036-01-01T00:00:00Z"),
    declares("an emergency is dated at the end of time", logical_date="9999-12-31T23:59:59Z"),
    declares("an emergency is dated before its dag begins", logical_date="2019-01-01T00:00:00Z"),
    declares("an emergency is dated at the beginning of time", logical_date="0001-01-01T00:00:00Z"),
    declares("an emergency is to begin later", run_after="2036-01-01T00:00:00Z"),
    declares("an emergency has an interval", data_interval_start="$opens", data_interval_end="$opens"),
    declares("an emergency has a partition", partition_key="x"),
    declares("a form is a list", answers=(400, 422), conf=[1]),
    declares("a form is a text", answers=(400, 422), conf="x"),
    declares("nothing is broken", answers=(400, 422), form={"broken": None}),
    declares("what is broken is a list", answers=(400, 422), form={"broken": ["x" * 5]}),
    declares("what is broken is a page", answers=(400, 422), form={"broken": "x" * 301}),
    declares("nobody commands", answers=(400, 422), form={"commander": ""}),
    declares("the executor is a mapping", answers=(400, 422), form={"executor": {"name": "bob"}}),
    declares("a target is held in a way that there is not", answers=(400, 422), form={"held": "force"}),
    declares("a standard change is named that there is not", answers=(400, 422), form={"standard": "../../etc/x"}),
    declares("the parameters of a standard change are a list", answers=(400, 422), form={"values": [1]}),
    declares("a ticket has 3 megabytes", answers=(413,), form={"ticket": "x" * 3_000_000}),
    Attempt(
        "emergencies are made up for",
        "admin",
        "POST",
        "/backfills",
        {"dag_id": "emergency_change", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"},
        (403, 409),
    ),
    Attempt(
        "partitions of emergencies are cleared",
        "admin",
        "POST",
        "/dags/emergency_change/clearPartitions",
        {"dry_run": False},
        (404, 409, 422),
    ),
    *(
        Attempt(f"{dag} is paused", "otto", "PATCH", f"/dags/{dag}", {"is_paused": True}, says="never paused")
        for dag in OWN
    ),
    *(Attempt(f"{dag} is deleted", "admin", "DELETE", f"/dags/{dag}", says="comes with") for dag in OWN),
    *(
        Attempt(f"a viewer triggers {dag}", "vera", "POST", f"/dags/{dag}/dagRuns", {"logical_date": None}, (403,))
        for dag in OWN
    ),
    *(
        Attempt(
            f"a run of {dag} takes the id of a question",
            "mallory",
            "POST",
            f"/dags/{dag}/dagRuns",
            {"logical_date": None, "dag_run_id": "asks_about_$declared", "conf": {"change": "$declared"}},
            (400, 409, 422),
        )
        for dag in OWN
    ),
    Attempt(
        "what declares emergencies is paused by a pattern",
        "otto",
        "PATCH",
        "/dags?dag_id_pattern=emergency",
        {"is_paused": True},
        says="would pause",
    ),
    Attempt(
        "what asks afterwards is paused by a prefix",
        "otto",
        "PATCH",
        "/dags?dag_id_prefix_pattern=retro",
        {"is_paused": True},
        says="would pause",
    ),
    Attempt(
        "the slots in which changes start are taken away",
        "otto",
        "PATCH",
        "/pools/changewindow_starts",
        {"slots": 0},
        (404, 409),
    ),
    Attempt(
        "a user makes a connection to pagerduty",
        "mallory",
        "POST",
        "/connections",
        {"connection_id": "pagerduty_default", "conn_type": "http"},
        (403,),
    ),
    Attempt(
        "a user makes a variable of emergencies",
        "mallory",
        "POST",
        "/variables",
        {"key": "emergencies", "value": "1"},
        (403,),
    ),
)
"""Declaring one, and the DAGs of it."""


def again(name: str, dag: str, run: str, *, way: str = "clearTaskInstances", who: str = "mallory") -> Attempt:
    """Return an attempt to have a run of somebody else's done again."""
    body = {"dry_run": False, "only_failed": False, "reset_dag_runs": True}
    if way == "clear":
        return Attempt(
            name, who, "POST", f"/dags/{dag}/dagRuns/{run}/clear", {"dry_run": False}, says="Trigger it anew"
        )
    body |= {"dag_run_id": run.replace("$", "$raw_")} if way == "clearTaskInstances" else {"run_ids": ["x"]}
    answers = (409,) if way == "clearTaskInstances" else (409, 422)
    return Attempt(name, who, "POST", f"/dags/{dag}/{way}", body, answers)


AGAIN = (
    again("an emergency is declared again", "emergency_change", "$emergency"),
    again("an emergency that was refused is declared again", "emergency_change", "$refused"),
    again("one that was refused is declared again, as a run", "emergency_change", "$refused", way="clear"),
    again("one that was refused is declared again, among others", "emergency_change", "$refused", way="clearDagRuns"),
    again("the admin declares again what was refused", "emergency_change", "$refused", who="admin"),
    again("a record is told again", "record_change", "$told"),
    again("a record is told again, as a run", "record_change", "$told", way="clear"),
    again("reviews are written again", "review_change", "$told"),
    again("follow-ups are told again", "follow_up", "$told"),
    Attempt(
        "a second run of an emergency",
        "mallory",
        "POST",
        "/dags/$declared/dagRuns",
        {"logical_date": None, "conf": {}},
        says="open run",
    ),
    Attempt(
        "a second run of an emergency by its name",
        "mallory",
        "POST",
        "/dags/$declared/dagRuns",
        {"logical_date": None, "dag_run_id": "$raw_emergency", "conf": {"mode": "run"}},
    ),
    Attempt(
        "a dry run of an emergency",
        "mallory",
        "POST",
        "/dags/$declared/dagRuns",
        {"logical_date": None, "conf": {"mode": "dry_run"}},
    ),
    Attempt(
        "an emergency is run in a mode that there is not",
        "mallory",
        "POST",
        "/dags/$declared/dagRuns",
        {"logical_date": None, "conf": {"mode": "force"}},
        (400, 409, 422),
    ),
    Attempt(
        "an emergency is run at the start of its window",
        "mallory",
        "POST",
        "/dags/$declared/dagRuns",
        {"logical_date": "$opens_now", "conf": {"mode": "rollback"}},
    ),
    Attempt(
        "a viewer rolls an emergency back",
        "vera",
        "POST",
        "/dags/$declared/dagRuns",
        {"logical_date": None, "conf": {"mode": "rollback"}},
        (403,),
    ),
    Attempt("a record is run", "mallory", "POST", "/dags/$record/dagRuns", {"logical_date": None, "conf": {}}, (404,)),
    Attempt(
        "an emergency is made up for",
        "admin",
        "POST",
        "/backfills",
        {"dag_id": "$declared", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"},
        (403, 409),
    ),
    Attempt("an emergency is paused", "otto", "PATCH", "/dags/$declared", {"is_paused": True}, says="acts now"),
    Attempt("an emergency is deleted", "admin", "DELETE", "/dags/$declared"),
    Attempt(
        "the run of an emergency is deleted",
        "admin",
        "DELETE",
        "/dags/$declared/dagRuns/scheduled__$opens_now",
        answers=(400, 404, 409),
    ),
    Attempt("the task that acts is deleted", "admin", "DELETE", f"{EMERGENCY}/taskInstances/act"),
    Attempt("the task that asks is deleted", "admin", "DELETE", f"{QUESTION}/taskInstances/ask"),
    Attempt(
        "a user cancels somebody else's emergency",
        "mallory",
        "POST",
        "/dags/cancel_change/dagRuns",
        {"logical_date": None, "conf": {"change": "$declared", "reason": "because"}},
        (403,),
    ),
    Attempt(
        "a user moves somebody else's emergency",
        "mallory",
        "POST",
        "/dags/reslot_change/dagRuns",
        {
            "logical_date": None,
            "conf": {
                "change": "$declared",
                "reason": "because",
                "start": "2036-01-01T00:00:00Z",
                "end": "2036-01-01T01:00:00Z",
            },
        },
        (400, 403),
    ),
    Attempt(
        "a user releases what an emergency holds",
        "mallory",
        "POST",
        "/dags/release_target/dagRuns",
        {"logical_date": None, "conf": {"target": "test/declared", "reason": "because"}},
        (403,),
    ),
)
"""What was declared or told, once more, or in the place of its run."""

LEFT = tuple(
    Attempt(f"{method} {where} of {task}", who, method, f"{run}/taskInstances/{task}/{where}", body)
    for run, tasks in (
        (EMERGENCY, ("act", "follow", "tell", "owing", "ask_for_approval")),
        (QUESTION, ("open", "ask_there", "ask")),
        (TOLD, ("record", "owing", "ask_for_approval")),
    )
    for task in tasks
    for who, method, where, body in (
        ("mallory", "POST", "xcomEntries", {"key": "return_value", "value": "[]"}),
        ("mallory", "PATCH", "xcomEntries/note", {"value": '"approved by bob"'}),
        ("admin", "DELETE", "xcomEntries/return_value", None),
        ("mallory", "PUT", "state-store/x", {"value": "1"}),
    )
)
"""What each of their tasks has left for the others."""


def answers(
    name: str,
    who: str,
    expected: tuple[int, ...] = (403,),
    path: str = ASKED,
    *,
    body: object = None,
    **headers: str,
) -> Attempt:
    """Return an attempt to answer the question about an emergency."""
    return Attempt(name, who, "PATCH", path, YES if body is None else body, expected, headers=headers)


ANSWERS = (
    answers("nobody approves it afterwards", "nobody", (401,)),
    answers("a viewer approves it afterwards", "vera"),
    answers("who declared it approves it afterwards", "alice"),
    answers("who commanded it approves it afterwards", "carol"),
    answers("a user whom nobody asks approves it afterwards", "mallory"),
    answers("an operator whom nobody asks approves it afterwards", "otto"),
    answers("who declared it says in a header that she is bob", "alice", **{"X-Remote-User": "bob"}),
    answers(
        "who declared it says in the body that she is bob",
        "alice",
        (403, 422),
        body={**YES, "responded_by_user": {"id": "bob", "name": "bob"}},
    ),
    answers(
        "who declared it adds herself to those who are asked",
        "alice",
        (403, 422),
        body={**YES, "assigned_users": [{"id": "alice", "name": "alice"}]},
    ),
    answers(
        "an answer is none of those that are offered", "bob", (400, 422), body={**YES, "chosen_options": ["Reject"]}
    ),
    answers("both answers are given", "bob", (400, 422), body={**YES, "chosen_options": ["Approve", "Do not approve"]}),
    answers("no answer is given", "bob", (400, 422), body={**YES, "chosen_options": []}),
    answers(
        "a reason of 3 megabytes is given", "bob", (413,), body={**YES, "params_input": {"reason": "x" * 3_000_000}}
    ),
    answers("the answer is to any run", "bob", (404, 409), ASKED.replace("$asks", "~")),
    answers("the answer is to another number of the question", "bob", (404,), ASKED.replace("/-1/", "/7/")),
    answers("the answer is to the task that opens it", "bob", (404,), ASKED.replace("/ask/", "/open/")),
    answers("the answer is to the run that acted", "bob", (404,), f"{EMERGENCY}/taskInstances/act/-1/hitlDetails"),
    answers(
        "the answer is to a question about a change that owes nothing",
        "bob",
        (404,),
        ASKED.replace("$asks", "asks_about_$done"),
    ),
    answers("a viewer answers about a record", "vera", (403,), ASKED.replace("$asks", "$asks_record")),
)
"""Answers to the question about an emergency, whose approvers are bob and the admin."""


@pytest.mark.parametrize("attempt", DECLARED, ids=lambda attempt: attempt.name)
def test_an_emergency_is_declared_by_its_form_alone(owing: Ground, attempt: Attempt) -> None:
    """Under its own name, now; and its DAGs are there for everybody."""
    owing.fails(attempt)


@pytest.mark.parametrize("attempt", AGAIN, ids=lambda attempt: attempt.name)
def test_nobody_repeats_or_replaces_what_somebody_else_has_declared(owing: Ground, attempt: Attempt) -> None:
    """Nor what they were refused."""
    owing.fails(attempt)


@pytest.mark.parametrize("attempt", LEFT, ids=lambda attempt: attempt.name)
def test_nobody_writes_what_its_tasks_have_left(owing: Ground, attempt: Attempt) -> None:
    """Not even the admin."""
    owing.fails(attempt)


@pytest.mark.parametrize("attempt", ANSWERS, ids=lambda attempt: attempt.name)
def test_an_answer_of_who_is_not_asked_is_none(owing: Ground, attempt: Attempt) -> None:
    """The question stays open."""
    owing.fails(attempt)
