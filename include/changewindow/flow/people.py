"""Whom Airflow lets answer a question, and what the question is about."""

from collections.abc import Iterable
from typing import Any

from airflow.sdk import conf

NOBODY = "unknown"
"""Who triggered a run that Airflow or housekeeping has started."""


def assigned(people: Iterable[str]) -> list[dict[str, str]] | None:
    """Return what makes Airflow's server refuse everybody else's answer; None lets everybody answer.

    Airflow compares ids. Only those of the SimpleAuthManager are user names, so under another auth manager everybody
    may click, and an answer that does not count is refused by us when it arrives.
    """
    names = list(people)
    has_names_for_ids = str(conf.get("core", "auth_manager")).endswith(".SimpleAuthManager")
    return [{"id": name, "name": name} for name in names] if names and has_names_for_ids else None


def who_answered(answer: Any) -> str:
    """Return the name of who answered a question, or an empty text."""
    return str((answer["responded_by_user"] or {}).get("name") or "")
