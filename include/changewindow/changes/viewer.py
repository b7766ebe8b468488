"""Who looks at a page, and what of Airflow they may see."""

from dataclasses import dataclass
from functools import cached_property

from changewindow.errors import ChangeError
from changewindow.ledger import events


class NotLoggedIn(ChangeError):
    """Nobody whom Airflow knows."""

    def __init__(self) -> None:
        super().__init__("You are not logged in to Airflow, or not any more. Log in, and open this page again.")


class NotForYou(ChangeError):
    """A page about DAGs that Airflow does not show to this user."""

    def __init__(self, page: str, dag: str) -> None:
        super().__init__(
            f"{page} needs the right to see the DAG {dag}. Ask whoever assigns roles in Airflow for that right."
        )


@dataclass(frozen=True)
class Viewer:
    """Somebody who is logged in to Airflow; a page asks its auth manager once, however much it shows."""

    name: str
    sees_every_dag: bool
    """Also those that are not there any more, or not yet."""
    dags: frozenset[str] = frozenset()
    """The ids of the DAGs they may see, where that is not every one."""
    may_act: bool = False
    """Whether they may trigger the DAGs that they see."""
    identity: str = ""
    """What identifies them to Airflow without a log-in; empty where its auth manager cannot say later who they are."""

    def may_see(self, dag: str) -> bool:
        """Return whether they may see a DAG; that of a change has the id of the change."""
        return self.sees_every_dag or dag in self.dags

    @cached_property
    def numbers(self) -> frozenset[int] | None:
        """Return the numbers of the changes that they may see; None means every change."""
        if self.sees_every_dag:
            return None
        return frozenset(events.number(dag) for dag in self.dags if events.is_id(dag))
