"""What a rollback says each step has gone back to, by what the step remembers."""

import importlib
from typing import Any

import pytest
from sqlalchemy import create_engine

from changewindow.steps.base import StepBase
from changewindow.systems.databases.flyway_history import History

CONFIG_MAP = {"group": "", "version": "v1", "plural": "configmaps", "namespace": "shop", "name": "cart"}
BUDGET = {**CONFIG_MAP, "group": "policy", "plural": "poddisruptionbudgets"}
FIELDS = [
    {"path": ["data", "MAX_IDLE"], "before": "1", "after": "5"},
    {"path": ["data", "LOG"], "before": None, "after": "on"},
    {"path": ["data", "HOSTS"], "before": ["a", "b"], "after": []},
]
STATES: dict[str, tuple[dict[str, Any], str]] = {
    "sql": (
        {"token": "1"},
        (
            "what its undo leaves: UPDATE limits SET per_day = 300 WHERE region = 'eu' at example_orders, in one "
            "transaction, if that was committed"
        ),
    ),
    "flyway": ({"before": "version 1"}, "version 1"),
    "alembic": ({"before": "ae1027a6acf"}, "revision ae1027a6acf"),
    "terraform": (
        {"serial": 3},
        "what its undo leaves: tofu apply -var=image_tag=v2.14.3 -target=module.myapp in /opt/infrastructure/shop",
    ),
    "ansible": (
        {},
        "what its undo leaves: ansible-playbook pool.yml max_idle=1 on app of inventory/production.yml",
    ),
    "dns": ({"before": {"values": ["192.0.2.10"], "ttl": 300}}, "192.0.2.10 (ttl 300)"),
    "route53": (
        {"before": {"Name": "api.example.com.", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.10"}]}},
        "192.0.2.10 (ttl 60)",
    ),
    "feature_flag": ({"before": False}, "false"),
    "http_call": ({}, 'what its undo leaves: PUT /flags/banner at example_service {"enabled": false}'),
    "command": ({}, "what its undo leaves: rm -f /tmp/changewindow-example"),
    "ssh_command": ({}, "what its undo leaves: rm -f /tmp/changewindow-out-of-pool on app_1"),
    "kubernetes_job": (
        {"job": "a", "undo_job": "b"},
        "what its undo leaves: run registry.example.org/cart:2.15.0 migrate down at example_cluster to its end",
    ),
    "kubernetes_config": (
        {"fields": FIELDS, "restarts": []},
        """data.MAX_IDLE '1', data.LOG nothing, data.HOSTS ["a", "b"]""",
    ),
    "kubernetes_apply": (
        {
            "objects": [
                {"resource": CONFIG_MAP, "existed": True, "fields": FIELDS[:1]},
                {"resource": BUDGET, "existed": False, "fields": []},
            ]
        },
        (
            "configmaps 'cart' in namespace shop: data.MAX_IDLE '1'; "
            "poddisruptionbudgets.policy 'cart' in namespace shop: none"
        ),
    ),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_rollback_says_what_the_step_went_back_to(kind: str) -> None:
    """The value that was remembered; where a kind cannot know it, what the ticket's undo has done."""
    module = importlib.import_module(f"changewindow.steps.{kind}")
    step: StepBase = module.Step.model_validate(module.EXAMPLE)
    remembered, restored = STATES[kind]
    assert step.restored(remembered) == restored


def test_where_there_was_nothing_to_undo_nothing_is_said() -> None:
    """A program that only reads has changed no value."""
    module = importlib.import_module("changewindow.steps.command")
    step: StepBase = module.Step.model_validate({**module.EXAMPLE, "undo": "nothing"})
    assert step.restored({}) == ""


def test_flyway_remembers_the_newest_version_that_is_not_undone() -> None:
    """As its history has it: a baseline counts, a repeatable migration and what Flyway has undone do not."""
    with create_engine("sqlite://").connect() as opened:
        history = History(opened, "flyway_schema_history")
        assert history.newest() == "an empty schema history"
        opened.exec_driver_sql("CREATE TABLE flyway_schema_history (installed_rank INTEGER, version, script, type)")
        rows = [("1", "baseline", "BASELINE"), ("2", "V2__a.sql", "SQL"), (None, "R__views.sql", "SQL")]
        insert = "INSERT INTO flyway_schema_history VALUES (?, ?, ?, ?)"
        opened.exec_driver_sql(insert, [(rank, *row) for rank, row in enumerate(rows, 1)])
        assert history.newest() == "version 2"
        opened.exec_driver_sql(insert, (4, "2", "U2__a.sql", "UNDO_SQL"))
        assert history.newest() == "version 1"
