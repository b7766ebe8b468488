"""The step http_call, against a local server."""

from typing import Any

import pytest

from changewindow.connection import Connection
from changewindow.context import Context
from changewindow.errors import StepFailed
from changewindow.steps.http_call import EXAMPLE, Step
from known import Told

STEP = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})


def context(url: str, **options: Any) -> Context:
    """Return what a step may use, with credentials."""
    known = Connection("example_service", "http", host=url, login="robot", password="secret")
    return Context("CHG-1", 1, lambda _: known, lambda _: None, **options)


def test_apply_and_undo_send_what_the_ticket_says(server: Told) -> None:
    """Both requests carry their body, and the credentials of the connection."""
    server.answers["/flags/banner"] = (204, "")
    here = context(server.url)
    STEP.apply(here, {})
    STEP.undo(here, {})
    assert [(method, path, body) for method, path, _, body in server.asked] == [
        ("PUT", "/flags/banner", '{"enabled": true}'),
        ("PUT", "/flags/banner", '{"enabled": false}'),
    ]
    assert all(headers["Authorization"].startswith("Basic ") for _, _, headers, _ in server.asked)


@pytest.mark.parametrize("status", [302, 400, 500])
def test_an_unexpected_status_fails_the_step(server: Told, status: int) -> None:
    """A redirect is not followed: it is not what was expected."""
    server.answers["/flags/banner"] = (status, "why")
    with pytest.raises(StepFailed, match=f"answered {status}, expected 200, 201, 202, 204: why"):
        STEP.apply(context(server.url), {})
    assert len(server.asked) == 1


def test_no_reply_fails_the_step() -> None:
    """Whether the request had its effect is unknown, so the change is taken back."""
    with pytest.raises(StepFailed, match="got no reply"):
        STEP.apply(context("http://127.0.0.1:1"), {})


def test_a_dry_run_sends_nothing(server: Told) -> None:
    """It only says what it would send."""
    STEP.apply(context(server.url, dry_run=True), {})
    assert server.asked == []
