"""Users of Airflow's FAB auth manager in its database, each with a role of the same name."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.models import DagModel, import_all_models
from airflow.models.base import Base
from airflow.models.dagbundle import DagBundleModel
from airflow.providers.fab.auth_manager.models import Action, Model, Permission, Resource, Role, User
from airflow.utils.session import create_session
from sqlalchemy import delete

from airflow import settings

Right = tuple[str, str]
"""What may be done to what."""


@contextmanager
def fab_users(dags: Collection[str], roles: Mapping[str, Collection[Right]]) -> Iterator[None]:
    """Let Airflow know these DAGs, and a user for each of the roles."""
    import_all_models()
    Base.metadata.create_all(settings.engine)
    Model.metadata.create_all(settings.engine)
    with create_session() as session:
        session.add(DagBundleModel(name="changes"))
        session.flush()
        session.add_all(DagModel(dag_id=dag, bundle_name="changes") for dag in dags)
        kept: dict[Any, Any] = {}
        for number, (role, rights) in enumerate(roles.items(), 1):
            permissions = [_permission(kept, *right) for right in rights]
            user = User(id=number, username=role, first_name=role, last_name="x", email=f"{number}@example.com")
            user.active, user.roles = True, [Role(name=role, permissions=permissions)]
            session.add(user)
    yield
    with create_session() as session:
        session.execute(delete(DagModel))
        session.execute(delete(DagBundleModel))
    Model.metadata.drop_all(settings.engine)


def _permission(kept: dict[Any, Any], action: str, resource: str) -> Permission:
    """Return a right, each of whose parts there is once."""

    def once(made: Callable[..., Any], name: str) -> Any:
        return kept.setdefault((made, name), made(name=name))

    right = (action, resource)
    if right not in kept:
        kept[right] = Permission(action=once(Action, action), resource=once(Resource, resource))
    known: Permission = kept[right]
    return known
