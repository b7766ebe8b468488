"""Who sends a request, as Airflow's own auth manager says."""

import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

from changewindow.flow.server.asked import Person
from changewindow.flow.server.who import known_as

ROLES = {"viewer": (False, False), "user": (False, True), "op": (True, True), "admin": (True, True)}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_of_airflow_is_one_of_ours(role: str) -> None:
    """An auditor looks, a requester or approver acts, an operator changes what belongs to everybody."""
    user = SimpleAuthManagerUser(username="x", role=role.upper())
    assert known_as(user, SimpleAuthManager()) == Person("x", *ROLES[role])
