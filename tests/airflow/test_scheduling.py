"""Never late, never outside, never two at once, and ended when a person says so: on a real Airflow."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from changewindow.cli.airflow_api import ENDED, wait_for
from changewindow.cli.standalone import Place
from changewindow.ledger import changes, events, leases
from changewindow.ledger.payloads import ExtensionRefused
from support.real_airflow import HEALTH, Probe, RealAirflow, acts, ticket, window


@pytest.mark.xdist_group("the calendar")
def test_a_freeze_added_after_scheduling_still_blocks(airflow: RealAirflow, tmp_path: Path) -> None:
    """The gate asks the calendar as it is now; once the freeze is gone, the same approval may be tried again."""
    airflow.freeze("frozen")
    try:
        change = airflow.publish(ticket(tmp_path / "frozen"))
        assert airflow.ends(change, airflow.run_of(change)) == ("failed", "refused")
        assert "the freeze 'freeze of frozen' holds" in changes.get(airflow.ledger, change).reason
    finally:
        airflow.thaw()
    again = airflow.alice.trigger(change)
    assert airflow.ends(change, again) == ("success", "completed")


@pytest.mark.xdist_group("the calendar")
def test_a_future_freeze_does_not_block_today(airflow: RealAirflow, tmp_path: Path) -> None:
    """Only what meets the time the change needs stands in its way."""
    airflow.freeze("tomorrow", begins=timedelta(hours=3))
    try:
        change = airflow.publish(ticket(tmp_path / "tomorrow"))
        assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    finally:
        airflow.thaw()


@pytest.mark.xdist_group("the calendar")
def test_a_freeze_between_apply_and_watch_strands_nothing(airflow: RealAirflow, tmp_path: Path) -> None:
    """The next step is refused and the first one undone; what is fully applied is watched to its end."""
    journal, whole, go_on = tmp_path / "between", tmp_path / "whole_watch", tmp_path / "go_on"
    data = ticket(journal, steps=2)
    first = data["steps"][0]
    first["run"] = ["sh", "-c", '"$@" && until test -e "$0"; do sleep 0.1; done', str(go_on), *first["run"]]
    change, watched = airflow.publish(data), airflow.publish(ticket(whole, watch="12s"))
    run, other = airflow.run_of(change), airflow.run_of(watched)
    wait_for(lambda: acts(journal) == ["apply_1"], "the first step")
    airflow.reaches(watched, other, "watch", "deferred")
    airflow.freeze("between")
    airflow.freeze("whole-watch")
    go_on.touch()
    try:
        assert airflow.ends(change, run) == ("failed", "rolled_back")
        assert acts(journal) == ["apply_1", "undo_1"]
        assert airflow.ends(watched, other) == ("success", "completed")
    finally:
        airflow.thaw()


@pytest.mark.xdist_group("alone")
def test_a_policy_that_cannot_be_read_stops_new_starts(airflow: RealAirflow, tmp_path: Path) -> None:
    """The gate says which line is wrong; housekeeping is red while it is so."""
    (airflow.policy / "services.yaml").write_text("servces: {}\n")
    try:
        change = airflow.publish(ticket(tmp_path / "unruled"))
        assert airflow.ends(change, airflow.run_of(change)) == ("failed", "refused")
        assert "services.yaml:1: unknown field 'servces'" in changes.get(airflow.ledger, change).reason
        run = airflow.does("housekeeping")
        assert airflow.alice.run("housekeeping", run)["state"] == "failed"
    finally:
        airflow.restore_policy()


@pytest.mark.xdist_group("alone")
def test_the_line_is_stopped_for_all(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nothing starts while it is stopped, and everybody reads why; lifted, it goes on."""
    airflow.does("stop_the_line", action="stop", reason="the data centre is on fire", hours=1)
    change = airflow.publish(ticket(tmp_path / "stopped"))
    assert airflow.ends(change, airflow.run_of(change)) == ("failed", "refused")
    assert "the line is stopped by bob" in changes.get(airflow.ledger, change).reason
    run, _ = airflow.ask(ticket(tmp_path / "waiting"))
    assert "the data centre is on fire" in airflow.alice.log("request_change", run, "check")
    airflow.does("stop_the_line", action="lift", reason="it is out")
    again = airflow.alice.trigger(change)
    assert airflow.ends(change, again) == ("success", "completed")


@pytest.mark.xdist_group("alone")
def test_engine_down_across_the_window_and_back(airflow: RealAirflow, tmp_path: Path) -> None:
    """A scheduler that stands still while the window passes runs nothing late; what is missed can be moved."""
    opens = datetime.now(UTC) + timedelta(seconds=12)
    data = ticket(tmp_path / "outage", window=window(opens, opens + timedelta(seconds=20)))
    data["steps"][0]["timeout"], data["rollback"]["estimate"] = "5s", "5s"
    change = airflow.publish(data)
    scheduler = [child for child in airflow.process.children(recursive=True) if is_scheduler(child)]
    assert scheduler
    with standing_still(airflow.place, scheduler):
        wait_for(lambda: datetime.now(UTC) > opens + timedelta(seconds=21), "the end of the window")
    assert airflow.ends(change, airflow.run_of(change)) == ("failed", "missed")
    assert acts(tmp_path / "outage") == []
    start, end = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(minutes=30)
    move = airflow.does("reslot_change", "alice", change=change, start=start.isoformat(), end=end.isoformat())
    assert airflow.alice.run("reslot_change", move)["state"] == "success"
    wait_for(lambda: len(airflow.alice.runs(change)) == 2, "the run of the new window")
    assert airflow.ends(change, airflow.alice.runs(change)[-1]["dag_run_id"]) == ("success", "completed")
    assert acts(tmp_path / "outage") == ["apply_1"]


@contextmanager
def standing_still(place: Place, processes: list[psutil.Process]) -> Iterator[None]:
    """Stop processes as a machine that hangs does: while they hold the database, which the others have to outwait."""
    with closing(sqlite3.connect(place.database, isolation_level=None, timeout=60)) as database:
        database.execute("BEGIN IMMEDIATE")
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            database.execute("ROLLBACK")
            for process in processes:
                process.send_signal(signal.SIGCONT)


def is_scheduler(process: psutil.Process) -> bool:
    """Return whether a process is the scheduler itself, not one of its workers."""
    words = process.cmdline()
    return "scheduler" in " ".join(words) and "worker" not in " ".join(words)


def test_a_paused_dag_runs_nothing_late(airflow: RealAirflow, tmp_path: Path) -> None:
    """A DAG that was paused over its window is recorded as missed by housekeeping, and unpausing it starts nothing."""
    now = datetime.now(UTC)
    data = ticket(tmp_path / "paused", window=window(now + timedelta(seconds=20), now + timedelta(seconds=40)))
    change = airflow.publish(data)
    airflow.alice.patch(f"/dags/{change}", {"is_paused": True})
    wait_for(lambda: datetime.now(UTC) > now + timedelta(seconds=41), "the end of the window")
    airflow.alice.patch(f"/dags/{change}", {"is_paused": False})
    assert airflow.ends(change, airflow.run_of(change)) == ("failed", "missed")
    assert acts(tmp_path / "paused") == []


def test_a_schedule_edited_seconds_before_its_start_gives_one_run(airflow: RealAirflow, tmp_path: Path) -> None:
    """The change acts once, at its new time."""
    journal, now = tmp_path / "edited_late", datetime.now(UTC)
    data = ticket(journal, window=window(now + timedelta(seconds=15), now + timedelta(minutes=30)))
    change = airflow.publish(data)
    moved = now + timedelta(seconds=35)
    wait_for(lambda: datetime.now(UTC) > now + timedelta(seconds=12), "the last seconds before the start")
    changes.revise(
        airflow.ledger,
        change,
        {**data, "window": window(moved, now + timedelta(minutes=31))},
        person="alice",
        now=datetime.now(UTC),
        keeps=True,
    )
    airflow.write(change)
    wait_for(lambda: acts(journal), "the change to act")
    assert datetime.now(UTC) >= moved.replace(microsecond=0)
    wait_for(lambda: changes.get(airflow.ledger, change).status == "completed", "the end")
    for run in airflow.alice.runs(change):
        airflow.ends(change, run["dag_run_id"])
    assert acts(journal) == ["apply_1"]
    assert changes.get(airflow.ledger, change).status == "completed"


def test_a_window_is_extended_by_somebody_else(airflow: RealAirflow, tmp_path: Path) -> None:
    """Who asks for it is refused by the server; with another one's yes a change that was too late may start.

    Its window opens a little later, because housekeeping may publish an approved change at any moment.
    """
    now = datetime.now(UTC)
    opens = now + timedelta(seconds=30)
    data = ticket(tmp_path / "extended", window=window(opens, opens + timedelta(minutes=2)))
    change = airflow.submit(data)
    end = (now + timedelta(minutes=30)).isoformat()
    run = airflow.alice.trigger("extend_window", {"change": change, "end": end, "reason": "it takes longer"})
    wait_for(lambda: airflow.asks("extend_window", run, "approve"), "the question")
    assert "403" in airflow.why_refused("alice", run, "Extend", dag="extend_window", task="approve")
    airflow.answer("bob", run, "Extend", dag="extend_window", task="approve")
    assert airflow.request_ends(run, "extend_window") == "success"
    airflow.write(change)
    wait_for(lambda: airflow.knows(change), "the DAG")
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")


def test_a_cancelled_change_never_runs(airflow: RealAirflow, tmp_path: Path) -> None:
    """While it waits for its window its run ends within seconds, and nothing was touched."""
    opens = datetime.now(UTC) + timedelta(minutes=20)
    change = airflow.publish(ticket(tmp_path / "cancelled", window=window(opens, opens + timedelta(minutes=30))))
    run = airflow.alice.trigger(change)
    airflow.reaches(change, run, "window", "deferred")
    airflow.does("cancel_change", "alice", change=change, reason="not needed any more")
    assert airflow.ends(change, run, seconds=60) == ("failed", "cancelled")
    assert acts(tmp_path / "cancelled") == []


def test_an_abort_ends_the_preflight(airflow: RealAirflow, probe: Probe, tmp_path: Path) -> None:
    """A check that waits to become good is waited for no longer, and nothing was touched."""
    probe.status = 500
    data = ticket(tmp_path / "preflight", preflight={"checks": [HEALTH], "within": "10m"})
    change = airflow.publish(data)
    run = airflow.run_of(change)
    airflow.reaches(change, run, "check_1", "deferred")
    airflow.does("abort_change", change=change, reason="not today")
    assert airflow.ends(change, run, seconds=60) == ("failed", "cancelled")
    assert acts(tmp_path / "preflight") == []


@pytest.mark.parametrize("phase", ["apply", "watch", "undo"])
def test_an_abort_takes_back_what_was_applied(airflow: RealAirflow, tmp_path: Path, phase: str) -> None:
    """The forward step stops though it ignores SIGTERM, the watch ends within seconds, an undo is left alone."""
    journal = tmp_path / f"aborted_{phase}"
    data = ticket(journal, steps=2, watch="5m")
    if phase == "apply":
        data["steps"][1]["run"][-1] = "60"
    if phase == "undo":
        data["steps"][1]["undo"][-1] = "8"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    if phase == "apply":
        wait_for(lambda: acts(journal)[-1:] == ["apply_2"], "the second step")
    else:
        airflow.reaches(change, run, "watch", "deferred")
    if phase == "undo":
        airflow.mark_task(change, run, "watch", "failed")
        wait_for(lambda: acts(journal)[-1:] == ["undo_2"], "the undo")
    airflow.does("abort_change", change=change, reason="it smells of smoke")
    assert airflow.ends(change, run, seconds=90) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "apply_2", "undo_2", "undo_1"]
    assert "aborted by bob: it smells of smoke" in changes.get(airflow.ledger, change).reason


@pytest.mark.xdist_group("housekeeping")
@pytest.mark.parametrize("is_deleted", [False, True], ids=["ended by hand, close too", "deleted as well"])
def test_a_run_that_died_is_taken_back_by_housekeeping(airflow: RealAirflow, tmp_path: Path, is_deleted: bool) -> None:  # noqa: FBT001
    """Whatever becomes of a run, even without its close, what it applied is undone by another one."""
    journal = tmp_path / f"died_{is_deleted}".lower()
    change = airflow.publish(ticket(journal, steps=2, watch="5m"))
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    for task in ("close", "report"):
        airflow.mark_task(change, run, task, "success")
    airflow.mark_run(change, run, "failed")
    wait_for(lambda: airflow.alice.run(change, run)["state"] in ENDED, "the end of the run")
    if is_deleted:
        airflow.clients["admin"].delete(f"/dags/{change}/dagRuns/{run}")
    assert changes.get(airflow.ledger, change).status == "running"
    airflow.does("housekeeping")
    rollback = wait_for(lambda: newest_rollback(airflow, change), "the run that rolls it back")
    assert airflow.ends(change, rollback) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "apply_2", "undo_2", "undo_1"]
    assert leases.leases(airflow.ledger, change) == []


@pytest.mark.xdist_group("housekeeping")
def test_a_longer_window_is_waited_for_no_more_once_somebody_ends_its_run(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nobody can answer it then, so the ledger says that the window stays as it is."""
    change = airflow.submit(ticket(tmp_path / "no_longer"))
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    run = airflow.alice.trigger("extend_window", {"change": change, "end": end, "reason": "it takes longer"})
    wait_for(lambda: airflow.asks("extend_window", run, "approve"), "the question")
    airflow.mark_run("extend_window", run, "failed")
    assert airflow.request_ends(run, "extend_window") == "failed"
    airflow.does("housekeeping")
    (refused,) = events.past(airflow.ledger, change, ExtensionRefused)
    assert refused == ExtensionRefused(run=f"extend_window/{run}", reason="its run ended before anybody answered")


def newest_rollback(airflow: RealAirflow, change: str) -> str | None:
    """Return the run by which housekeeping rolls a change back, once there is one."""
    runs = [run["dag_run_id"] for run in airflow.alice.runs(change)]
    return next((run for run in reversed(runs) if run.startswith("take_back_")), None)


def test_a_target_is_released_by_a_person(airflow: RealAirflow, tmp_path: Path) -> None:
    """After a failed rollback, once somebody has put it in order, the next change may act."""
    data = ticket(tmp_path / "released", watch="5m")
    data["steps"][0]["undo"] = ["false"]
    change = airflow.publish(data)
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    airflow.does("abort_change", change=change, reason="try the rollback")
    assert airflow.ends(change, run) == ("failed", "rollback_failed")
    airflow.does("release_target", target="test/released", reason="put in order by hand")
    second = airflow.publish(ticket(tmp_path / "released"))
    assert airflow.ends(second, airflow.run_of(second)) == ("success", "completed")


ITEMS = ["The backup of tonight is there"]


def questions(airflow: RealAirflow, dag: str) -> list[tuple[str, str]]:
    """Return run and task of what stands for a DAG under Required Actions, as Airflow's page asks for it."""
    wanted = "response_received=false&state=deferred&state=awaiting_input"
    found = airflow.alice.get(f"/dags/{dag}/dagRuns/~/hitlDetails?{wanted}")["hitl_details"]
    return [(detail["task_instance"]["dag_run_id"], detail["task_instance"]["task_id"]) for detail in found]


def scheduled(airflow: RealAirflow, change: str, count: int = 1) -> str:
    """Return the newest run of a change that came by itself, once there are so many."""

    def runs() -> list[str]:
        return [run["dag_run_id"] for run in airflow.alice.runs(change) if run["run_type"] == "scheduled"]

    wait_for(lambda: len(runs()) >= count, f"{count} scheduled runs of {change}")
    return runs()[-1]


def test_a_run_by_hand_stands_in_for_the_one_of_the_window(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nobody is asked twice; the other run ends at once, and no rollback waits for any run of its change."""
    journal, now = tmp_path / "by_hand", datetime.now(UTC)
    opens = window(now + timedelta(seconds=25), now + timedelta(minutes=30))
    change = airflow.publish(ticket(journal, window=opens, preflight={"confirmed": ITEMS}))
    by_hand = airflow.alice.trigger(change)
    airflow.reaches(change, by_hand, "window", "deferred")
    assert airflow.ends(change, scheduled(airflow, change)) == ("failed", "approved")
    wait_for(lambda: questions(airflow, change), "the question")
    assert questions(airflow, change) == [(by_hand, "confirm")]
    airflow.alice.answer(change, by_hand, "confirm", options=ITEMS)
    assert airflow.ends(change, by_hand) == ("success", "completed")
    again = airflow.alice.trigger(change)
    assert airflow.ends(change, again, seconds=90) == ("failed", "completed")
    rollback = airflow.alice.trigger(change, {"mode": "rollback"})
    assert airflow.ends(change, rollback) == ("failed", "rolled_back")
    twice = airflow.alice.trigger(change, {"mode": "rollback"})
    assert airflow.ends(change, twice, seconds=90) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "undo_1"]
    assert questions(airflow, change) == []
    assert [kind for kind in airflow.kinds(change) if kind == "closed"] == ["closed", "closed"]


def test_two_other_windows_leave_no_question_and_no_run(airflow: RealAirflow, tmp_path: Path) -> None:
    """The run and the question of each window before end within moments, and nothing waits for anything."""
    journal = tmp_path / "moved_twice"
    data = ticket(journal, preflight={"confirmed": ITEMS})
    change = airflow.publish(data)
    first = airflow.run_of(change)
    wait_for(lambda: questions(airflow, change), "the question of the first window")
    for number in (2, 3):
        start = datetime.now(UTC) - timedelta(seconds=1)
        moved = {**data, "window": window(start, start + timedelta(minutes=20 + number))}
        changes.revise(airflow.ledger, change, moved, person="alice", now=datetime.now(UTC), keeps=True)
        assert airflow.ends(change, first, seconds=90) == ("failed", "submitted")
        airflow.write(change)
        first = scheduled(airflow, change, number)
        wait_for(lambda run=first: questions(airflow, change) == [(run, "confirm")], "the question of the new window")
    airflow.does("abort_change", change=change, reason="not today")
    assert airflow.ends(change, first, seconds=90) == ("failed", "cancelled")
    assert questions(airflow, change) == []
    assert acts(journal) == []


def test_a_text_that_was_replaced_is_asked_for_no_longer(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nor is one that was cancelled; its request ends and says why."""
    data = ticket(tmp_path / "replaced")
    before, change = airflow.ask(data)
    wait_for(lambda: (before, "approve_1") in questions(airflow, "request_change"), "the first question")
    newer, _ = airflow.ask({**data, "summary": "Another text"}, change=change)
    assert airflow.request_ends(before) == "failed"
    wait_for(lambda: (newer, "approve_1") in questions(airflow, "request_change"), "the second question")
    airflow.does("cancel_change", "alice", change=change, reason="not needed any more")
    assert airflow.request_ends(newer) == "failed"
    assert not {before, newer} & {run for run, _ in questions(airflow, "request_change")}
