"""What holds for every kind of step, found by its file."""

import json
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow import kinds
from changewindow.connection import Connection
from changewindow.context import Context, Ran
from changewindow.steps.base import StepBase
from known import Told

STEPS = kinds.modules("steps")


@pytest.fixture(params=STEPS.values(), ids=STEPS.keys())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Return each kind's module."""
    found: ModuleType = request.param
    return found


def step_of(module: ModuleType, **changed: Any) -> StepBase:
    """Return the example of a kind as a ticket would give it."""
    model = kinds.models("steps", "Step")[module.EXAMPLE["kind"]]
    found: StepBase = model.model_validate({**module.EXAMPLE, **changed})  # type: ignore[assignment]
    return found


def test_its_example_is_valid_and_says_what_is_done(module: ModuleType) -> None:
    """The plan can tell what apply and undo do."""
    step = step_of(module)
    assert step.does()
    assert step.undoes()


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        step_of(module, tiemout="1m")


def test_it_is_documented(module: ModuleType) -> None:
    """The file says what the step does to the world, and what undo does."""
    assert "undo" in (module.__doc__ or "")


def test_it_survives_the_way_through_json(module: ModuleType) -> None:
    """A published change holds the step as JSON."""
    step = step_of(module)
    again = type(step).model_validate(json.loads(step.model_dump_json(by_alias=True)))
    assert again == step


def test_a_dry_run_only_reads(module: ModuleType, server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither programs that act nor requests that act leave a dry run."""
    acted: list[Any] = []
    here = Context("CHG-1", 1, lambda name: Connection(name, "http", host=server.url), lambda _: None, dry_run=True)
    monkeypatch.setattr(here, "look", lambda arguments, **_: _looked(arguments))
    monkeypatch.setattr(here, "_request", lambda *request: acted.append(request))
    step = step_of(module)
    remembered = step.remember(here)
    json.dumps(remembered)
    step.apply(here, remembered)
    step.undo(here, remembered)
    assert acted == []
    assert server.asked == []


def _looked(arguments: list[str]) -> Any:
    known = {"ls-remote": "1" * 40 + "\trefs/heads/main", "rev-parse": "2" * 40}
    return Ran(tuple(arguments), 0, known.get(arguments[1], ""))
