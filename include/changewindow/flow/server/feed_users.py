"""Says who a user of Airflow is without a log-in, for their calendar feed: where Airflow can say it anew each time.

What a user was given at a log-in, such as a role, a group or a token of another server, would hold for ever in a feed:
who loses it would go on seeing. So it is never kept, and users of auth managers that know nothing else have no feed.
"""

import json
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager, SimpleAuthManagerRole
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.configuration import conf

from changewindow.changes.viewer import NotLoggedIn
from changewindow.documents.canonical import canonical
from changewindow.flow.runtime import log

LONGEST = 500
"""What the ledger keeps of an identity."""
ANONYMOUS = "Anonymous"
"""Whom Airflow's simple auth manager calls everybody where all are admins."""


def identity_of(user: BaseUser) -> str:
    """Return what identifies a user; empty where the auth manager could not say later who that is.

    Their name belongs to it: a database gives the number of a user who was deleted to the next one.
    """
    manager = get_auth_manager()
    try:
        claims, name = manager.serialize_user(user), str(user.get_name())
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # somebody whom it lets in without a name
        log.warning("the user has no calendar feed: %r", error)
        return ""
    if isinstance(manager, SimpleAuthManager):
        claims = {"sub": claims["sub"]}  # the role is read from Airflow's configuration each time
    if set(claims) != {"sub"}:
        return ""
    identity = canonical({"manager": _name(manager), "name": name, **claims})
    return identity if len(identity) <= LONGEST else ""


def user_known_as(identity: str) -> BaseUser:
    """Return the user whom Airflow knows by this now.

    Raises:
        NotLoggedIn: it knows them no more, has deactivated them, or has another auth manager.
    """
    manager, claims = get_auth_manager(), json.loads(identity)
    name = claims.pop("name", "")
    if claims.pop("manager") != _name(manager):
        raise NotLoggedIn
    if isinstance(manager, SimpleAuthManager):
        return _simple(str(claims["sub"]))
    try:
        user: BaseUser = manager.deserialize_user(claims)
    except Exception as error:  # each auth manager has its own ways to say that there is no such user
        log.warning("the user of a calendar feed is not known: %r", error)
        raise NotLoggedIn from error
    if user.get_name() != name or not getattr(user, "is_active", True):
        raise NotLoggedIn
    return user


def _simple(name: str) -> BaseUser:
    """Return a user of the simple auth manager: it lists them with their roles, and believes whatever a log-in says."""
    if conf.getboolean("core", "simple_auth_manager_all_admins"):
        if name != ANONYMOUS:
            raise NotLoggedIn
        return SimpleAuthManagerUser(username=name, role=SimpleAuthManagerRole.ADMIN.name)
    users = [user for user in SimpleAuthManager.get_users() if user.username == name]
    if not users:
        raise NotLoggedIn
    return users[0]


def _name(manager: BaseAuthManager[Any]) -> str:
    return type(manager).__qualname__
