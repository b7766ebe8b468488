"""Whom Airflow lets answer a question, and what the question is about."""

from collections.abc import Iterable
from typing import Any

from airflow.sdk import conf

from changewindow.policy.sign_off import same_person

NOBODY = "unknown"
"""Who triggered a run that Airflow or housekeeping has started."""
SIMPLE, FAB = ".SimpleAuthManager", "changewindow.flow.server.fab.FabAuthManager"
BY_NAME = (SIMPLE, FAB)
"""Auth managers that know by their names who is asked."""
OPERATORS = {"op", "admin"}
"""Roles of Airflow that make an operator."""


def assigned(people: Iterable[str]) -> list[dict[str, str]] | None:
    """Return what makes Airflow's server refuse everybody else's answer; None lets everybody answer.

    Airflow compares ids. Those of the SimpleAuthManager are user names, and our FabAuthManager compares names. Under
    another auth manager everybody may click, and an answer that does not count is refused by us when it arrives.
    """
    names = list(people)
    return [{"id": name, "name": name} for name in names] if names and is_told_names() else None


def is_told_names() -> bool:
    """Return whether Airflow can be told by their names who is asked."""
    return str(conf.get("core", "auth_manager")).endswith(BY_NAME)


def has_listed_roles() -> bool:
    """Return whether Airflow lists the roles of its users where tasks can read them: SimpleAuthManager's do so."""
    return str(conf.get("core", "auth_manager")).endswith(SIMPLE)


def is_listed_operator(person: str) -> bool:
    """Return whether Airflow's list of users makes somebody an operator; other auth managers have no list for us."""
    if not has_listed_roles():
        return False
    users = (user.split(":") for user in conf.getlist("core", "simple_auth_manager_users"))
    is_everybody = conf.getboolean("core", "simple_auth_manager_all_admins")
    return is_everybody or any(same_person(name, person) and role in OPERATORS for name, role, *_ in users)


def who_answered(answer: Any) -> str:
    """Return the name of who answered a question, or an empty text."""
    return str((answer["responded_by_user"] or {}).get("name") or "")
