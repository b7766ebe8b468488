"""The step terraform: plans of which no other plan brings back what they do."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.terraform import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.terraform.plan_changes import PlannedChanges
from step_fixtures.terraform import ENVIRONMENT, program, run

BEFORE = 'resource "terraform_data" "a" { input = "1" }\n'
REMOVED = "removed {\n  from = terraform_data.a\n  lifecycle { destroy = false }\n}\n"
IMPORTED = """
import {
  to = terraform_data.x
  id = "existing-42"
}
resource "terraform_data" "x" { input = "9" }
"""
MOVED = """
moved {
  from = terraform_data.a
  to   = terraform_data.b
}
resource "terraform_data" "b" { input = "1" }
"""


@pytest.fixture
def here() -> Context:
    """Return what a step may use."""
    return Context("CHG-1", 1, lambda name: Connection(name, "generic"), print)


def planned(folder: Path, now: str) -> Step:
    """Apply one configuration, save a plan for another on the same state; return the step that applies it."""
    backend = f'terraform {{\n  backend "local" {{ path = "{folder}/the.tfstate" }}\n}}\n'
    for name, text in (("before", BEFORE), ("now", now)):
        (folder / name).mkdir()
        (folder / name / "main.tf").write_text(backend + text)
        run(folder / name, "init", "-input=false")
        if name == "before":
            run(folder / name, "apply", "-input=false", "-auto-approve")
    run(folder / "now", "plan", "-input=false", "-out=it.plan")
    digest = hashlib.sha256((folder / "now/it.plan").read_bytes()).hexdigest()
    where = {"folder": str(folder / "now"), "plan": "it.plan", "plan_sha256": digest, "program": program()}
    back = {"undo": {"folder": str(folder / "before")}, "environment": ENVIRONMENT}
    return Step.model_validate({"name": "Apply", **where, **back})


def objects(folder: Path) -> dict[str, str]:
    """Return the id of each object that the state has."""
    state = json.loads(run(folder / "now", "state", "pull"))
    return {raw["name"]: raw["instances"][0]["attributes"]["id"] for raw in state["resources"]}


@pytest.mark.parametrize(
    ("now", "gate", "undo"),
    [
        pytest.param(
            REMOVED,
            "The plan forgets terraform_data.a, which goes on to exist: undo would create a second one. Keep it",
            "Undo would create a second terraform_data.a, which the approved plan did not destroy. Nothing was changed",
            id="what is removed without being destroyed",
        ),
        pytest.param(
            BEFORE + IMPORTED,
            "The plan imports terraform_data.x (existing-42), which is there already: undo would destroy it. Import it",
            "Undo would destroy terraform_data.x, which was there before the change. Nothing was changed",
            id="what is imported",
        ),
        pytest.param(
            MOVED,
            "The plan moves terraform_data.a to terraform_data.b: undo would destroy it and create another. Move it",
            "Undo would also change terraform_data.a, which the approved plan did not",
            id="what is moved",
        ),
    ],
)
def test_what_no_plan_brings_back(tmp_path: Path, here: Context, now: str, *, gate: str, undo: str) -> None:
    """The gate refuses it by name; and an undo that meets it all the same changes nothing."""
    step = planned(tmp_path, now)
    (missing,) = step.missing_prerequisites(here)
    assert missing.startswith(gate)
    remembered = step.remember(here)
    step.apply(here, remembered)
    applied = objects(tmp_path)
    with pytest.raises(StepFailed) as raised:
        step.undo(here, remembered)
    assert str(raised.value).startswith(undo)
    assert objects(tmp_path) == applied


def test_what_is_created_and_destroyed_is_brought_back(tmp_path: Path, here: Context) -> None:
    """Also where a plan both destroys and creates."""
    step = planned(tmp_path, 'resource "terraform_data" "new" {}\n')
    assert step.missing_prerequisites(here) == []
    remembered = step.remember(here)
    step.apply(here, remembered)
    assert list(objects(tmp_path)) == ["new"]
    step.undo(here, remembered)
    assert list(objects(tmp_path)) == ["a"]


def change(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    """Return what a plan does to a resource, as `show -json` prints it."""
    return {"address": address, "change": {"actions": list(actions)}, **more}


def test_all_that_a_plan_can_hold() -> None:
    """Several changes may have one address, where a replaced object was left behind."""
    planned = PlannedChanges.of(
        {
            "resource_changes": [
                change("x.same", "no-op"),
                change("data.x.read", "read"),
                change("x.replaced", "create", "delete"),
                change("x.left", "update"),
                change("x.left", "delete", deposed="ab12"),
                change("x.odd", "transmogrify"),
                change("x.kept", "forget", "create"),
            ],
            "action_invocations": [{"address": "action.aws_lambda_invoke.warm_up"}],
            "deferred_changes": [{"reason": "provider_config_unknown", "resource_change": {"address": "x.later"}}],
        }
    )
    assert sorted(planned.actions) == ["x.kept", "x.left", "x.odd", "x.replaced"]
    assert (planned.doing("delete"), planned.doing("create")) == (["x.left", "x.replaced"], ["x.kept", "x.replaced"])
    assert [sentence.partition(". ")[0] for sentence in planned.one_way] == [
        "The plan does 'transmogrify' to x.odd, and how to undo that is not known",
        "The plan forgets x.kept, which goes on to exist: undo would create a second one",
        "The plan runs the action action.aws_lambda_invoke.warm_up, which nothing undoes",
        "The plan puts off what it does to x.later (provider_config_unknown)",
    ]


def test_a_plan_that_is_not_whole() -> None:
    """What it puts off is named; where it only says that there is more, that is said."""
    later = {"reason": "deferred_prereq", "action_invocation": {"address": "action.x.later"}}
    assert [
        PlannedChanges.of(plan).one_way
        for plan in (
            {"resource_changes": None, "complete": True, "errored": False},
            {"complete": False, "deferred_action_invocations": [later]},
            {"complete": False},
            {"errored": True},
        )
    ] == [
        (),
        ("The plan puts off what it does to action.x.later (deferred_prereq). Make a whole plan.",),
        *[("The plan is not whole, as it says of itself: another apply would have to follow. Make a whole plan.",)] * 2,
    ]


def test_what_is_open_while_a_plan_is_applied_needs_no_undo() -> None:
    """Of an ephemeral resource nothing is left."""
    planned = PlannedChanges.of({"resource_changes": [change("ephemeral.x.token", "open")]})
    assert (planned.actions, planned.one_way) == ({}, ())


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        pytest.param(["update"], "", id="changed back in place"),
        pytest.param(["delete", "create"], "Undo would destroy x.y, which was", id="shrunk"),
        pytest.param(["forget"], "Undo would leave x.y behind", id="left behind"),
    ],
)
def test_undo_of_an_update_in_place(actions: list[str], says: str) -> None:
    """A disk that grew in place may only shrink by being replaced: what was on it would be lost."""
    undo = PlannedChanges.of({"resource_changes": [change("x.y", *actions)]})
    assert undo.why_no_undo({"changes": ["x.y"], "creates": [], "deletes": []}).startswith(says)
    assert not says or undo.why_no_undo({"changes": ["x.y"], "creates": []}).startswith(says)
