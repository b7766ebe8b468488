"""Requests to Airflow's API by those who may log in: each is judged by what it does, whatever its form."""

import pytest

from support.attack import Attempt, Ground

RUN = "/dags/$acting/dagRuns/$run"
WATCH = f"{RUN}/taskInstances/watch"
NOW = "2026-01-01T00:00:00Z"
PAUSE = {"is_paused": True}
EVERY_CHANGE = {"actions": [{"action": "delete", "entities": ["$acting", "$approved"]}]}

DAGS = (
    Attempt("the admin deletes the dag of a change that acts", "admin", "DELETE", "/dags/$acting"),
    Attempt("the admin deletes the dag of a change that is approved", "admin", "DELETE", "/dags/$approved"),
    Attempt("a user deletes the dag of a change that acts", "alice", "DELETE", "/dags/$acting", answers=(403, 409)),
    Attempt("the admin deletes the dag that ends changes", "admin", "DELETE", "/dags/abort_change"),
    Attempt("an operator pauses a change that acts", "otto", "PATCH", "/dags/$acting", PAUSE, says="acts now"),
    Attempt("a pause is called one in letters", "otto", "PATCH", "/dags/$acting", {"is_paused": "true"}),
    Attempt("a pause is called one by a number", "otto", "PATCH", "/dags/$acting", {"is_paused": 1}),
    Attempt("a pause is called one by yes", "otto", "PATCH", "/dags/$acting", {"is_paused": "yes"}),
    Attempt("a pause names what it updates", "otto", "PATCH", "/dags/$acting?update_mask=is_paused", PAUSE),
    Attempt("all dags are paused by a pattern", "otto", "PATCH", "/dags?dag_id_pattern=~", PAUSE, says="would pause"),
    Attempt("all dags are paused by a wildcard", "otto", "PATCH", "/dags?dag_id_pattern=%25", PAUSE),
    Attempt("a pattern is for one letter of a change", "otto", "PATCH", "/dags?dag_id_pattern=CHG-_", PAUSE),
    Attempt("a prefix is for all changes", "otto", "PATCH", "/dags?dag_id_prefix_pattern=CHG", PAUSE),
    Attempt("a pattern has two alternatives", "otto", "PATCH", "/dags?dag_id_pattern=nothing%7CCHG-", PAUSE),
    Attempt("a pattern is written in small letters", "otto", "PATCH", "/dags?dag_id_pattern=chg-", PAUSE),
    Attempt("a pattern is given twice", "otto", "PATCH", "/dags?dag_id_pattern=x&dag_id_pattern=CHG-", PAUSE),
    Attempt("housekeeping is paused", "otto", "PATCH", "/dags/housekeeping", PAUSE, says="is never paused"),
    Attempt("the way to abort is paused", "otto", "PATCH", "/dags/abort_change", PAUSE, says="is never paused"),
    Attempt("a viewer pauses a change", "vera", "PATCH", "/dags/$approved", PAUSE, (403,)),
)
"""The DAG of a change."""

RUNS = (
    Attempt(
        "a dry run takes the place of the run in the window",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": "$opens", "conf": {"mode": "dry_run"}},
        says="",
    ),
    Attempt(
        "a run is dated by a number",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": 4102444800, "conf": {}},
    ),
    Attempt(
        "a run has the interval of the one in the window",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": None, "data_interval_start": "$opens", "data_interval_end": "$opens"},
    ),
    Attempt(
        "a run is to begin later",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": None, "run_after": "$opens"},
    ),
    Attempt(
        "a run is called as the one in the window",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": "$opens", "dag_run_id": "scheduled__$opens"},
        (400, 409, 422),
    ),
    Attempt(
        "a run is called as one of housekeeping",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": None, "dag_run_id": "take_back_1", "conf": {"mode": "rollback"}},
    ),
    Attempt(
        "a second run of a change that acts",
        "alice",
        "POST",
        "/dags/$acting/dagRuns",
        {"logical_date": None, "conf": {}},
    ),
    Attempt(
        "a mode that there is not",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": None, "conf": {"mode": "force"}},
        (400, 409, 422),
    ),
    Attempt(
        "a partition of a change",
        "alice",
        "POST",
        "/dags/$approved/dagRuns",
        {"logical_date": None, "partition_key": "x"},
    ),
    Attempt(
        "a backfill of a change",
        "admin",
        "POST",
        "/backfills",
        {"dag_id": "$approved", "from_date": NOW, "to_date": NOW},
        (403, 409),
    ),
    Attempt(
        "a backfill names its dag in small letters",
        "admin",
        "POST",
        "/backfills",
        {"dag_id": "chg-1001", "from_date": NOW, "to_date": NOW},
        (403, 404, 409),
    ),
    Attempt(
        "partitions are cleared",
        "alice",
        "POST",
        "/dags/$approved/clearPartitions",
        {"dry_run": False},
        (404, 409, 422),
    ),
    Attempt("a viewer triggers a change", "vera", "POST", "/dags/$approved/dagRuns", {"logical_date": None}, (403,)),
    Attempt("a viewer marks a run", "vera", "PATCH", RUN, {"state": "failed"}, (403,)),
    Attempt("the run that acts is deleted", "admin", "DELETE", RUN, answers=(400, 403, 409)),
    Attempt(
        "the aborting of somebody else is done again",
        "alice",
        "POST",
        "/dags/abort_change/clearTaskInstances",
        {"dry_run": False},
    ),
)
"""Its runs."""

EVERYBODY = (
    Attempt("the pool of all changes is emptied", "otto", "PATCH", "/pools/default_pool", {"slots": 0}),
    Attempt("the pool of all changes is made negative", "otto", "PATCH", "/pools/default_pool", {"slots": -5}),
    Attempt(
        "the pool counts deferred tasks",
        "otto",
        "PATCH",
        "/pools/default_pool?update_mask=include_deferred",
        {"pool": "default_pool", "slots": 128, "include_deferred": True},
    ),
    Attempt("the pool of all changes is deleted", "otto", "DELETE", "/pools/default_pool", answers=(400, 409)),
    Attempt(
        "the pool is emptied among others",
        "otto",
        "PATCH",
        "/pools",
        {
            "actions": [
                {
                    "action": "update",
                    "action_on_non_existence": "skip",
                    "entities": [{"name": "default_pool", "pool": "default_pool", "slots": 1}],
                }
            ]
        },
        (409, 422),
    ),
    Attempt(
        "the pool is deleted among others",
        "otto",
        "PATCH",
        "/pools",
        {"actions": [{"action": "delete", "action_on_non_existence": "skip", "entities": ["default_pool"]}]},
    ),
    Attempt("a user empties the pool", "alice", "PATCH", "/pools/default_pool", {"slots": 0}, (403, 409)),
    Attempt(
        "the ledger is led elsewhere",
        "otto",
        "PATCH",
        "/connections/changewindow_ledger",
        {"connection_id": "changewindow_ledger", "conn_type": "sqlite", "host": "/tmp/other.db"},  # noqa: S108  nobody writes it
        (404, 409),
    ),
    Attempt(
        "another connection is renamed to the one of the ledger",
        "otto",
        "PATCH",
        "/connections/other",
        {"connection_id": "changewindow_ledger", "conn_type": "sqlite", "host": "/tmp/other.db"},  # noqa: S108  same
        (400, 404, 409),
    ),
    Attempt("the connection of the ledger is deleted", "admin", "DELETE", "/connections/changewindow_ledger"),
    Attempt(
        "an event of an asset names a change",
        "otto",
        "POST",
        "/assets/events",
        {"asset_id": 1, "extra": {"dag_id": "$acting"}},
        (404,),
    ),
    Attempt(
        "a variable looks like a setting of ours",
        "otto",
        "POST",
        "/variables",
        {"key": "CHANGEWINDOW_POLICY", "value": "/tmp"},  # noqa: S108  same
        (201,),
    ),
    Attempt("a viewer reads the configuration", "vera", "GET", "/config", answers=(403,)),
    Attempt("a viewer reads the connections", "vera", "GET", "/connections", answers=(403,)),
    Attempt("a user reads the connections", "alice", "GET", "/connections", answers=(403,)),
)
"""What belongs to everybody."""


@pytest.mark.parametrize("attempt", DAGS, ids=lambda attempt: attempt.name)
def test_the_dag_of_a_change_is_safe(ground: Ground, attempt: Attempt) -> None:
    """Whoever tries."""
    ground.fails(attempt)


@pytest.mark.parametrize("attempt", RUNS, ids=lambda attempt: attempt.name)
def test_no_run_takes_the_place_of_another(ground: Ground, attempt: Attempt) -> None:
    """By date, name, interval or state."""
    ground.fails(attempt)


@pytest.mark.parametrize("attempt", EVERYBODY, ids=lambda attempt: attempt.name)
def test_what_all_changes_need_stays(ground: Ground, attempt: Attempt) -> None:
    """Pools, connections, variables."""
    ground.fails(attempt)
