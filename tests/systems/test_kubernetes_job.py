"""What a Job that has ended, or has not, says about its pods."""

from typing import Any

import pytest

from changewindow.systems.kubernetes.job import deleted

DELETED = "pod restore-1 is deleted before its end, not by its Job"
GONE = "its pod is gone: it was deleted before its end, not by its Job"


def pod(**metadata: Any) -> dict[str, Any]:
    """Return a pod of the Job."""
    return {"metadata": {"name": "restore-1", **metadata}}


def job(at: str = "", reason: str = "BackoffLimitExceeded") -> dict[str, Any]:
    """Return a Job: one that runs, or that has failed."""
    ended = [
        {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": at}
        for kind in ("FailureTarget", "Failed")
    ]
    return {"status": {"conditions": ended if at else []}}


BY_SOMEBODY = pod(deletionTimestamp="2031-03-18T14:00:40Z", deletionGracePeriodSeconds=30)


@pytest.mark.parametrize(
    ("pods", "ended", "findings"),
    [
        pytest.param([pod()], job(), [], id="it runs"),
        pytest.param([BY_SOMEBODY], job(), [DELETED], id="its pod is deleted while it runs"),
        pytest.param([BY_SOMEBODY], job("2031-03-18T14:00:12Z"), [DELETED], id="the Job failed of that already"),
        pytest.param([], job("2031-03-18T14:00:12Z"), [GONE], id="the Job failed, and its pod is gone already"),
        pytest.param([BY_SOMEBODY], job("2031-03-18T14:00:10Z", "DeadlineExceeded"), [], id="the Job deletes it"),
        pytest.param([], job("2031-03-18T14:00:10Z", "DeadlineExceeded"), [], id="the Job has deleted it"),
        pytest.param([pod()], job("2031-03-18T14:00:10Z"), [], id="it failed by itself"),
    ],
)
def test_who_deleted_a_pod(pods: list[Any], ended: Any, findings: list[str]) -> None:
    """The reason is the same whichever is looked at first, the pod or the end of the Job."""
    assert deleted(pods, ended) == findings
