"""Who looks at a page, by Airflow's log-in and its auth manager."""

import asyncio

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from sqlalchemy.exc import NoResultFound
from starlette.types import Scope

from changewindow.changes.viewer import NotLoggedIn, Viewer
from changewindow.flow.server.asked import Refused
from changewindow.flow.server.feed_users import identity_of, user_known_as
from changewindow.flow.server.who import user_of

NO_DAG = "CHG-0"
"""No change has this id, so whoever may see this DAG may see every DAG."""


async def viewer(scope: Scope) -> Viewer:
    """Return who sends a request.

    Raises:
        NotLoggedIn: nobody whom Airflow knows.
    """
    try:
        user = await user_of(scope)
    except Refused as refused:
        raise NotLoggedIn from refused
    return await asyncio.to_thread(_sight, user)


def viewer_of(identity: str) -> Viewer:
    """Return what somebody may see now, by what identifies them without a log-in.

    Raises:
        NotLoggedIn: Airflow knows them no more.
    """
    return _sight(user_known_as(identity))


def _sight(user: BaseUser) -> Viewer:
    """Return what a user may see; the auth manager is asked three times at most, for it may be a server far away.

    Raises:
        NotLoggedIn: they were deleted since the auth manager has looked them up.
    """
    manager = get_auth_manager()
    every = manager.is_authorized_dag(method="GET", details=DagDetails(id=NO_DAG), user=user)
    try:
        dags = frozenset() if every else frozenset(manager.get_authorized_dag_ids(user=user))
    except NoResultFound as error:
        raise NotLoggedIn from error
    return Viewer(
        str(user.get_name()),
        sees_every_dag=every,
        dags=dags,
        may_act=manager.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, user=user),
        identity=identity_of(user),
    )
