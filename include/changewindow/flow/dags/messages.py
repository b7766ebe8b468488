"""The DAG that keeps what is told true: it brings the messages of changes up to date, and posts what waits."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions.context import Context

from changewindow.flow.own_dag import MESSAGES, own_dag
from changewindow.flow.runtime import now
from changewindow.flow.triggerer.arguments import SendingArguments
from changewindow.flow.triggerer.sending_trigger import SendingTrigger
from changewindow.flow.waiting import Waiting
from changewindow.flow.weights import LAST
from changewindow.flow.xcoms import leave_note

DESCRIPTION = "Keeps the message of each change true, in Slack and elsewhere. One run is always open, for an hour."
HOUR = timedelta(hours=1)


class Send(Waiting):
    """Sends without a worker, for an hour."""

    def execute(self, context: Context) -> None:
        """Let the triggerer send."""
        self.wait_for(SendingTrigger.of(SendingArguments(until=now() + HOUR)), "sent")

    def sent(self, context: Context, event: dict[str, Any]) -> None:
        """Leave in the note of the run how that went."""
        leave_note(context, event["reason"])


def build_messages_dag() -> DAG:
    """Return the DAG `messages`."""
    with own_dag(MESSAGES, DESCRIPTION, every="@continuous", at_once=1, weight=LAST) as dag:
        Send(task_id="send", retries=1000)
    return dag
