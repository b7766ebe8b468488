"""Asks people in Airflow; what they are shown is data."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.triggers.base import BaseTrigger

from changewindow.changes.run_part import Part
from changewindow.flow.people import assigned
from changewindow.flow.runtime import now
from changewindow.flow.triggerer.arguments import QuestionArguments
from changewindow.flow.triggers import QuestionTrigger
from changewindow.flow.waiting import Waiting

Asks = tuple[str, Part]
"""A change, and what of it is asked about."""


class Question(Waiting, HITLOperator):
    """A question whose text Airflow shows as it is.

    Airflow's own operator renders `subject` and `body` as templates, with which a ticket could read every connection.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, options: list[str], **more: Any) -> None:
        super().__init__(subject="", options=options, **more)

    about: Asks | None = None
    """Of what change is asked, while there is still a point in it; the question disappears when there is none."""

    def ask(self, context: Context, subject: str, body: str, *, people: Sequence[str], within: timedelta) -> Any:
        """Show the question to those people, or to everybody when nobody is named, and wait without a worker."""
        self.subject = subject
        self.body = body
        self.assigned_users = assigned(people)
        self.response_timeout = within
        try:
            return super().execute(context)
        except TaskAwaitingInput:
            # Airflow would leave the question among the required actions until somebody answers it, in vain.
            trigger = self.pointless(context["task_instance"].id, now() + within)
            if trigger is None:
                raise
            self.wait_for(trigger, "execute_complete")

    def pointless(self, asks: UUID, deadline: datetime) -> BaseTrigger | None:
        """Return what fires once there is no point in the question any more; nothing if there always is."""
        if self.about is None:
            return None
        change, part = self.about
        return QuestionTrigger.of(QuestionArguments(change=change, part=part, asks=asks, deadline=deadline))
