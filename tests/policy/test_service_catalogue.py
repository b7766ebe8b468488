"""The service catalogue knows owners, what depends on what, and how careful a change has to be."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changewindow.documents.model_file import read_model
from changewindow.policy.service_catalogue import Catalogue, Service
from support.tickets import TESTS, ticket

MISTAKES = sorted((TESTS / "bad_policies" / "services").glob("*.yaml"))
EVERYWHERE = ("production", "staging")
BRANCH = {"name": "Merge", "kind": "git_change", "connection": "config", "merge": "tune", "into": "main"}
CALL = {"name": "Call", "kind": "http_call", "connection": "shop", "path": "/", "undo": "nothing"}
COMMAND = {"name": "Look", "kind": "command", "run": ["true"], "undo": "nothing"}


def service(*depends_on: str, owners: tuple[str, ...] = ("team",), **fields: Any) -> Service:
    """Return a service that runs everywhere."""
    return Service(**{"owners": owners, "environments": EVERYWHERE, "depends_on": depends_on, **fields})


SHOP = Catalogue(
    services={
        "shop": service("orders", "search", owners=("shop-team", "carol")),
        "orders": service("database", owners=("orders-team",)),
        "search": service("database", owners=("carol",), risk="medium"),
        "database": service(owners=("dba",), risk="high"),
        "preview": service("orders", environments=("staging",)),
        "island": service(),
    }
)


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_said_word_for_word(path: Path) -> None:
    """Each file holds one mistake, named by the file; its first lines say what its author reads."""
    expected = re.findall(r"^# expect: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    read = read_model(path, Catalogue)
    assert read.model is None
    assert [finding.text("") for finding in read.findings] == [f":{line}" for line in expected]


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        pytest.param("production/shop", {"orders", "search", "database"}, id="what is needed is followed to its end"),
        pytest.param("production/orders", {"database"}, id="what needs a service is not needed by it"),
        pytest.param("production/database", set(), id="the last one needs nothing"),
        pytest.param("production/unlisted", set(), id="nothing is known of what is not listed"),
    ],
)
def test_dependencies(target: str, needed: set[str]) -> None:
    """Dependencies stay in the environment of the target."""
    assert SHOP.dependencies(target) == {f"production/{name}" for name in needed}


@pytest.mark.parametrize(
    ("targets", "related"),
    [
        pytest.param(["production/database"], {"production/orders", "production/search", "production/shop"}, id="all"),
        pytest.param(
            ["production/orders"], {"production/shop", "production/database"}, id="both directions, no brother"
        ),
        pytest.param(["staging/orders"], {"staging/shop", "staging/preview", "staging/database"}, id="one environment"),
        pytest.param(
            ["production/orders", "production/shop"],
            {"production/search", "production/database"},
            id="the targets themselves are left out",
        ),
        pytest.param(["production/island"], set(), id="nothing is near an island"),
        pytest.param([], set(), id="nothing is near nothing"),
    ],
)
def test_related(targets: list[str], related: set[str]) -> None:
    """What needs a target, and what it needs; what only shares a dependency with it is not near."""
    assert SHOP.related(targets) == related


def test_what_does_not_run_in_an_environment_is_not_needed_there() -> None:
    """A dependency that only production has connects nothing in staging."""
    services = {
        "shop": service("orders"),
        "orders": service("database", environments=("production",)),
        "database": service(),
    }
    catalogue = Catalogue(services=services)
    assert catalogue.dependencies("production/shop") == {"production/orders", "production/database"}
    assert catalogue.dependencies("staging/shop") == set()


def test_owners_are_named_once() -> None:
    """Whoever owns two of the services stands once; a service that is not listed has no owner."""
    assert SHOP.owners(["shop", "search", "unlisted", "orders"]) == ("shop-team", "carol", "orders-team")


@pytest.mark.parametrize(
    ("services", "steps", "risk", "why"),
    [
        pytest.param(["orders"], [COMMAND], "low", "service orders", id="a service says its own"),
        pytest.param(["unlisted"], [COMMAND], "low", "any change", id="nothing is asked of what is not listed"),
        pytest.param(
            ["orders"], [COMMAND, BRANCH], "medium", "a change of configuration ('Merge')", id="just a number"
        ),
        pytest.param(["orders"], [CALL], "medium", "a change of configuration ('Call')", id="a call may configure"),
        pytest.param(["orders", "database"], [BRANCH], "high", "service database", id="the highest floor decides"),
        pytest.param(["search"], [BRANCH], "medium", "service search", id="of equal ones the first is named"),
    ],
)
def test_floor(services: list[str], steps: list[dict[str, Any]], risk: str, why: str) -> None:
    """The least risk comes with what asks for it."""
    floor = SHOP.floor(ticket(services=services, steps=steps))
    assert (floor.risk, floor.why) == (risk, why)


NAMES = [f"s{number}" for number in range(7)]


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Draw a catalogue without circles: a service needs only some that come after it."""
    return Catalogue(
        services={
            name: service(
                *draw(st.sets(st.sampled_from(NAMES[number + 1 :] or [name]), max_size=3)) - {name},
                environments=tuple(sorted(draw(st.sets(st.sampled_from(EVERYWHERE), min_size=1)))),
            )
            for number, name in enumerate(NAMES)
        }
    )


@given(catalogues())
def test_being_related_is_symmetric(catalogue: Catalogue) -> None:
    """What is near a target has that target near itself."""
    targets = [f"{place}/{name}" for name, service in catalogue.services.items() for place in service.environments]
    near = {target: catalogue.related([target]) for target in targets}
    for target, others in near.items():
        assert target not in others
        assert all(target in near[other] for other in others)


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=3), min_size=1))
def test_a_catalogue_is_refused_exactly_when_it_cannot_be_followed(needs: dict[str, set[str]]) -> None:
    """Whatever depends on whatever, a catalogue that was read has no circle and no loose end."""
    services = {
        name: {"owners": ["team"], "environments": ["production"], "depends_on": sorted(of)}
        for name, of in needs.items()
    }
    left = dict(needs)
    while ready := [name for name, of in left.items() if not of & set(left)]:
        left = {name: of for name, of in left.items() if name not in ready}
    is_sound = not left and all(of <= set(needs) for of in needs.values())
    try:
        Catalogue.model_validate({"services": services})
    except ValueError:
        assert not is_sound
    else:
        assert is_sound


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["orders", "block", "low"]),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from([*Catalogue.model_fields, *Service.model_fields, "orders"]), inside, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_no_value_anywhere_breaks_the_reader(tmp_path: Path, value: Any) -> None:
    """Whatever stands in the file, it is a catalogue or has findings."""
    path = tmp_path / "services.yaml"
    path.write_text(json.dumps(value))
    read = read_model(path, Catalogue)
    assert (read.model is None) == bool(read.findings)
    assert all(finding.line == 1 and finding.remedy.endswith((".", "?")) for finding in read.findings)
