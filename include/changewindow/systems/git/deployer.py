"""Waits until a deployer reports that it has deployed a commit."""

import re
from datetime import timedelta

from pydantic import Field

from changewindow.documents.types import ConnectionName, Model
from changewindow.errors import StepFailed
from changewindow.systems import authorization
from changewindow.systems.context import Context
from changewindow.systems.git.clone import Clone
from changewindow.systems.http import json_path

COMMIT = "[0-9a-f]{7,64}"
"""A full or abbreviated commit id; a name such as HEAD would not tell what is deployed."""


class Deployed(Model):
    """Where a deployer reports which commit it has deployed, like Argo CD's `status.sync.revision`."""

    connection: ConnectionName
    """The Airflow Connection (type `http`) of the deployer; extra `header` and `scheme` as for `feature_flag`."""
    path: str = Field(pattern="^/")
    json_path: str = Field(alias="json", min_length=1)
    """Where the commit stands in the JSON reply."""

    def wait(self, clone: Clone, commit: str, *, within: timedelta) -> None:
        """Wait until the commit, or a later one that contains it, is reported.

        Raises:
            StepFailed: it was not, in time.
        """
        latest = ""

        def is_reported() -> bool:
            nonlocal latest
            before, latest = latest, self.reported(clone.context)
            if commit.startswith(latest):
                return True
            return latest != before and clone.contains(commit, in_commit=latest)

        expected = f"{self.connection} reports commit {commit[:12]} at {self.json_path} of {self.path}"
        try:
            clone.context.until(expected, is_reported, within=within)
        except StepFailed as error:
            raise StepFailed(f"{error} It reports {latest or 'nothing'}. See in the deployer why.") from error

    def reported(self, context: Context) -> str:
        """Return the commit that is reported now, or why there is none."""
        try:
            reply = context.ask(self.connection, self.path, authorization.headers(context.connection(self.connection)))
            if not 200 <= reply.status < 300:
                return f"nothing (status {reply.status})"
            commit = str(json_path.at(json_path.parsed(reply.text), self.json_path))
        except (StepFailed, LookupError) as error:
            return f"nothing ({error})"
        return commit if re.fullmatch(COMMIT, commit) else f"nothing ({commit[:80]!r} is no commit)"
