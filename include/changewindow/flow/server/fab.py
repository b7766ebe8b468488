"""Airflow's FAB auth manager, as the policy has it: roles see changes of their services, names say who is asked."""

from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.providers.fab.auth_manager import fab_auth_manager
from airflow.providers.fab.auth_manager.models import User
from airflow.utils.session import NEW_SESSION, provide_session
from sqlalchemy.orm import Session

from changewindow import settings
from changewindow.errors import BadPolicy, LedgerDown
from changewindow.flow.runtime import ledger, log
from changewindow.ledger.events import is_id
from changewindow.ledger.queries import of_services
from changewindow.policy.kept import kept_catalogue
from changewindow.policy.sign_off import same_person


class FabAuthManager(fab_auth_manager.FabAuthManager):
    """Shows the changes of a service to its roles, and lets those act on them that may trigger runs at all.

    Policy and ledger are asked each time. The `access_control` of a DAG would do neither: it is written when the DAG is
    parsed, and a role that is not there any more would keep the change from running on, and from being rolled back.
    While policy or ledger cannot be read, FAB's own rights are all there are.
    """

    @provide_session
    def get_authorized_dag_ids(
        self, *, user: User, method: ResourceMethod = "GET", session: Session = NEW_SESSION
    ) -> set[str]:
        """Return the DAGs that somebody has a right to."""
        own: set[str] = super().get_authorized_dag_ids(user=user, method=method, session=session)
        return own | self._changes(method, user)

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Return whether somebody is among those who are asked; we name users, and FAB numbers them."""
        return any(same_person(name, str(user.get_name())) for name in assigned_users)

    def _is_authorized_dag(self, method: ResourceMethod, details: DagDetails | None, user: User) -> bool:
        if super()._is_authorized_dag(method, details, user):
            return True
        dag = (details and details.id) or ""
        return is_id(dag) and dag in self._changes(method, user, dag)

    def _is_authorized_list_dags(self, *, user: User) -> bool:
        return super()._is_authorized_list_dags(user=user) or bool(_services(user))

    def _changes(self, method: ResourceMethod, user: User, change: str = "") -> frozenset[str]:
        """Return the changes, or the one that is named, to which somebody has a right by the policy."""
        is_wanted = method == "GET" or (method == "PUT" and self._may_trigger(user))
        services = _services(user) if is_wanted else ()
        try:
            return of_services(ledger(), services, change) if services else frozenset()
        except LedgerDown as down:
            log.warning("roles see no changes of their services: %s", down)
            return frozenset()

    def _may_trigger(self, user: User) -> bool:
        may: bool = self.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, user=user)
        return may


def _services(user: User) -> tuple[str, ...]:
    """Return the services whose changes somebody may see, as the policy is now."""
    try:
        return kept_catalogue(settings.read().policy).shown_to(role.name for role in user.roles)
    except BadPolicy as bad:
        log.warning("roles see no changes of their services: %s", bad)
        return ()
