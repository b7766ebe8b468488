"""Asks people in Airflow; what they are shown is data."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.definitions.context import Context

from changewindow.flow.people import assigned


class Question(HITLOperator):
    """A question whose text Airflow shows as it is.

    Airflow's own operator renders `subject` and `body` as templates, with which a ticket could read every connection.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, options: list[str], **more: Any) -> None:
        super().__init__(subject="", options=options, **more)

    def ask(self, context: Context, subject: str, body: str, *, people: Sequence[str], within: timedelta) -> Any:
        """Show the question to those people, or to everybody when nobody is named, and wait without a worker."""
        self.subject = subject
        self.body = body
        self.assigned_users = assigned(people)
        self.response_timeout = within
        return super().execute(context)
