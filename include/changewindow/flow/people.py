"""Whom Airflow lets answer a question, and what the question is about."""

from collections.abc import Iterable
from typing import Any

from airflow.sdk import conf
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import F, parsed


def assigned(people: Iterable[str]) -> list[dict[str, str]] | None:
    """Return what makes Airflow's server refuse everybody else's answer; None lets everybody answer.

    Airflow compares ids. Only those of the SimpleAuthManager are user names, so under another auth manager everybody
    may click, and an answer that does not count is refused by us when it arrives.
    """
    names = list(people)
    has_names_for_ids = str(conf.get("core", "auth_manager")).endswith(".SimpleAuthManager")
    return [{"id": name, "name": name} for name in names] if names and has_names_for_ids else None


def result_of_check(context: Context, fact: type[F]) -> F:
    """Return what the task `check` of this run has found out, which is what people are asked about.

    Raises:
        AirflowFailException: it cannot be read; any user may have edited it.
    """
    try:
        return parsed(fact, context["ti"].xcom_pull(task_ids="check"))
    except ValueError as error:
        raise AirflowFailException(f"The XCom of `check` cannot be read ({error}). Ask again in a new run.") from error


def who_answered(answer: Any) -> str:
    """Return the name of who answered a question, or an empty text."""
    return str((answer["responded_by_user"] or {}).get("name") or "")
