"""What holds for every kind of silence, found by its file."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from changewindow import kinds
from changewindow.changes.silencing import Silencing
from changewindow.errors import ChangeError
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext, SourceError
from servers.silence_apis import TOKEN, Place, acts, place
from support.silencing import context, silence, term
from support.tickets import ticket

SILENCES = kinds.modules("silences")
ACTS = {
    "grafana": [
        *["POST /api/alertmanager/grafana/api/v2/silences"] * 2,
        "DELETE /api/alertmanager/grafana/api/v2/silence/ID",
    ],
    "opsgenie": ["POST /v1/maintenance", "PUT /v1/maintenance/ID", "POST /v1/maintenance/ID/cancel"],
    "pagerduty": ["POST /maintenance_windows", "PUT /maintenance_windows/ID", "DELETE /maintenance_windows/ID"],
}
"""What is asked of each product to open, renew and end a silence."""


@pytest.fixture(params=SILENCES.values(), ids=SILENCES.keys())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Return each kind's module."""
    module: ModuleType = request.param
    return module


@pytest.fixture
def product(module: ModuleType, tmp_path: Path) -> Iterator[Place]:
    """Run or serve each product, in which nothing is silenced."""
    with place(module.EXAMPLE["kind"], module.EXAMPLE["connection"], tmp_path) as made:
        yield made


@pytest.fixture
async def used(product: Place) -> AsyncIterator[SourceContext]:
    """Give what a silence may use there."""
    async with context(product.connection) as made:
        yield made


def test_its_example_is_valid_and_says_what_it_silences(module: ModuleType) -> None:
    """In the plan, in one line, and so that lint can compare it."""
    made = silence(**module.EXAMPLE)
    assert made.connection in made.description()
    assert "\n" not in made.description()
    assert made.covers()
    assert module.__doc__


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        silence(**{**module.EXAMPLE, "matcher": "orders"})


def test_it_survives_the_way_into_a_trigger(module: ModuleType) -> None:
    """Whole, as JSON."""
    made = Silencing.of("CHG-1", "run", ticket(silence=[module.EXAMPLE]))
    assert made
    assert Silencing.model_validate(json.loads(made.model_dump_json())) == made
    assert made.silences == (silence(**module.EXAMPLE),)


async def test_it_is_opened_renewed_and_ended(module: ModuleType, product: Place, used: SourceContext) -> None:
    """Under one id, found by its mark alone, and over at last."""
    made, first = silence(**module.EXAMPLE), term()
    assert await made.held(used, first) == []
    name = await made.open(used, first)
    [held] = await made.held(used, first)
    assert (held.id, held.is_over, held.is_as_left) == (name, False, True)
    longer = term(lease=timedelta(minutes=9))
    assert await made.renew(used, longer, held) == name
    [held] = await made.held(used, longer)
    assert abs(held.ends - longer.until) < timedelta(seconds=2)
    assert (held.is_over, held.is_as_left) == (False, True)
    await made.end(used, held)
    assert [(held.is_over, held.is_as_left) for held in await made.held(used, longer)] == [(True, False)]
    if product.server:
        assert acts(product.server) == ACTS[module.EXAMPLE["kind"]]


async def test_that_of_another_run_is_not_found(module: ModuleType, used: SourceContext) -> None:
    """So that nobody ends it."""
    made = silence(**module.EXAMPLE)
    await made.open(used, term("CHG-1042 (run, silence 11)"))
    for mark in ("CHG-1042 (run, silence 1)", "CHG-104 (run, silence 11)", "CHG-1042 (another, silence 11)"):
        assert await made.held(used, term(mark)) == []


async def test_a_product_that_is_away_is_an_error(module: ModuleType, product: Place) -> None:
    """For each thing that is asked of it."""
    made, now = silence(**module.EXAMPLE), term()
    async with context(product.connection) as used:
        name = await made.open(used, now)
        [held] = await made.held(used, now)
        assert held.id == name
    async with context(replace(product.connection, host="http://127.0.0.1:9")) as used:
        for asked in (made.held(used, now), made.open(used, now), made.renew(used, now, held), made.end(used, held)):
            with pytest.raises(SourceError, match=r"127\.0\.0\.1:9"):
                await asked


@pytest.mark.parametrize("kind", ACTS)
async def test_a_token_that_is_not_known_is_named_and_not_shown(kind: str, tmp_path: Path) -> None:
    """With what it has to be; the token itself is a secret."""
    made = silence(**SILENCES[kind].EXAMPLE)
    with place(kind, made.connection, tmp_path) as product:
        async with context(replace(product.connection, password="wrong-t0ken")) as used:
            with pytest.raises(SourceError) as refused:
                await made.open(used, term())
    assert SILENCES[kind].PRODUCT.needs in str(refused.value)
    assert f"the connection '{made.connection}'" in str(refused.value)
    assert "wrong-t0ken" not in str(refused.value)


async def test_pagerduty_wants_to_know_in_whose_name(tmp_path: Path) -> None:
    """The login of the connection is the e-mail address of a user."""
    made = silence(**SILENCES["pagerduty"].EXAMPLE)
    with place("pagerduty", made.connection, tmp_path) as product:
        nobody = Connection(made.connection, "pagerduty", host=product.connection.host, password=TOKEN)
        async with context(nobody) as used:
            with pytest.raises(ChangeError, match="e-mail address of a PagerDuty user"):
                await made.open(used, term())


def test_opsgenie_wants_something_to_switch_off() -> None:
    """An empty maintenance would silence nothing, and look as if it did."""
    with pytest.raises(ValidationError, match="names no integration and no policy"):
        silence(kind="opsgenie", connection="pagers")
