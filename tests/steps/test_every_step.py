"""What holds for every kind of step, found by its file, in its world: see `worlds`."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow import kinds
from changewindow.errors import LockRevoked
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from step_fixtures import World

STEPS = kinds.modules("steps")


class Here(Context):
    """A context that counts how often it is asked whether the step may still act, and says no from then on."""

    asked = 0
    last = 10**9

    def require_lock(self) -> None:
        """Count, and take the turn away when the time has come."""
        self.asked += 1
        if self.asked > self.last:
            self.stopped.set()
        super().require_lock()


@pytest.fixture(params=STEPS.values(), ids=STEPS.keys())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Return each kind's module."""
    module: ModuleType = request.param
    return module


@pytest.fixture
def world(module: ModuleType, tmp_path: Path) -> Iterator[World]:
    """Return the world of a kind."""
    made = importlib.import_module(f"step_fixtures.{module.__name__.rpartition('.')[2]}")
    with made.world(tmp_path) as example:
        yield example


@pytest.fixture
def logged() -> list[str]:
    """Return what stands in the log."""
    return []


@pytest.fixture
def here(world: World, logged: list[str]) -> Callable[..., Here]:
    """Return what makes a context in the world; options as the fields of `Context`."""
    return lambda **options: Here("CHG-1042", 1, world.connection, logged.append, **options)


def step_of(fields: dict[str, Any], **changed: Any) -> StepBase:
    """Return a step as a ticket would give it."""
    model = kinds.models("steps", "Step")[fields["kind"]]
    module: StepBase = model.model_validate({**fields, **changed})  # type: ignore[assignment]
    return module


def apply(step: StepBase, context: Context) -> Memory:
    """Apply a step as the task does; return what it remembered, which has been through JSON."""
    remembered: Memory = json.loads(json.dumps(step.remember(context)))
    step.apply(context, remembered)
    return remembered


def test_its_example_is_valid_and_says_what_is_done(module: ModuleType) -> None:
    """The plan can tell what apply and undo do."""
    step = step_of(module.EXAMPLE)
    assert step.does()
    assert step.undoes()


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        step_of(module.EXAMPLE, tiemout="1m")


def test_it_is_documented(module: ModuleType) -> None:
    """The file says what the step does to the world, and what undo does."""
    assert "undo" in (module.__doc__ or "")


def test_it_survives_the_way_through_json(module: ModuleType) -> None:
    """A published change holds the step as JSON."""
    step = step_of(module.EXAMPLE)
    again = type(step).model_validate(json.loads(step.model_dump_json(by_alias=True)))
    assert again == step


def test_undo_brings_back_what_was_and_may_run_twice(
    world: World, here: Callable[..., Here], logged: list[str]
) -> None:
    """Apply changes the world; after undo, and after another undo, it is as before. No secret is told or kept."""
    step, before = step_of(world.step), world.state()
    assert step.missing_prerequisites(here()) == []
    remembered = apply(step, here())
    assert world.state() != before
    for _ in range(2):
        step.undo(here(), remembered)
        assert world.state() == before
    logged.append(step.restored(remembered))
    assert logged[-1]
    assert "\n" not in logged[-1]
    secrets = [connection.password for connection in world.connections.values() if connection.password]
    assert [
        connection
        for connection in secrets
        if connection in json.dumps(remembered) or any(connection in line for line in logged)
    ] == []


def test_undo_brings_back_what_was_wherever_apply_was_cut_short(world: World, here: Callable[..., Here]) -> None:
    """Before and after each thing that apply does, it may lose its turn; undo copes with all of that.

    How often a step asks for its turn varies with how long it waits, so the cuts go on until an apply ends uncut.
    """
    step, before = step_of(world.step), world.state()
    for last in range(world.cuts):
        world.reset()
        context = here()
        context.last = last
        remembered = json.loads(json.dumps(step.remember(here())))
        try:
            step.apply(context, remembered)
            ended = True
        except LockRevoked:
            ended = False
        step.undo(here(apply_ended="applied" if ended else "cut_short"), remembered)
        assert world.state() == before, f"cut short at {last}"
        if ended:
            assert last > 0, "apply acted without asking whether it may"
            break
    else:
        assert world.cuts < World.cuts, "apply asks more often than that whether it may; let its world have more cuts"


def test_a_dry_run_only_reads(world: World, here: Callable[..., Here]) -> None:
    """Nothing that acts leaves a dry run, neither on the way there nor on the way back."""
    step, before = step_of(world.step), world.state()
    remembered = apply(step, here(dry_run=True))
    assert world.state() == before
    step.undo(here(dry_run=True), remembered)
    assert world.state() == before
