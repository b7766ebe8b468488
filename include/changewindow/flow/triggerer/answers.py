"""Reads what somebody has answered to a question, where a trigger waits for it."""

from typing import Any
from uuid import UUID

from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail
from asgiref.sync import sync_to_async


async def answer_to(asks: UUID) -> dict[str, Any] | None:
    """Return the answer to the question of a task, as the task takes it; nothing while there is none."""
    answer = await sync_to_async(get_hitl_detail_content_detail)(ti_id=asks)
    if not answer.response_received or not answer.chosen_options:
        return None
    return {
        "chosen_options": list(answer.chosen_options),
        "params_input": answer.params_input or {},
        "responded_at": answer.responded_at,
        "responded_by_user": answer.responded_by_user and dict(answer.responded_by_user),
        "timedout": False,
    }
