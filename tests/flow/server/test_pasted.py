"""What is pasted into the form of `record_change` reaches Airflow without what looks like a secret."""

import json
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from changewindow.changes.record_form import LONGEST_PASTE
from changewindow.flow.server.asked import Asked, Refused
from changewindow.flow.server.pasted import TRIGGER, without_secrets

SECRET = "hunter2-9f3"


def asked(body: Any, dag: str = "record_change", key: str = TRIGGER) -> Asked:
    """Return a request of somebody's."""
    method, _, route = key.partition(" ")
    return Asked(method, route, route, {"dag_id": dag}, QueryParams(), json.dumps(body).encode())


PASTES = {
    "typed": f"mysql -p{SECRET}",
    "bash": f"#1700000000\nexport DB_PASSWORD={SECRET}",
    "zsh": f": 1700000000:0;curl -u dora:{SECRET} https://api",
    "terminal": f"dora@web-3:~$ tool --token {SECRET}\n{SECRET}",
    "key": f"cat > k\n-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
}


@pytest.mark.parametrize("paste", PASTES.values(), ids=PASTES.keys())
def test_a_paste_is_hidden_before_airflow_has_it(paste: str) -> None:
    """In every field; the rest of the request stays as it is."""
    conf = {"commands": paste, "why": f"password={SECRET}", "targets": "production/orders", "findings": [1]}
    body = {"logical_date": None, "conf": conf, "note": f"token={SECRET}"}
    cleaned = without_secrets(asked(body))
    assert b"9f3" not in cleaned.body
    assert cleaned.json["logical_date"] is None
    assert (cleaned.json["conf"]["targets"], cleaned.json["conf"]["findings"]) == ("production/orders", [1])


@pytest.mark.parametrize("body", [{"conf": {"ticket": f"password={SECRET}"}}, {}, [], "x", {"conf": None}])
def test_other_requests_are_passed_on_as_they_are(body: Any) -> None:
    """To other DAGs, and what is no form."""
    request = asked(body, "request_change")
    assert without_secrets(request) is request
    request = asked(body, key="PATCH /api/v2/dags/{dag_id}")
    assert without_secrets(request) is request
    assert without_secrets(asked({"conf": "x"})).json == {"conf": "x"}


ANSWER = "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
NOTE = "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}"


@pytest.mark.parametrize("dag", ["retroactive_approval", "request_change", "abort_change", "CHG-1"])
@pytest.mark.parametrize(
    ("key", "body"),
    [
        (ANSWER, {"chosen_options": ["Approve"], "params_input": {"reason": f"password={SECRET}"}}),
        (TRIGGER, {"logical_date": None, "conf": {"mode": "rollback", "reason": f"password={SECRET}"}}),
        (NOTE, {"note": f"see\n\ntoken={SECRET}"}),
        ("PATCH /api/v2/dags/{dag_id}/dagRuns", {"actions": [{"entities": [{"note": f"token={SECRET}"}]}]}),
    ],
)
def test_reasons_and_notes_are_hidden_wherever_they_are_written(dag: str, key: str, body: Any) -> None:
    """In an answer, of a run, or among many; the rest of the request stays as it is."""
    cleaned = without_secrets(asked(body, dag, key))
    assert b"9f3" not in cleaned.body
    assert cleaned.json.keys() == body.keys()
    assert b"***" in cleaned.body


@pytest.mark.parametrize("dag", ["review_change", "follow_up"])
def test_what_people_write_afterwards_is_hidden_line_by_line(dag: str) -> None:
    """The lines stay as they are, for each may be a follow-up; what is no text stays, too."""
    conf = {"follow_ups": f"a | bob\n\nmysql --password={SECRET} | dora", "what_happened": PASTES["key"], "done": True}
    cleaned = without_secrets(asked({"conf": conf}, dag))
    assert b"9f3" not in cleaned.body
    assert cleaned.json["conf"]["follow_ups"] == "a | bob\n\nmysql --password=*** | dora"
    assert cleaned.json["conf"]["done"] is True


def test_of_an_emergency_what_people_write_is_hidden_and_what_runs_stays_as_it_is() -> None:
    """Without its secret, what runs would be another step than the one that was meant."""
    texts = ("broken", "incident", "agreed_how", "no_undo_because", "unwatched_because")
    runs = {"step": f"{{kind: command, run: [tool, --token, {SECRET}]}}", "values": {"a": 1}, "target": "a/b"}
    conf = {**dict.fromkeys(texts, f"password={SECRET}"), **runs, "commander": "bob"}
    cleaned = without_secrets(asked({"conf": conf, "note": f"token={SECRET}"}, "emergency_change")).json
    assert cleaned["conf"] == {**dict.fromkeys(texts, "password=***"), **runs, "commander": "bob"}
    assert cleaned["note"] == "token=***"


def test_more_than_is_read_is_refused() -> None:
    """Before Airflow stores it; the answer says what to do."""
    with pytest.raises(
        Refused, match=f"500,001 characters were pasted, {LONGEST_PASTE:,} allowed. Paste only"
    ) as refused:
        without_secrets(asked({"conf": {"commands": "x" * (LONGEST_PASTE + 1)}}))
    assert refused.value.status == 413


def test_more_lines_than_are_read_in_a_moment_are_refused() -> None:
    """The server answers nobody else while it reads a paste."""
    with pytest.raises(Refused, match="20,001 lines were pasted, 20,000 allowed"):
        without_secrets(asked({"conf": {"commands": "x\n" * 20_001}}))
