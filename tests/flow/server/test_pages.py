"""Who may see what, as Airflow's own auth managers say: by the token of the request, on every page that there is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.api_fastapi.app import _AuthManagerState
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN, BaseAuthManager
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.utils.session import create_session
from starlette.testclient import TestClient

from changewindow.cli.standalone import ROOT
from changewindow.flow.server.viewers import viewer
from changewindow.policy.load import load_policy
from changewindow.web.app import application
from changewindow.web.visit import Surroundings
from support import busy, every_page
from support.changes import NOW
from support.fab_users import fab_users

MOST = 3
"""Questions to the auth manager for one page."""
DAGS = {*busy.STATES.values(), *(path.stem for path in (ROOT / "dags").glob("*.py"))}
SHOWN = "CHG-1001"
OF_ANOTHER_SERVICE = "CHG-1003"
READS, EDITS, TRIGGERS = ("can_read", "DAGs"), ("can_edit", "DAGs"), ("can_create", "DAG Runs")
FAB_ROLES = {
    "viewer": [READS],
    "user": [READS, EDITS, TRIGGERS],
    "one change": [("can_read", f"DAG:{SHOWN}")],
    "a change of another service": [("can_read", f"DAG:{OF_ANOTHER_SERVICE}")],
    "nothing": [],
}
SIMPLE_ROLES = ("viewer", "user", "op", "admin")


class Counted:
    """An auth manager that counts what it is asked; what it asks itself is its own affair."""

    def __init__(self, manager: BaseAuthManager[Any]) -> None:
        self.manager, self.asked = manager, 0

    def __getattr__(self, name: str) -> Any:
        """Return what the manager has, and count questions."""
        had = getattr(self.manager, name)
        if not name.startswith(("is_authorized_", "get_authorized_", "filter_authorized_", "batch_is_authorized_")):
            return had

        def counted(*given: Any, **named: Any) -> Any:
            self.asked += 1
            return had(*given, **named)

        return counted


@dataclass
class Gate:
    """The pages of a busy week behind an auth manager."""

    manager: Counted
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, role: str | None) -> tuple[int, str]:
        """Return status and text of an answer to somebody with a role, or to nobody."""
        self.manager.asked = 0
        cookies = {COOKIE_NAME_JWT_TOKEN: self.tokens[role]} if role else {}
        answer = self.client.get(f"/{path}", headers={"Cookie": ";".join(f"{k}={v}" for k, v in cookies.items())})
        return answer.status_code, answer.text


@pytest.fixture(scope="module")
def _database() -> Iterator[None]:
    """Let Airflow know the DAGs of the changes, and who may see which."""
    with fab_users(DAGS, FAB_ROLES):
        yield


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Callable[[BaseAuthManager[Any]], Gate]:
    """Return what puts the pages of a busy week behind an auth manager."""
    ledger = busy.week_in(tmp_path_factory.mktemp("week"))
    files = (ROOT / "include/policy", ROOT / "include/templates")
    around = Surroundings(
        viewer, lambda: ledger, lambda: load_policy(*files), policy_files=lambda: files, airflow="/", now=lambda: NOW
    )
    client = TestClient(application(around), raise_server_exceptions=False)

    def behind(manager: BaseAuthManager[Any]) -> Gate:
        return Gate(Counted(manager), client)

    return behind


@pytest.fixture
def fab(week: Callable[[Any], Gate], _database: None, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Put them behind the manager that knows rights to single DAGs."""
    gate = week(FabAuthManager())
    monkeypatch.setattr(_AuthManagerState, "instance", gate.manager)
    with create_session() as session:
        gate.tokens = {user.username: gate.manager.generate_jwt(user) for user in session.query(User)}
    return gate


@pytest.fixture
def simple(week: Callable[[Any], Gate], _database: None, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Put them behind the manager of the embedded default."""
    gate = week(SimpleAuthManager())
    monkeypatch.setattr(_AuthManagerState, "instance", gate.manager)
    gate.tokens = {
        role: gate.manager.generate_jwt(SimpleAuthManagerUser(username=role, role=role.upper()))
        for role in SIMPLE_ROLES
    }
    return gate


EVERY = every_page.addresses()


@pytest.mark.parametrize("manager", ["simple", "fab"])
def test_nobody_sees_a_page(request: pytest.FixtureRequest, manager: str) -> None:
    """Without a token, and with one that somebody has made up; the auth manager is not even asked."""
    gate: Gate = request.getfixturevalue(manager)
    gate.tokens["a forger"] = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
    answers = {(path, role): gate.get(path, role)[0] for path in EVERY for role in (None, "a forger")}
    assert set(answers.values()) == {401}
    assert gate.manager.asked == 0


@pytest.mark.parametrize("role", SIMPLE_ROLES)
def test_every_role_of_the_embedded_default_sees_every_change(simple: Gate, role: str) -> None:
    """Viewers look; who may act is shown the forms; the auth manager is asked thrice at most."""
    for path in EVERY:
        status, _text = simple.get(path, role)
        assert status == 200, path
        assert simple.manager.asked <= MOST, path


@pytest.mark.parametrize("role", FAB_ROLES)
def test_no_role_makes_pages_ask_more(fab: Gate, role: str) -> None:
    """However many changes there are and however few of them are shown: each page asks the same three questions."""
    for path in EVERY:
        status, _text = fab.get(path, role)
        assert status in {200, 403, 404}, path
        assert fab.manager.asked <= MOST, path


@pytest.mark.parametrize(
    ("role", "shown"),
    [("one change", {SHOWN}), ("a change of another service", {OF_ANOTHER_SERVICE}), ("nothing", set())],
)
def test_whoever_may_see_one_change_sees_no_other(fab: Gate, role: str, shown: set[str]) -> None:
    """On no page: neither its name, nor what it is about."""
    for path in EVERY:
        _status, text = fab.get(path, role)
        named = {change for change in busy.STATES.values() if change in text and change not in path}
        assert named <= shown, path


@pytest.mark.parametrize("path", [path for path in every_page.routes() if "{change}" in path])
def test_the_page_of_a_change_is_shown_to_whoever_may_see_its_dag(fab: Gate, path: str) -> None:
    """To others it does not exist."""
    statuses = {
        role: [fab.get(every_page.filled(path, change=change), role)[0] for change in (SHOWN, OF_ANOTHER_SERVICE)]
        for role in ("viewer", "one change", "a change of another service", "nothing")
    }
    assert statuses == {
        "viewer": [200, 200],
        "one change": [200, 404],
        "a change of another service": [404, 200],
        "nothing": [404, 404],
    }
