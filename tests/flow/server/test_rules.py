"""What may be done to our DAGs, row by row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from changewindow.errors import LedgerDown
from changewindow.flow.server.asked import Asked, Person, Refused
from changewindow.flow.server.judge import judge
from changewindow.ledger.models import Change
from changewindow.policy.rights import act_of

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
OPENS = NOW + timedelta(hours=10)
DAG, RUN = "/api/v2/dags/{dag_id}", "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}"
TASK = f"{RUN}/taskInstances/{{task_id}}"
BULK = f"{RUN}/taskInstances"


def change(status: str, number: int, *, opens: datetime = OPENS, closed: datetime | None = None) -> Change:
    """Return a change."""
    return Change(number=number, status=status, opens=opens, closes=opens + timedelta(hours=1), closed_at=closed)


@dataclass
class Facts:
    """What a test says is so."""

    now: datetime = NOW
    changes: dict[str, Change] = field(
        default_factory=lambda: {
            row.id: row
            for row in (
                change("approved", 1),
                change("running", 2, opens=NOW - timedelta(minutes=5)),
                change("completed", 3, closed=NOW - timedelta(hours=2)),
                change("completed", 4, closed=NOW - timedelta(days=9)),
                change("rollback_failed", 5, closed=NOW - timedelta(days=9)),
                change("approved", 6, opens=NOW + timedelta(minutes=5)),
                change("cancelled", 7, closed=NOW - timedelta(days=9)),
            )
        }
    )
    runs: dict[str, list[str]] = field(default_factory=lambda: {"CHG-2": ["scheduled__2"], "CHG-7": ["manual__7"]})
    is_down: bool = False
    refuses: str = ""
    """Whom the policy gives no right to intervene."""

    def change(self, identity: str) -> Change | None:
        """Return it."""
        if self.is_down:
            raise LedgerDown("no answer")
        return self.changes.get(identity)

    def acting(self) -> list[str]:
        """Return those that act."""
        return [row.id for row in self.changes.values() if row.status == "running"]

    def holder(self, target: str) -> str:
        """Return the change whose rollback failed."""
        return "CHG-5" if target == "production/orders" else ""

    def asked_of_everybody(self, _dag: str, _run: str, _task: str, *, person: str) -> str:
        """Return that people are named."""
        return ""

    def open_runs(self, dag: str) -> list[str]:
        """Return them."""
        return self.runs.get(dag, [])

    def why_not(self, dag: str, params: Mapping[str, Any], person: Person) -> str:
        """Return what the policy says."""
        is_refused = person.name == self.refuses and act_of(dag, params)
        return f"{person.name} may not" if is_refused else ""


def asked(key: str, dag: str = "", body: Any = None, query: str = "", **parameters: str) -> Asked:
    """Return a request to a route."""
    method, _, route = key.partition(" ")
    of_run = {"dag_run_id": "run-1", "task_id": "approve_1"} if "{task_id}" in route else {}
    of_path = {**({"dag_id": dag} if dag else {}), **of_run, **parameters}
    return Asked(method, route, route, of_path, QueryParams(query), json.dumps(body).encode())


def why(request: Asked, facts: Facts | None = None) -> str:
    """Return why it is refused, or an empty text."""
    try:
        judge(request, facts or Facts())
    except Refused as refused:
        return str(refused)
    return ""


PAUSE, MANY, DELETE, TRIGGER = f"PATCH {DAG}", "PATCH /api/v2/dags", f"DELETE {DAG}", f"POST {DAG}/dagRuns"
YES = {"is_paused": True}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(asked(DELETE, "CHG-1"), "is not over: it is approved", id="delete a change that waits"),
        pytest.param(asked(DELETE, "CHG-2"), "has an open run, scheduled__2", id="delete a change that acts"),
        pytest.param(asked(DELETE, "CHG-3"), "completed less than 1 day", id="delete one that may be rolled back"),
        pytest.param(asked(DELETE, "CHG-5"), "is not over", id="delete one whose rollback failed"),
        pytest.param(asked(DELETE, "CHG-7"), "has an open run", id="delete one that is closed and runs"),
        pytest.param(asked(DELETE, "abort_change"), "comes with Change Windows", id="delete a DAG of ours"),
        pytest.param(asked(PAUSE, "CHG-2", YES), "CHG-2 acts now", id="pause a change that acts"),
        pytest.param(asked(PAUSE, "CHG-2", {"is_paused": "yes"}), "CHG-2 acts now", id="pause it in other words"),
        pytest.param(asked(PAUSE, "chg-2", YES), "CHG-2 acts now", id="pause it in small letters"),
        pytest.param(asked(PAUSE, "housekeeping", YES), "is never paused", id="pause housekeeping"),
        pytest.param(
            asked(MANY, body=YES, query="dag_id_pattern=~"), "would pause abort_change", id="pause everything"
        ),
        pytest.param(asked(MANY, body=YES, query="dag_id_pattern=%25"), "would pause", id="pause everything by %"),
        pytest.param(
            asked(MANY, body=YES, query="dag_id_pattern=etl|chg-_"), "would pause CHG-2", id="pause one of two"
        ),
        pytest.param(asked(MANY, body=YES, query="dag_id_prefix_pattern=CHG-"), "CHG-2", id="pause by a prefix"),
        pytest.param(asked(MANY, body=YES, query="dag_id_prefix_pattern=-"), "would pause", id="pause by no prefix"),
        pytest.param(asked(MANY, body={"is_paused": 1}, query="dag_id_pattern=~"), "would pause", id="pause all, by 1"),
        pytest.param(asked(f"DELETE {TASK}", "CHG-1"), "not deleted alone", id="delete a task"),
        pytest.param(asked(f"POST {DAG}/clearPartitions", "CHG-1"), "no partitions", id="clear partitions"),
        pytest.param(asked("POST /api/v2/backfills", body={"dag_id": "CHG-1"}), "no partitions", id="a backfill"),
        pytest.param(asked(f"POST {DAG}/clearTaskInstances", "stop_the_line", {"dry_run": False}), "yours", id="again"),
        pytest.param(
            asked(f"POST {DAG}/clearDagRuns", "~", {"dag_runs": [{"dag_id": "release_target"}], "dry_run": False}),
            "release_target does what somebody asked for",
            id="do again, among many, what somebody else did",
        ),
        *(
            pytest.param(asked(f"POST {DAG}/clearTaskInstances", dag, {"dry_run": False}), "Trigger it anew", id=dag)
            for dag in ("emergency_change", "record_change", "review_change", "follow_up")
        ),
    ],
)
def test_what_is_refused(request_: Asked, reason: str) -> None:
    """With a sentence."""
    assert reason in why(request_)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(asked(DELETE, "CHG-4"), id="delete a change that is over"),
        pytest.param(asked(DELETE, "CHG-99"), id="delete one that the ledger does not know"),
        pytest.param(asked(PAUSE, "CHG-1", YES), id="pause a change that waits"),
        pytest.param(asked(PAUSE, "CHG-2", {"is_paused": False}), id="go on with one that acts"),
        pytest.param(asked(MANY, body=YES, query="dag_id_pattern=etl"), id="pause other DAGs"),
        pytest.param(asked(MANY, body=YES, query="dag_id_prefix_pattern=etl_"), id="pause other DAGs by a prefix"),
        pytest.param(asked(MANY, body=YES, query="tags=x"), id="pause nothing, as Airflow wants a pattern"),
        pytest.param(asked(MANY, body={"is_paused": False}, query="dag_id_pattern=~"), id="pause nothing any more"),
        pytest.param(asked(f"PATCH {TASK}", "CHG-2", {"new_state": "success"}), id="mark a task"),
        pytest.param(asked(f"PATCH {RUN}", "CHG-2", {"state": "failed"}), id="mark a run"),
        pytest.param(asked(f"POST {DAG}/clearTaskInstances", "CHG-2", {"dry_run": False}), id="clear a change"),
        pytest.param(asked(f"POST {DAG}/clearTaskInstances", "request_change", {"dry_run": False}), id="ask again"),
        pytest.param(asked(f"POST {DAG}/clearTaskInstances", "stop_the_line", {"dry_run": True}), id="only look"),
        pytest.param(asked(f"PATCH {TASK}/{{map_index}}/hitlDetails", "request_change", {}), id="answer"),
        pytest.param(asked(f"POST {DAG}/favorite", "CHG-2"), id="like it"),
    ],
)
def test_what_is_let_through(request_: Asked) -> None:
    """Because the tasks and the ledger hold whatever becomes of it, or because it is harmless."""
    assert why(request_) == ""


def test_a_long_pattern_is_matched_in_no_time() -> None:
    """A thousand wildcards are no way to stop the server."""
    assert why(asked(MANY, body=YES, query="dag_id_pattern=" + "%25a" * 1000 + "x")) == ""
    assert "would pause" in why(asked(MANY, body=YES, query="dag_id_pattern=" + "%25" * 1000))


@pytest.mark.parametrize("dag", ["CHG-2", "CHG-4", "request_change", "extend_window"])
@pytest.mark.parametrize(
    "key",
    [
        *(f"{method} {TASK}/xcomEntries/{{xcom_key:path}}" for method in ("PATCH", "DELETE")),
        f"POST {TASK}/xcomEntries",
        *(f"{method} {TASK}/state-store/{{key:path}}" for method in ("PUT", "PATCH", "DELETE")),
        f"DELETE {TASK}/state-store",
    ],
)
def test_what_tasks_left_is_written_by_nobody_else(dag: str, key: str) -> None:
    """Whoever asks, an admin included, and whatever became of the change."""
    assert "what its tasks left is evidence" in why(asked(key, dag, {"value": "x"}))


@pytest.mark.parametrize(
    ("dag", "body", "reason"),
    [
        pytest.param("CHG-1", {"logical_date": f"{OPENS:%Y-%m-%dT%H:%M:%SZ}"}, "in the future", id="of the window"),
        pytest.param("CHG-1", {"logical_date": OPENS.timestamp()}, "in the future", id="of the window, as a number"),
        pytest.param("CHG-1", {"logical_date": "2031-01-01T00:00:00Z"}, "in the future", id="of a later window"),
        pytest.param("CHG-1", {"run_after": "2031-01-01T00:00:00Z"}, "in the future", id="a run that waits"),
        pytest.param("CHG-1", {"logical_date": "2019-12-31T23:59:00Z"}, "is green", id="before its DAG begins"),
        pytest.param("emergency_change", {"logical_date": "0001-01-01T00:00:00Z"}, "is green", id="an old emergency"),
        pytest.param("abort_change", {"run_after": "2019-01-01T00:00:00Z"}, "is green", id="aborted long ago"),
        pytest.param("CHG-1", {"data_interval_start": "2020-01-01T00:00:00Z"}, "data_interval_start", id="an interval"),
        pytest.param("CHG-1", {"partition_key": "x"}, "partition_key", id="a partition"),
        pytest.param("CHG-1", {"dag_run_id": "take_back_20261103"}, "belong to housekeeping", id="housekeeping's id"),
        pytest.param(
            "retroactive_approval",
            {"dag_run_id": "asks_about_CHG-1"},
            "belong to housekeeping",
            id="housekeeping's id of a question",
        ),
        pytest.param("CHG-2", {"conf": {"mode": "dry_run"}}, "has an open run", id="beside its run"),
        pytest.param("CHG-2", {}, "has an open run", id="a second run"),
        pytest.param("CHG-6", {"conf": {"mode": "dry_run"}}, "its window is near", id="a dry run before the window"),
        pytest.param("housekeeping", {"run_after": "2031-01-01T00:00:00Z"}, "in the future", id="housekeeping waits"),
    ],
)
def test_no_run_takes_the_place_of_one_that_comes_by_itself(dag: str, body: dict[str, Any], reason: str) -> None:
    """Dates and reserved names are refused, and so is what would keep the window's run waiting."""
    assert reason in why(asked(TRIGGER, dag, {"logical_date": None, **body}))


def test_a_run_with_the_date_of_an_open_window_is_refused() -> None:
    """The scheduler may not have made the window's run yet."""
    facts = Facts()
    facts.changes["CHG-6"].opens = NOW - timedelta(seconds=2)
    body = {"logical_date": (NOW - timedelta(seconds=2)).isoformat(), "conf": {"mode": "rollback"}}
    assert "the start of its window belongs to the run" in why(asked(TRIGGER, "CHG-6", body), facts)


@pytest.mark.parametrize("mode", ["run", "dry_run", "rollback", None])
def test_a_run_is_triggered_as_airflows_form_does(mode: str | None) -> None:
    """Its form sends the present as the date."""
    body = {"logical_date": NOW.isoformat(), "conf": {"mode": mode} if mode else None, "dag_run_id": "mine"}
    assert why(asked(TRIGGER, "CHG-1", body)) == ""


@pytest.mark.parametrize("path", ["etl", "~"])
def test_a_bulk_request_is_about_whatever_its_body_names(path: str) -> None:
    """Airflow takes the DAG of each entity, whatever the path says."""
    body = {"actions": [{"action": "update", "entities": [{"dag_id": "CHG-2", "task_id": "watch"}]}]}
    assert asked(f"PATCH {BULK}", path, body).changes == ("CHG-2",)
    assert asked(f"PATCH {BULK}", path, {"conf": {"dag_id": "CHG-2"}}).changes == ()


def test_a_body_is_read_in_every_encoding_that_airflow_reads() -> None:
    """JSON may be UTF-16, and of two fields of a name the last one counts."""
    text = '{"is_paused": false, "is_paused": true}'.encode("utf-16")
    assert "acts now" in why(Asked("PATCH", "", DAG, {"dag_id": "CHG-2"}, body=text))


@pytest.mark.parametrize(
    ("key", "name", "body"),
    [
        pytest.param("PATCH /api/v2/pools/{pool_name:path}", "default_pool", {"slots": 0}, id="no room"),
        pytest.param("PATCH /api/v2/pools/{pool_name:path}", "default_pool", {"slots": "1"}, id="little room"),
        pytest.param(
            "PATCH /api/v2/pools/{pool_name:path}", "default_pool", {"include_deferred": 1}, id="watches count"
        ),
        pytest.param("DELETE /api/v2/pools/{pool_name:path}", "default_pool", None, id="no pool"),
        pytest.param(
            "PATCH /api/v2/pools",
            "",
            {"actions": [{"action": "update", "entities": [{"name": "default_pool", "slots": 0}]}]},
            id="no room, in bulk",
        ),
        pytest.param(
            "PATCH /api/v2/pools",
            "",
            {"actions": [{"action": "delete", "entities": ["default_pool"]}]},
            id="no pool, in bulk",
        ),
    ],
)
def test_the_room_for_changes_is_not_taken_away(key: str, name: str, body: Any) -> None:
    """What was applied could not be undone; another pool is nobody's affair."""
    parameters = {"pool_name": name} if name else {}
    assert "default_pool is where changes are applied" in why(asked(key, body=body, **parameters))
    text = json.dumps([body, parameters]).replace("default_pool", "mine")
    other, parameters = json.loads(text)
    assert why(asked(key, body=other, **parameters)) == ""


@pytest.mark.parametrize("body", [{"slots": 64, "include_deferred": False}, {"slots": -1}, {"description": "x"}])
def test_the_room_for_changes_may_be_changed(body: Any) -> None:
    """As long as there is some."""
    assert why(asked("PATCH /api/v2/pools/{pool_name:path}", body=body, pool_name="default_pool")) == ""


def test_without_its_pool_no_change_begins() -> None:
    """It may be made smaller or larger, and stays."""
    patch, pool = "PATCH /api/v2/pools/{pool_name:path}", "changewindow_starts"
    assert "where changes begin: none starts without it" in why(asked(patch, body={"slots": 0}, pool_name=pool))
    assert why(asked("DELETE /api/v2/pools/{pool_name:path}", pool_name=pool))
    assert why(asked(patch, body={"slots": 2}, pool_name=pool)) == ""


@pytest.mark.parametrize(
    ("request_", "is_refused"),
    [
        (asked("DELETE /api/v2/connections/{connection_id}", connection_id="changewindow_ledger"), True),
        (asked("PATCH /api/v2/connections/{connection_id}", connection_id="changewindow_ledger", body={}), True),
        (asked("PATCH /api/v2/connections/{connection_id}", connection_id="orders", body={}), False),
        (
            asked(
                "PATCH /api/v2/connections",
                body={"actions": [{"action": "delete", "entities": ["changewindow_ledger"]}]},
            ),
            True,
        ),
        (
            asked(
                "POST /api/v2/connections/enqueue-test",
                body={"connection_id": "changewindow_ledger", "commit_on_success": True},
            ),
            True,
        ),
        (asked("POST /api/v2/connections", body={"connection_id": "changewindow_ledger"}), False),
    ],
)
def test_the_way_to_the_ledger_is_changed_on_the_host_only(request_: Asked, is_refused: bool) -> None:  # noqa: FBT001
    """A test that keeps what it tried is a change too; a new connection is not."""
    assert ("leads to the ledger of all changes" in why(request_)) == is_refused


@pytest.mark.parametrize("body", [True, {"actions": True}, {"actions": [1, {"entities": 7}, {"entities": [None]}]}])
def test_a_body_that_airflow_will_refuse_is_no_error_here(body: Any) -> None:
    """Whatever stands where a list should."""
    assert why(asked("PATCH /api/v2/pools", body=body)) == ""
    assert why(asked("PATCH /api/v2/connections", body=body)) == ""


def test_while_the_ledger_is_down_what_cannot_be_judged_is_refused() -> None:
    """Marking, answering and rolling back go on: they need no look."""
    facts = Facts(is_down=True)
    assert "cannot be looked up now" in why(asked(PAUSE, "CHG-1", YES), facts)
    assert "cannot be looked up now" in why(asked(DELETE, "CHG-1"), facts)
    assert why(asked(f"PATCH {RUN}", "CHG-1", {"state": "failed"}), facts) == ""
    assert why(asked(TRIGGER, "CHG-1", {"logical_date": None, "conf": {"mode": "rollback"}}), facts) == ""


@pytest.mark.parametrize(
    ("dag", "conf", "is_refused"),
    [
        pytest.param("CHG-3", {"mode": "rollback"}, True, id="roll back"),
        pytest.param("CHG-3", {"mode": "dry_run"}, False, id="only read"),
        pytest.param("release_target", {"target": "test/x"}, True, id="release a target"),
        pytest.param("stop_the_line", {"action": "lift"}, True, id="let the line run"),
        pytest.param("accept_finding", {"findings": "1"}, True, id="accept a finding"),
        pytest.param("abort_change", {"change": "CHG-2"}, True, id="abort"),
        pytest.param("request_change", {"change": "CHG-2"}, False, id="ask for a change"),
        pytest.param("housekeeping", None, False, id="look after what is left"),
    ],
)
def test_who_has_no_right_is_refused_at_the_door(dag: str, conf: Any, is_refused: bool) -> None:  # noqa: FBT001
    """With 403, as whoever has no role in Airflow."""
    request_ = replace(asked(TRIGGER, dag, {"conf": conf}), person=Person("eve"))
    facts = Facts(refuses="eve")
    if not is_refused:
        judge(request_, facts)
        return
    with pytest.raises(Refused, match="eve may not") as refused:
        judge(request_, facts)
    assert refused.value.status == 403


HIDDEN = pytest.mark.parametrize("dag", ["abort_change", "extend_window", "request_change", "retroactive_approval"])


@HIDDEN
@pytest.mark.parametrize("change", ["CHG-2", "CHG-9", "chg-2", " CHG-2"])
def test_nobody_intervenes_in_a_change_that_they_may_not_see(dag: str, change: str) -> None:
    """With 403, as by whoever has no role in Airflow; one that there is and one that there is not look alike."""
    olga = Person("olga", may_see={"CHG-1", dag}.__contains__)
    seen, hidden = (replace(asked(TRIGGER, dag, {"conf": {"change": each}}), person=olga) for each in ("CHG-1", change))
    judge(seen, Facts())
    with pytest.raises(Refused) as refused:
        judge(hidden, Facts())
    assert refused.value.status == 403


def test_nobody_releases_what_a_change_holds_that_they_may_not_see() -> None:
    """Its target names it as well as its id does; whoever sees it releases it."""
    free, held = (
        asked(TRIGGER, "release_target", {"conf": {"target": target}})
        for target in ("production/x", "production/orders")
    )
    olga, omar = Person("olga", may_see={"CHG-1"}.__contains__), Person("omar", may_see={"CHG-5"}.__contains__)
    judge(replace(free, person=olga), Facts())
    judge(replace(held, person=omar), Facts())
    with pytest.raises(Refused) as refused:
        judge(replace(held, person=olga), Facts())
    assert refused.value.status == 403


def test_a_pattern_says_nothing_of_changes_that_one_may_not_see() -> None:
    """Nobody learns by trying which change acts now; Airflow leaves out what they may not pause."""
    request = replace(
        asked(MANY, body=YES, query="dag_id_pattern=chg-_"), person=Person("olga", may_see={}.__contains__)
    )
    judge(request, Facts())
