"""Whom connections serve: what a ticket may name, and what it may not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from changewindow import kinds
from changewindow.checks.connections_serve import check
from changewindow.documents.descriptions import description
from changewindow.documents.findings import Finding
from changewindow.documents.model_file import read_model
from changewindow.documents.types import CONNECTION
from changewindow.policy.check import Facts
from changewindow.policy.connections import ABSENT, FILE, Connections
from changewindow.ticket.named_connections import _holds_names, named_connections
from support.tickets import NOW, POLICY, ticket

SHOP = {"services": ["orders"], "environments": ["production"]}


def found(listed: dict[str, Any] | None, **changed: Any) -> list[Finding]:
    """Return what is found in the ticket, whose conditions ask `shop`, with this connections.yaml."""
    connections = None if listed is None else Connections.model_validate(listed)
    return check(ticket(**changed), Facts(now=NOW, policy=replace(POLICY, connections=connections)))


@pytest.mark.parametrize(
    ("listed", "changed", "sentences"),
    [
        pytest.param({"connections": {"shop": SHOP}}, {}, [], id="it serves the service in its environment"),
        pytest.param(
            {"connections": {"shop": {**SHOP, "services": ["all"], "environments": ["all"]}}},
            {},
            [],
            id="it serves all",
        ),
        pytest.param(
            {"connections": {"shop": {**SHOP, "kinds": ["http"]}}}, {}, [], id="it is for this kind of source"
        ),
        pytest.param(
            {"connections": {"shop": SHOP}},
            {"environment": "staging"},
            ["connection 'shop' serves orders in production, not orders in staging (http)"],
            id="a ticket for staging does not get production's",
        ),
        pytest.param(
            {"connections": {"shop": SHOP}},
            {"services": ["catalogue"]},
            ["connection 'shop' serves orders in production, not catalogue in production (http)"],
            id="another service's",
        ),
        pytest.param(
            {"connections": {"shop": {**SHOP, "kinds": ["sql"]}}},
            {},
            ["connection 'shop' serves orders in production (sql), not orders in production (http)"],
            id="for another kind",
        ),
        pytest.param(
            {"connections": {}}, {}, ["connection 'shop' is not listed in connections.yaml"], id="nobody has listed it"
        ),
        pytest.param(
            None,
            {},
            [ABSENT.sentence],
            id="nothing is listed at all",
        ),
    ],
)
def test_a_ticket_names_only_what_serves_it(
    listed: dict[str, Any] | None, changed: dict[str, Any], sentences: list[str]
) -> None:
    """Each thing is said once, at the place where it is named first."""
    assert [finding.sentence for finding in found(listed, **changed)] == sentences


@pytest.mark.parametrize(
    ("kinds", "sentences"),
    [
        pytest.param(["alertmanager", "silence"], [], id="who may silence by it"),
        pytest.param([], [], id="it is for everything"),
        pytest.param(
            ["alertmanager"],
            ["connection 'alerts' serves orders in production (alertmanager), not orders in production (silence)"],
            id="who may count alerts by it may not silence them for that",
        ),
    ],
)
def test_to_silence_is_a_right_of_its_own(kinds: list[str], sentences: list[str]) -> None:
    """The kinds of sources have the same names, and only read."""
    muted = {"kind": "alertmanager", "connection": "alerts", "matchers": ['service="orders"']}
    listed = {"connections": {"shop": SHOP, "alerts": {**SHOP, "kinds": kinds}}}
    assert [finding.sentence for finding in found(listed, silence=[muted])] == sentences


def test_nobody_silences_by_the_connection_of_another_team() -> None:
    """It serves services of which the change touches none."""
    muted = {"kind": "alertmanager", "connection": "alerts", "matchers": ['service="payments"']}
    listed = {"connections": {"shop": SHOP, "alerts": {**SHOP, "services": ["payments"]}}}
    [finding] = found(listed, silence=[muted])
    assert (finding.is_warning, finding.place) == (False, ("silence", 0, "connection"))


@pytest.mark.parametrize(
    ("listed", "is_warning"),
    [
        pytest.param({"connections": {}}, False, id="it is refused by default"),
        pytest.param({"unlisted": "warn", "connections": {}}, True, id="for the first weeks the policy may only warn"),
        pytest.param(None, True, id="an installation of before this file goes on, and is warned"),
    ],
)
def test_what_is_not_listed_is_refused_unless_the_policy_says_otherwise(
    listed: dict[str, Any] | None,
    is_warning: bool,  # noqa: FBT001
) -> None:
    """A connection that is listed for others is refused in any case."""
    assert [finding.is_warning for finding in found(listed)] == [is_warning]
    others = {"unlisted": "warn", "connections": {"shop": {**SHOP, "services": ["catalogue"]}}}
    assert [finding.is_warning for finding in found(others)] == [False]


@pytest.mark.parametrize("name", ["changewindow_ledger", "slack_api_default", "changewindow_tickets"])
@pytest.mark.parametrize("is_listed", [True, False])
def test_no_ticket_may_name_the_products_own(name: str, is_listed: bool) -> None:  # noqa: FBT001
    """Neither where somebody has listed it, nor where nothing is listed."""
    source = {"kind": "sql", "connection": name, "query": "SELECT 1"}
    wanted = [{"name": "own", "source": source, "pass": {"equals": 1}}]
    every = {"services": ["all"], "environments": ["all"]}
    findings = found({"connections": {"shop": every, name: every}} if is_listed else None, validation=wanted)
    sentence = f"connection '{name}' is Change Windows' own, and no change may use it"
    assert sentence in [finding.sentence for finding in findings if not finding.is_warning]


def test_every_place_of_a_ticket_is_looked_at() -> None:
    """Steps with what is nested in them, secrets, checks, conditions, control groups, criteria and verification."""

    def asks(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "source": {"kind": "http", "connection": name}, "pass": {"below": 1}, **more}

    control = {"by": "difference", "control": {"kind": "http", "connection": "control"}}
    migrations = {"repository": "repository", "at": "v1", "folder": "db"}
    asked = ticket(
        preflight={"checks": [asks("check")]},
        steps=[
            {"name": "a", "kind": "alembic", "connection": "database", "migrations": migrations},
            {"name": "b", "kind": "command", "run": ["x"], "undo": "nothing", "secrets": {"PASSWORD": "secret"}},
        ],
        watch={"for": "1m", "conditions": [asks("watch", compare=control)]},
        validation=[asks("criterion")],
        rollback={"estimate": "1m", "verify": [asks("verify")]},
        silence=[{"kind": "grafana", "connection": "muted", "matchers": ['service="orders"']}],
    )
    uses = {use.name: (use.kind, use.place) for use in named_connections(asked)}
    assert uses["repository"] == ("alembic", ("steps", 0, "migrations", "repository"))
    assert uses["secret"] == ("command", ("steps", 1, "secrets", "PASSWORD"))
    assert set(uses) == {
        *("check", "database", "repository", "secret", "watch", "control", "criterion", "verify", "muted"),
    }


@pytest.mark.parametrize(("folder", "model"), [("steps", "Step"), ("sources", "Source"), ("silences", "Silence")])
def test_every_field_that_names_a_connection_has_its_type(folder: str, model: str) -> None:
    """A field whose documentation speaks of an Airflow Connection, or that is called so, would be overlooked else."""
    for kind in kinds.models(folder, model).values():
        for name, field in kind.model_fields.items():
            is_marked = CONNECTION in field.metadata or _holds_names(field.annotation)
            speaks = "Airflow Connection" in description(kind, name)
            assert is_marked == (speaks or name in {"connection", "registry", "repository"}), f"{kind} {name}"


@pytest.mark.parametrize("kind", ["htpp", "a " * 3000, "http\n"], ids=["misspelt", "long", "with an end of line"])
def test_a_kind_that_there_is_not_is_refused_in_one_short_line(tmp_path: Path, kind: str) -> None:
    """Else the connection would serve nobody, and each ticket would be told so at length."""
    listed = {"connections": {"orders": {"services": ["orders"], "environments": ["all"], "kinds": [kind]}}}
    (tmp_path / FILE).write_text(json.dumps(listed))
    [finding] = read_model(tmp_path / FILE, Connections).findings
    assert finding.text(FILE).startswith(f"{FILE}:1: connections.orders.kinds: there is no kind '{kind[:3]}")
    assert "Did you mean 'http'?" in finding.remedy or kind.startswith("a ")
    assert len(finding.text(FILE)) < 600
