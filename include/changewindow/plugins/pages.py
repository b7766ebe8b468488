"""The pages, as Airflow's API server serves them: to whom Airflow knows, from its connection to the ledger."""

from functools import cache
from pathlib import Path

from airflow.api_fastapi.app import API_ROOT_PATH

from changewindow import settings
from changewindow.flow.runtime import ledger
from changewindow.flow.server.viewers import viewer, viewer_of
from changewindow.policy.kept import kept_policy
from changewindow.policy.model import Policy
from changewindow.web.app import application
from changewindow.web.headers import Headers
from changewindow.web.visit import Surroundings


@cache
def pages() -> Headers:
    """Return the pages."""
    return application(Surroundings(viewer, ledger, policy, policy_files, API_ROOT_PATH, viewer_of=viewer_of))


def policy() -> Policy:
    """Return the policy as its files are now.

    Raises:
        BadPolicy: it cannot be read.
    """
    return kept_policy(*policy_files())


def policy_files() -> tuple[Path, Path]:
    """Return the folders of the policy and of the standard changes."""
    places = settings.read()
    return places.policy, places.templates
