"""Whatever is sent, the door decides; it never breaks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from changewindow.flow.server import audit
from changewindow.flow.server.asked import Asked, Refused
from changewindow.flow.server.judge import judge
from changewindow.flow.server.routes import HANDED_OVER, TABLE
from flow.server.test_rules import Facts

FIELDS = (
    "dag_id dag_ids conf mode actions entities action is_paused dry_run logical_date run_after name x "
    "slots include_deferred pool connection_id dag_run_id commit_on_success"
)
NAMES = st.sampled_from(FIELDS.split())
WORDS = st.sampled_from(
    ["CHG-1", "CHG-2", "chg-2", "etl", "~", "default_pool", "changewindow_ledger", "rollback", "delete"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8) | st.datetimes().map(str)
)
BODIES = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(NAMES, inside, max_size=6), max_leaves=20
)
DAGS = st.sampled_from(["CHG-1", "CHG-2", "CHG-4", "etl", "~", "housekeeping", "stop_the_line"]) | st.text(max_size=8)
QUERIES = st.dictionaries(
    st.sampled_from(["dag_id_pattern", "dag_id_prefix_pattern", "dag_id", "update_mask"]),
    st.text(alphabet="chg-2%_|~\\ ", max_size=12),
)


@given(st.sampled_from(sorted(TABLE)) | st.text(max_size=20), DAGS, BODIES.map(json.dumps) | st.text(), QUERIES)
def test_every_request_is_judged(key: str, dag: str, body: str, query: dict[str, str]) -> None:
    """It goes on or is refused with a sentence, and what is kept of it can be written."""
    method, _, route = key.partition(" ")
    parameters = {name: dag for name in ("dag_id", "pool_name", "connection_id") if f"{{{name}" in route}
    asked = Asked(method, f"/{dag}", route, parameters, QueryParams(query), body.encode(errors="replace"))
    try:
        judge(asked, Facts())
    except Refused as refused:
        assert str(refused)  # noqa: PT017
    json.dumps(audit.without_values(asked.json))


@given(st.sampled_from([key for key, route in TABLE.items() if route is HANDED_OVER]), BODIES)
def test_no_body_opens_what_tasks_left(key: str, body: Any) -> None:
    """Of a change, whatever is sent with it."""
    method, _, route = key.partition(" ")
    with pytest.raises(Refused, match="is evidence"):
        judge(Asked(method, "", route, {"dag_id": "CHG-2"}, body=json.dumps(body).encode()), Facts())
