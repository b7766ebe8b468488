"""Users of Airflow without a log-in, for their calendar feeds."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

from changewindow.changes.viewer import NotLoggedIn
from changewindow.flow.server import feed_users, viewers
from changewindow.flow.server.feed_users import identity_of, user_known_as

Use = Callable[[Any], None]


@dataclass
class Account:
    """A user as another auth manager keeps them."""

    id: int
    is_active: bool = True
    name: str = "ann"

    def get_name(self) -> str:
        """Return what people call them."""
        return self.name


@dataclass
class Accounts:
    """An auth manager that looks its users up by what was serialized; more of them may stand in that."""

    users: dict[str, Account] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)

    def serialize_user(self, user: Account) -> dict[str, Any]:
        """Return what names a user."""
        return {"sub": str(user.id), **self.more}

    def deserialize_user(self, token: dict[str, Any]) -> Account:
        """Return the user, if there is one."""
        return self.users[token["sub"]]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return what chooses the auth manager."""

    def chosen(manager: Any) -> None:
        for module in (feed_users, viewers):
            monkeypatch.setattr(module, get_auth_manager.__name__, lambda: manager)

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "vera:viewer,alice:user")
    chosen(SimpleAuthManager())
    return chosen


def test_a_role_is_not_kept_but_looked_up(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's simple auth manager would believe the role of the log-in for ever."""
    identity = identity_of(SimpleAuthManagerUser(username="alice", role="ADMIN"))
    assert json.loads(identity) == {"manager": "SimpleAuthManager", "name": "alice", "sub": "alice"}
    assert user_known_as(identity) == SimpleAuthManagerUser(username="alice", role="user")
    viewer = viewers.viewer_of(identity)
    assert (viewer.name, viewer.sees_every_dag, viewer.may_act, viewer.identity) == ("alice", True, True, identity)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "alice:viewer")
    assert not viewers.viewer_of(identity).may_act


def test_whoever_is_listed_no_more_is_nobody(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though their feed is still in the ledger."""
    identity = identity_of(SimpleAuthManagerUser(username="alice", role="user"))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "vera:viewer")
    with pytest.raises(NotLoggedIn):
        user_known_as(identity)


def test_where_all_are_admins_only_the_one_without_a_name_is(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only as long as that is so."""
    everybody = identity_of(SimpleAuthManagerUser(username="Anonymous", role="ADMIN"))
    alice = identity_of(SimpleAuthManagerUser(username="alice", role="user"))
    with pytest.raises(NotLoggedIn):
        user_known_as(everybody)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    assert viewers.viewer_of(everybody).may_act
    with pytest.raises(NotLoggedIn):
        user_known_as(alice)


def test_another_auth_manager_is_asked_who_that_is(use: Use) -> None:
    """Each time; who is gone, or is not to log in any more, is nobody."""
    accounts = Accounts({"7": Account(7)})
    use(accounts)
    identity = identity_of(accounts.users["7"])  # type: ignore[arg-type]  it needs nothing else of a user
    assert user_known_as(identity) is accounts.users["7"]
    accounts.users["7"].is_active = False
    with pytest.raises(NotLoggedIn):
        user_known_as(identity)
    del accounts.users["7"]
    with pytest.raises(NotLoggedIn):
        user_known_as(identity)


def test_whoever_gets_the_number_of_somebody_who_is_gone_does_not_get_their_feed(use: Use) -> None:
    """Databases give the number of the user who was deleted last to the next one."""
    accounts = Accounts({"7": Account(7)})
    use(accounts)
    identity = identity_of(accounts.users["7"])  # type: ignore[arg-type]  same
    accounts.users["7"] = Account(7, name="bea")
    with pytest.raises(NotLoggedIn):
        user_known_as(identity)


def test_an_identity_without_a_name_is_nobodys(use: Use) -> None:
    """It is one of an earlier version."""
    use(Accounts({"7": Account(7)}))
    with pytest.raises(NotLoggedIn):
        user_known_as('{"manager":"Accounts","sub":"7"}')


def test_what_a_log_in_gave_is_never_kept(use: Use) -> None:
    """Groups would count for ever, and a token of another server is a secret: such users have no feed."""
    for name in ("groups", "access_token"):
        use(Accounts(more={name: "x"}))
        assert identity_of(Account(7)) == ""  # type: ignore[arg-type]  same


def test_whoever_has_no_name_has_no_feed(use: Use) -> None:
    """The pages are shown to them all the same."""
    use(Accounts())
    assert identity_of(object()) == ""  # type: ignore[arg-type]  same
    use(SimpleAuthManager())
    assert identity_of(SimpleAuthManagerUser(username="x" * 500, role="user")) == ""


def test_an_identity_is_that_of_one_auth_manager(use: Use) -> None:
    """Names of another one are those of other people."""
    identity = identity_of(SimpleAuthManagerUser(username="alice", role="user"))
    use(Accounts({"alice": Account(1)}))
    with pytest.raises(NotLoggedIn):
        user_known_as(identity)
