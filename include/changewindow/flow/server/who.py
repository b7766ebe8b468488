"""Says who sends a request, before a byte of its body is read."""

import asyncio
from typing import Any
from uuid import UUID

import svcs
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN, BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.tokens import JWTValidator
from airflow.api_fastapi.core_api.security import resolve_user_from_token
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import HTTPException
from sqlalchemy import select
from starlette._utils import get_route_path
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.types import Scope

from changewindow.flow.runtime import log
from changewindow.flow.server.asked import Person, Refused, ours

TASKS = "/execution"
HANDED_OVER = f"{TASKS}/xcoms/"


async def person_of(scope: Scope) -> Person:
    """Return who sends a request to Airflow's pages or API.

    Raises:
        Refused: nobody whom Airflow knows.
    """
    return known_as(await user_of(scope), get_auth_manager())


async def user_of(scope: Scope) -> BaseUser:
    """Return the user of Airflow who sends a request.

    Raises:
        Refused: nobody whom Airflow knows.
    """
    token = _bearer(scope) or HTTPConnection(scope).cookies.get(COOKIE_NAME_JWT_TOKEN)
    try:
        return await resolve_user_from_token(token)
    except HTTPException as error:
        raise Refused(error.status_code, str(error.detail)) from error
    except Exception as error:  # each auth manager has its own ways to refuse a token
        log.warning("a token was refused: %r", error)
        raise Refused(401, "Not authenticated") from error


def known_as(user: BaseUser, manager: BaseAuthManager[Any]) -> Person:
    """Return a user of Airflow as somebody who may look, act, or change what belongs to everybody."""
    return Person(
        str(user.get_name()),
        is_operator=manager.is_authorized_pool(method="PUT", user=user),
        may_act=manager.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, user=user),
        may_see=lambda dag: _may_see(user, manager, dag),
    )


def _may_see(user: BaseUser, manager: BaseAuthManager[Any], dag: str) -> bool:
    details = DagDetails(id=dag)
    return any(manager.is_authorized_dag(method=method, details=details, user=user) for method in ("GET", "PUT"))


async def require_task(scope: Scope) -> None:
    """Let a request through that a task of Airflow sends; what tasks of ours hand over, only the task itself writes.

    Raises:
        Refused: it carries no token of a task, or that of another one.
    """
    token = _bearer(scope)
    if not token:
        raise Refused(401, "Missing auth token")
    mounted = (route.app for route in scope["app"].routes if isinstance(route, Mount) and route.path == TASKS)
    tasks: Any = next(mounted)
    async with svcs.Container(tasks.state.svcs_registry) as services:
        validator = await services.aget(JWTValidator)
        try:
            claims = await validator.avalidated_claims(token, {})
        except Exception as error:
            raise Refused(403, "Invalid auth token") from error
    path = get_route_path(scope)
    handed_over = path.removeprefix(HANDED_OVER)
    if handed_over != path and ours([handed_over.partition("/")[0]]):
        await asyncio.to_thread(_require_own, handed_over, UUID(claims["sub"]))


def _require_own(path: str, task: UUID) -> None:
    """Airflow lets each task write what any other one hands over; for ours, each writes its own."""
    own = select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id).where(TaskInstance.id == task)
    with create_session() as session:
        row = session.execute(own).one_or_none()
    if row is None or not path.startswith("/".join((*row, ""))):
        raise Refused(403, f"{path}: only the task itself writes what it hands over.")


def _bearer(scope: Scope) -> str:
    scheme, _, token = HTTPConnection(scope).headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
