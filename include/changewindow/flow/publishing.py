"""Publishes a change: only what Airflow reads as data, and what its DAG can be built and serialized from."""

from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from changewindow import settings
from changewindow.changes.publication import publish
from changewindow.documents.text import spoken
from changewindow.flow.bundle import require_bundle
from changewindow.flow.dag import dag_of
from changewindow.flow.runtime import ledger
from changewindow.ledger import changes
from changewindow.ticket.revision import PublishedChange

KEPT = ("completed", "rollback_failed")
"""States from which a change may still be rolled back, for which its file has to be there."""


def publish_change(change: str) -> str:
    """Write the newest text of an approved change into the bundle; return the path.

    Raises:
        AirflowFailException: it is not approved.
        PlatformError: Airflow would not read it as data.
    """
    here = ledger()
    stored, data = changes.get(here, change), changes.revision(here, change)
    if stored.status not in {"approved", "refused", "running", *KEPT}:
        raise AirflowFailException(f"{change} is {spoken(stored.status)}; only an approved change is published.")
    DagSerialization.to_dict(require_publishable(PublishedChange.of(change, data)))
    return str(publish(settings.read().published, change, data, here.seal))


def require_publishable(change: PublishedChange) -> DAG:
    """Return the DAG of a change, before it acts: what Airflow cannot serialize is found when it is published.

    Raises:
        PlatformError: Airflow would not read it as data.
    """
    require_bundle()
    return dag_of(change)
