"""The roles to which the policy shows the changes of a service, as Airflow's own checks see them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from airflow.api_fastapi.app import _AuthManagerState
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.providers.fab.auth_manager.models import User
from airflow.utils.session import create_session
from sqlalchemy import select

from changewindow.changes.viewer import NotLoggedIn
from changewindow.cli.standalone import ROOT
from changewindow.flow.people import assigned
from changewindow.flow.server.fab import FabAuthManager
from changewindow.flow.server.viewers import _sight
from changewindow.flow.server.who import known_as
from changewindow.ledger.database import Ledger
from changewindow.ledger.queries import of_services
from support import busy
from support.fab_users import fab_users

OF_CATALOGUE = busy.STATES["approved"]
WAITING = busy.STATES["submitted"]
"""A change of orders that is not approved: there is no DAG of it yet."""
RUNS = [("can_read", "DAG Runs"), ("can_create", "DAG Runs")]
ABORTS = [("can_read", "DAG:abort_change"), ("can_edit", "DAG:abort_change")]
ROLES = {
    "catalogue looks": RUNS[:1],
    "catalogue acts": RUNS + ABORTS,
    "orders": RUNS,
    "of no service": RUNS,
}
SEEN = {"catalogue looks": ("catalogue",), "catalogue acts": ("catalogue",), "orders": ("orders",)}
RUN = DagAccessEntity.RUN
Users = dict[str, User]


@pytest.fixture(scope="module")
def users() -> Iterator[Users]:
    """Let Airflow know a user of each role, and every change that has a DAG."""
    with fab_users({*busy.STATES.values(), "abort_change"} - {WAITING}, ROLES):
        with create_session() as session:
            known = {user.username: user for user in session.scalars(select(User))}
            assert all(user.perms for user in known.values())  # read while there is a session
        yield known


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Return the ledger of a busy week."""
    return busy.week_in(tmp_path_factory.mktemp("week"))


@pytest.fixture
def policy(tmp_path: Path, week: Ledger, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the policy name the roles, and return its services."""
    shutil.copytree(ROOT / "include/policy", tmp_path / "policy")
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(tmp_path / "policy"))
    known = {"conn_type": "sqlite", "host": week.url.database}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(known))
    path = tmp_path / "policy/services.yaml"
    services = yaml.safe_load(path.read_text())
    for service, listed in services["services"].items():
        listed["roles"] = [*(role for role, seen in SEEN.items() if service in seen), "A role that there is not"]
    path.write_text(yaml.safe_dump(services))
    return path


@pytest.fixture
def manager(policy: Path, users: Users, monkeypatch: pytest.MonkeyPatch) -> FabAuthManager:
    """Return the auth manager, as Airflow has it."""
    made = FabAuthManager()
    monkeypatch.setattr(_AuthManagerState, "instance", made)
    return made


def may(
    manager: FabAuthManager, user: User, method: ResourceMethod, dag: str, *, entity: DagAccessEntity | None = None
) -> bool:
    """Return whether Airflow lets a user do this to a DAG, or to what it has."""
    answer: bool = manager.is_authorized_dag(method=method, access_entity=entity, details=DagDetails(id=dag), user=user)
    return answer


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_the_changes_of_its_services_alone(
    manager: FabAuthManager, users: Users, week: Ledger, role: str
) -> None:
    """In lists and one by one, also those of which there is no DAG yet."""
    services = SEEN.get(role, ())
    theirs = of_services(week, services)
    assert manager.get_authorized_dag_ids(user=users[role]) - {"abort_change"} == theirs
    looked_at = {dag for dag in busy.STATES.values() if may(manager, users[role], "GET", dag)}
    runs = {dag for dag in busy.STATES.values() if may(manager, users[role], "GET", dag, entity=RUN)}
    assert looked_at == runs == theirs & set(busy.STATES.values())
    assert manager.is_authorized_dag(method="GET", access_entity=RUN, user=users[role]) is bool(services)
    assert not may(manager, users[role], "GET", "CHG-0")  # nobody takes them for one who sees every DAG


def test_the_change_of_one_service_is_in_the_one_list_and_not_in_the_other(week: Ledger) -> None:
    """By what its newest text touches."""
    assert OF_CATALOGUE in of_services(week, ["catalogue"])
    assert WAITING in of_services(week, ["orders"])
    assert not of_services(week, ["catalogue"]) & of_services(week, ["orders"])
    assert not of_services(week, ["alogue", "cat%", ""])
    assert not of_services(week, [])


def test_only_who_may_trigger_runs_at_all_acts(manager: FabAuthManager, users: Users) -> None:
    """And nobody deletes a change for being of its service, or pauses one of another."""
    wanted: list[tuple[ResourceMethod, str, DagAccessEntity | None]] = [
        ("POST", OF_CATALOGUE, RUN),
        ("PUT", OF_CATALOGUE, None),
        ("DELETE", OF_CATALOGUE, None),
        ("POST", WAITING, RUN),
        ("PUT", WAITING, None),
    ]
    acts = {
        role: [may(manager, user, method, dag, entity=entity) for method, dag, entity in wanted]
        for role, user in users.items()
    }
    assert acts == {
        "catalogue looks": [False, False, False, False, False],
        "catalogue acts": [True, True, False, False, False],
        "orders": [False, False, False, True, True],
        "of no service": [False, False, False, False, False],
    }


def test_who_is_asked_is_known_by_name(manager: FabAuthManager, users: Users) -> None:
    """As the policy writes it, and not by the number that FAB has for them."""
    user = users["orders"]
    assert manager.is_authorized_hitl_task(assigned_users={"bob", "Orders"}, user=user)
    assert not manager.is_authorized_hitl_task(assigned_users={"bob", user.get_id()}, user=user)


@pytest.mark.parametrize(
    ("used", "is_by_name"),
    [
        (f"{FabAuthManager.__module__}.{FabAuthManager.__qualname__}", True),
        ("airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager", True),
        ("airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager", False),
    ],
)
def test_who_is_asked_is_named_where_names_count(
    monkeypatch: pytest.MonkeyPatch, used: str, *, is_by_name: bool
) -> None:
    """Elsewhere nobody at all could answer."""
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", used)
    assert assigned(["bob"]) == ([{"id": "bob", "name": "bob"}] if is_by_name else None)


def test_pages_and_door_ask_the_same(manager: FabAuthManager, users: Users) -> None:
    """Of somebody who looks at a page or reads a feed, and of somebody who writes."""
    user = users["catalogue acts"]
    viewer, person = _sight(user), known_as(user, manager)
    assert (viewer.sees_every_dag, viewer.may_act) == (False, True)
    for may_see in (viewer.may_see, person.may_see):
        assert [may_see(dag) for dag in (OF_CATALOGUE, WAITING, "abort_change")] == [True, False, True]


def test_whoever_was_deleted_a_moment_ago_is_nobody(manager: FabAuthManager, users: Users) -> None:
    """FAB knows a user for half a minute after it looked them up, and cannot say any more what they may see."""
    with pytest.raises(NotLoggedIn):
        _sight(User(id=4711, username="gone", first_name="", last_name="", email="", roles=[]))


def test_the_policy_decides_anew_each_time(manager: FabAuthManager, users: Users, policy: Path) -> None:
    """Who is taken out sees nothing more at once; while the file cannot be read, nobody sees by it."""
    user = users["catalogue acts"]
    services = policy.read_text()
    assert may(manager, user, "GET", OF_CATALOGUE)
    policy.write_text(services.replace("catalogue acts", "others"))
    assert not may(manager, user, "GET", OF_CATALOGUE)
    policy.write_text("services: [")
    assert manager.get_authorized_dag_ids(user=user) == {"abort_change"}
    policy.write_text(services)
    assert may(manager, user, "GET", OF_CATALOGUE)


def test_without_the_ledger_only_the_rights_of_fab_are_left(
    manager: FabAuthManager, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow goes on answering."""
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps({"conn_type": "sqlite", "host": "/none/l.db"}))
    assert manager.get_authorized_dag_ids(user=users["catalogue acts"]) == {"abort_change"}
    assert not may(manager, users["catalogue acts"], "GET", OF_CATALOGUE)
    assert may(manager, users["catalogue acts"], "GET", "abort_change")
