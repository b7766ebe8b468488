"""Interventions: rolling back, releasing, letting the line run again are for those whom the policy names."""

import pytest

from support.attack import Attempt, Ground

WHY = {"reason": "because I can"}


def run(dag: str, **conf: object) -> tuple[str, dict[str, object]]:
    """Return address and body of a run of one of our DAGs."""
    return f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": {**WHY, **conf}}


ATTEMPTS = (
    Attempt("a user rolls back what is completed", "mallory", "POST", *run("$done", mode="rollback"), (403, 409)),
    Attempt(
        "a user rolls back under another name of the mode",
        "mallory",
        "POST",
        *run("$done", mode="Rollback"),
        (400, 403, 409, 422),
    ),
    Attempt(
        "a user rolls back with a date",
        "mallory",
        "POST",
        "/dags/$done/dagRuns",
        {"logical_date": "2026-01-01T00:00:00Z", "conf": {"mode": "rollback"}},
        (403, 409),
    ),
    Attempt(
        "a user cancels what somebody else has asked for",
        "mallory",
        "POST",
        *run("cancel_change", change="$approved"),
        (403, 409),
    ),
    Attempt(
        "a user names the change in small letters",
        "mallory",
        "POST",
        *run("cancel_change", change="chg-$number"),
        (400, 403, 409, 422),
    ),
    Attempt(
        "a user moves what somebody else has asked for",
        "mallory",
        "POST",
        *run("reslot_change", change="$approved", start="2036-01-01T00:00:00Z", end="2036-01-01T01:00:00Z"),
        (403, 409),
    ),
    Attempt(
        "a user releases a target",
        "mallory",
        "POST",
        *run("release_target", target="test/acting", change="$acting"),
        (400, 403, 409, 422),
    ),
    Attempt(
        "a user accepts a finding of nobody's",
        "mallory",
        "POST",
        *run("accept_finding", findings="1", reason="it is fine", until="2036-01-01T00:00:00Z"),
        (403, 409),
    ),
    Attempt(
        "a user hides a list of findings in what is no list",
        "mallory",
        "POST",
        *run("accept_finding", findings={"all": True}, reason="it is fine", until="2036-01-01T00:00:00Z"),
        (400, 403, 409, 422),
    ),
    Attempt("a viewer accepts a finding", "vera", "POST", *run("accept_finding", findings="1"), (403,)),
    Attempt("a user lets the line run again", "mallory", "POST", *run("stop_the_line", action="lift"), (403, 409)),
    Attempt("a viewer aborts a change", "vera", "POST", *run("abort_change", change="$acting"), (403,)),
    Attempt("a viewer stops the line", "vera", "POST", *run("stop_the_line", action="stop", hours=1), (403,)),
    Attempt("a viewer runs housekeeping", "vera", "POST", *run("housekeeping"), (403,)),
    Attempt("a viewer asks for a change", "vera", "POST", *run("request_change", ticket="x"), (403,)),
    Attempt("nobody aborts a change", "nobody", "POST", *run("abort_change", change="$acting"), (401,)),
    Attempt(
        "a user has another one's run of an intervention done again",
        "mallory",
        "POST",
        "/dags/cancel_change/clearDagRuns",
        {"dry_run": False, "run_ids": ["x"]},
        (404, 409, 422),
    ),
    Attempt("a user makes a pool", "mallory", "POST", "/pools", {"name": "mine", "slots": 1}, (403,)),
    Attempt(
        "a user makes a connection",
        "mallory",
        "POST",
        "/connections",
        {"connection_id": "mine", "conn_type": "http"},
        (403,),
    ),
    Attempt("a user makes a variable", "mallory", "POST", "/variables", {"key": "mine", "value": "1"}, (403,)),
    Attempt(
        "a user makes a backfill",
        "mallory",
        "POST",
        "/backfills",
        {"dag_id": "$approved", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"},
        (403, 409),
    ),
)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_who_may_not_intervene_does_not(ground: Ground, attempt: Attempt) -> None:
    """Airflow's role or the policy says so, with a sentence, before anything runs."""
    ground.fails(attempt)
