"""Who sends a request, as Airflow's own auth manager says."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import svcs
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.auth.tokens import JWTValidator
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.taskinstance import TaskInstance, uuid7
from airflow.utils.session import create_session
from fastapi import FastAPI
from sqlalchemy import insert, text

from airflow import settings
from changewindow.flow.server.asked import Person, Refused
from changewindow.flow.server.who import known_as, require_task

ROLES = {"viewer": (False, False), "user": (False, True), "op": (True, True), "admin": (True, True)}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_of_airflow_is_one_of_ours(role: str) -> None:
    """An auditor looks, a requester or approver acts, an operator changes what belongs to everybody."""
    user = SimpleAuthManagerUser(username="x", role=role.upper())
    assert known_as(user, SimpleAuthManager()) == Person("x", *ROLES[role])


@pytest.mark.parametrize("allowed", ["GET", "PUT", "POST"])
def test_a_dag_is_seen_by_who_may_read_or_change_it(allowed: str) -> None:
    """The auth manager is asked about this DAG."""

    class Manager(SimpleAuthManager):
        def is_authorized_dag(self, *, method: str, details: Any = None, **_rest: Any) -> bool:
            return method == allowed and details is not None and details.id == "CHG-1"

    person = known_as(SimpleAuthManagerUser(username="x", role="USER"), Manager())
    assert person.may_see("CHG-1") is (allowed != "POST")
    assert not person.may_see("CHG-2")


class Tokens:
    """Takes the id of a task for its token."""

    async def avalidated_claims(self, token: str, _required: Any) -> dict[str, Any]:
        """Return whose token it is."""
        return {"sub": str(UUID(token))}


@pytest.fixture(scope="module")
def watch() -> Iterator[UUID]:
    """Return the id of the task `watch` of a run of CHG-1, as Airflow's database knows it."""
    import_all_models()
    Base.metadata.create_all(settings.engine)
    identity = uuid7()
    row = {"id": identity, "dag_id": "CHG-1", "run_id": "run/1", "task_id": "watch", "map_index": -1}
    with create_session() as session:
        session.execute(text("PRAGMA foreign_keys=OFF"))
        session.execute(insert(TaskInstance.__table__).values(**row, pool="default_pool", pool_slots=1))
    yield identity
    Base.metadata.drop_all(settings.engine)


@pytest.mark.parametrize(
    ("path", "is_own", "is_allowed"),
    [
        pytest.param("CHG-1/run/1/watch/decided", True, True, id="its own"),
        pytest.param("CHG-1/run/1/watch/decided", False, False, id="of a task that nobody knows"),
        pytest.param("CHG-1/run/1/watch_2/decided", True, False, id="of a task with a longer name"),
        pytest.param("CHG-1/run/2/watch/decided", True, False, id="of another run"),
        pytest.param("CHG-2/run/1/watch/decided", True, False, id="of another change"),
        pytest.param("request_change/run/1/watch/decided", True, False, id="of another DAG of ours"),
        pytest.param("etl/run/1/watch/decided", True, True, id="of another DAG, which is Airflow's affair"),
    ],
)
async def test_a_task_writes_what_it_hands_over_itself(
    watch: UUID, path: str, *, is_own: bool, is_allowed: bool
) -> None:
    """Airflow lets each task write for every other one; of ours each writes its own."""
    app, tasks = FastAPI(), FastAPI()
    tasks.state.svcs_registry = svcs.Registry()
    tasks.state.svcs_registry.register_value(JWTValidator, Tokens())
    app.mount("/execution", tasks)
    token = str(watch if is_own else uuid7())
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "path": f"/execution/xcoms/{path}", "headers": headers, "app": app, "method": "POST"}
    if is_allowed:
        await require_task(scope)
        return
    with pytest.raises(Refused, match="only the task itself writes what it hands over") as refused:
        await require_task(scope)
    assert refused.value.status == 403
