"""The step kubernetes_job, on a local API server whose containers are real programs."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import LockRevoked, StepFailed
from changewindow.steps.kubernetes_job import EXAMPLE, Step
from changewindow.systems.context import Context
from changewindow.systems.kubernetes import job
from changewindow.systems.kubernetes.cluster import Cluster
from servers.kubernetes import ApiServer, Trouble
from servers.kubernetes.shop import quota


def step(*command: str, **fields: Any) -> Step:
    """Return a step that runs a shell line, without the example's secret."""
    known = {key: value for key, value in EXAMPLE.items() if key not in {"kind", "secrets"}}
    return Step.model_validate({**known, "command": ["sh", "-c", *command], "undo": "nothing", **fields})


def test_the_log_comes_line_by_line_and_once(context: Context, logged: list[str], tmp_path: Path) -> None:
    """While the container still runs, and to the end; equal lines are all told."""
    gate = tmp_path / "gate"
    lines = f"echo first; echo same; echo same; until test -e {gate}; do sleep 0.05; done; echo last"
    context.log = lambda line: (logged.append(line), gate.touch() if line == "first" else None)  # type: ignore[assignment]
    example = step(lines)
    example.apply(context, example.remember(context))
    assert [line for line in logged if line in {"first", "same", "last"}] == ["first", "same", "same", "last"]


def test_whatever_it_prints_its_last_words_are_told(context: Context, logged: list[str]) -> None:
    """More within a second than is read at once, the bar of a progress, other ends of lines, and what is no text."""
    bars = r"printf '10 %%\r20 %%\rdone\f\302\205\034end\n'; printf '\377\000\n'"
    example = step(f"seq 100001 400000; {bars}; echo last words; exit 3")
    remembered = example.remember(context)
    with pytest.raises(StepFailed, match="Its output is in the log"):
        example.apply(context, remembered)
    assert [line for line in logged if line.isdigit()] == [str(number) for number in range(100001, 400001)]
    first = logged.index(r"10 %\u000d20 %\u000ddone\u000c\u0085\u001cend")
    assert logged[first + 1 : first + 3] == ["\ufffd\\u0000", "last words"]


def test_lines_that_are_too_many_for_a_moment_are_left_out_aloud(
    context: Context, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes later is told."""
    monkeypatch.setattr(job, "CHUNK", 100)
    monkeypatch.setattr(job, "MOST", 200)
    two_seconds = "now=$(date +%s); until [ $(date +%s) -gt $((now + 1)) ]; do sleep 0.05; done"
    example = step(f"seq 1 100; {two_seconds}; echo last words")
    example.apply(context, example.remember(context))
    assert logged.count("last words") == 1
    assert any("200 bytes of log" in line and "left out" in line for line in logged)


def test_a_container_that_fails_is_told(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """With its exit code; it is not started a second time."""
    example = step("echo no such table; exit 3")
    remembered = example.remember(context)
    with pytest.raises(StepFailed) as raised:
        example.apply(context, remembered)
    assert "container run: Error, exit code 3" in str(raised.value)
    assert "BackoffLimitExceeded: Job has reached the specified backoff limit" in str(raised.value)
    assert logged.count("no such table") == 1
    assert len(cluster.api.kubelet.programs) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": "cart:nope"}, 'ImagePullBackOff: Back-off pulling image "cart:nope"'),
        ({"secrets": {"A": "nowhere/key"}}, 'CreateContainerConfigError: secret "nowhere" not found'),
    ],
)
def test_a_container_that_cannot_start_is_told(
    cluster: ApiServer, context: Context, fields: dict[str, Any], message: str
) -> None:
    """The cluster ends the Job when its time is over, and the reason is kept."""
    cluster.images.missing.add("cart:nope")
    example = step("true", timeout="2s", **fields)
    with pytest.raises(StepFailed) as raised:
        example.apply(context, example.remember(context))
    assert message in str(raised.value)
    assert "DeadlineExceeded" in str(raised.value)


def test_a_quota_and_a_missing_volume_are_told(cluster: ApiServer, context: Context) -> None:
    """Both stand in events only."""
    cluster.images.without_volume.add("cart:stuck")
    stuck = step("true", timeout="2s", image="cart:stuck")
    with pytest.raises(StepFailed, match=r"FailedMount: .* DeadlineExceeded"):
        stuck.apply(context, stuck.remember(context))
    cluster.make(quota(3))
    example = step("true", timeout="2s")
    with pytest.raises(StepFailed, match=r"FailedCreate: .*exceeded quota: small, .* DeadlineExceeded"):
        example.apply(context, example.remember(context))


def test_undo_ends_what_still_runs_before_it_takes_it_back(
    cluster: ApiServer, context: Context, tmp_path: Path
) -> None:
    """A revoked apply leaves its container running; after undo it cannot write any more."""
    written, undone = tmp_path / "written", tmp_path / "undone"
    example = step(
        f"touch {written}; sleep 60; touch {written}", undo={"command": ["sh", "-c", f"rm {written}; touch {undone}"]}
    )
    remembered = example.remember(context)
    cluster.api.troubles.append(
        Trouble("^GET .*/log", do=lambda: written.exists() and context.stopped.set(), times=100)
    )
    with pytest.raises(LockRevoked):
        example.apply(context, remembered)
    cluster.api.troubles.clear()
    example.undo(Context("CHG-1042", 1, context.connections, context.log), remembered)
    assert (written.exists(), undone.exists()) == (False, True)
    assert [job["metadata"]["name"] for job in cluster.each("jobs.batch")] == [remembered["undo_job"]]


def test_undo_that_failed_is_run_again_and_one_that_succeeded_is_not(
    context: Context, tmp_path: Path, logged: list[str]
) -> None:
    """A retry starts a fresh container; a second undo starts none."""
    count, ready = tmp_path / "count", tmp_path / "ready"
    example = step("true", undo={"command": ["sh", "-c", f"echo x >> {count}; test -e {ready}"]})
    remembered = example.remember(context)
    example.apply(context, remembered)
    with pytest.raises(StepFailed, match="exit code 1"):
        example.undo(context, remembered)
    ready.touch()
    example.undo(context, remembered)
    example.undo(context, remembered)
    assert count.read_text() == "x\nx\n"
    assert any("has already succeeded" in line for line in logged)


def test_undo_without_an_apply_runs_nothing(cluster: ApiServer, context: Context, logged: list[str]) -> None:
    """There is no Job, and apply did not come to its end, so nothing ran."""
    example = step("true", undo={"command": ["true"]})
    context.apply_ended = "cut_short"
    example.undo(context, example.remember(context))
    assert cluster.each("jobs.batch") == []
    assert any(line.startswith("nothing to undo: jobs.batch 'chg-1042-1-") for line in logged)


def test_undo_of_a_job_that_somebody_has_cleaned_up(
    cluster: ApiServer, context: Context, tmp_path: Path, logged: list[str]
) -> None:
    """What ran to its end is undone, also when its Job is there no more: after a week, the cluster removes it."""
    undone = tmp_path / "undone"
    example = step("true", undo={"command": ["touch", str(undone)]})
    remembered = example.remember(context)
    example.apply(context, remembered)
    made = Cluster(context, example.connection)
    job = example._job(made, remembered["job"])
    made.delete(job, made.get(job))
    example.undo(context, remembered)
    assert undone.exists()
    assert any("is gone, but it ran to its end" in line for line in logged)


def test_an_answer_that_was_lost_does_not_run_it_twice(cluster: ApiServer, context: Context, tmp_path: Path) -> None:
    """The Job is created under a name of its own: the second try finds it."""
    count = tmp_path / "count"
    busy = {"status": 503, "message": "busy", "headers": {"Retry-After": "1"}}
    cluster.api.troubles.append(Trouble("^POST .*jobs", is_after=True, **busy))
    example = step(f"echo x >> {count}")
    example.apply(context, example.remember(context))
    assert count.read_text() == "x\n"


def test_what_is_missing_is_told(cluster: ApiServer, context: Context) -> None:
    """Rights, also the one to read logs, and the service account."""
    assert step("true").missing_prerequisites(context) == []
    (message,) = step("true", service_account="robot").missing_prerequisites(context)
    assert message.startswith("There is no serviceaccounts 'robot' in namespace shop.")
    cluster.api.denied |= {("get", "pods/log"), ("delete", "jobs.batch")}
    assert [
        message.partition(" may not ")[2].partition(". ")[0] for message in step("true").missing_prerequisites(context)
    ] == [
        "delete jobs.batch in namespace shop",
        "get pods/log in namespace shop",
    ]


def test_what_the_server_would_refuse_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """It tries both Jobs at the gate; what it says of both is told once."""
    message = (
        'jobs.batch "x" is forbidden: unable to create new content in namespace shop because it is being terminated'
    )
    cluster.api.troubles.append(Trouble("^POST .*dryRun=All", 403, message, times=2))
    refused = "The API server of connection 'example_cluster' refused to create jobs.batch in namespace shop (403)"
    example = step("true", undo={"command": ["true"]})
    assert example.missing_prerequisites(context) == [f"{refused}: {message}"]
    assert example.missing_prerequisites(context) == []
    assert cluster.each("jobs.batch") == []


def test_an_undo_that_runs_nothing_is_refused() -> None:
    """It would run whatever the image starts by itself."""
    with pytest.raises(ValidationError, match="undo runs nothing of its own"):
        step("true", undo={})
