"""The pages, as Airflow's API server serves them: to whom Airflow knows, from its connection to the ledger."""

from functools import cache

from airflow.api_fastapi.app import API_ROOT_PATH

from changewindow.flow.runtime import ledger
from changewindow.flow.server.viewers import policy, policy_files, viewer, viewer_of
from changewindow.web.app import application
from changewindow.web.headers import Headers
from changewindow.web.visit import Surroundings


@cache
def pages() -> Headers:
    """Return the pages."""
    return application(Surroundings(viewer, ledger, policy, policy_files, API_ROOT_PATH, viewer_of=viewer_of))
