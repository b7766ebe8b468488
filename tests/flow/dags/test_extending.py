"""Requests for longer windows that end in other ways than by a yes or a no."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from changewindow.changes.extensions import open_extensions
from changewindow.flow.dags import extending
from changewindow.flow.dags.extending import build_extend_dag
from changewindow.ledger import changes, events, payloads
from changewindow.ledger.database import Ledger
from support.changes import NOW, approved
from support.task_instance import TaskInstance
from support.tickets import banner

HOUR = timedelta(hours=1)


class Run:
    """A run of `extend_window` about a change that waits for its window."""

    def __init__(self, ledger: Ledger, change: str, *, by: str = "alice", hours: int = 1, run: str = "manual") -> None:
        self.ledger, self.change, self.dag = ledger, change, build_extend_dag()
        self.later: datetime = changes.get(ledger, change).closes + hours * HOUR
        task = TaskInstance()
        self.context: Any = {
            "dag_run": SimpleNamespace(triggering_user_name=by, run_type="manual"),
            "run_id": run,
            "params": {"change": change, "end": self.later.isoformat(), "reason": "it takes longer"},
            "ti": task,
            "task_instance": task,
        }

    def check(self) -> None:
        """Ask for it."""
        check: Any = self.dag.get_task("check")
        check.execute(self.context)

    def ask(self) -> Any:
        """Ask who may allow it."""
        approve: Any = self.dag.get_task("approve")
        return approve.execute(self.context)

    def answer(self, by: str, option: str = "Extend", **more: Any) -> None:
        """Answer it."""
        user = {"id": by, "name": by} if by else None
        given = {"chosen_options": [option], "params_input": {}, "responded_at": NOW, "responded_by_user": user}
        approve: Any = self.dag.get_task("approve")
        approve.execute_complete(self.context, {**given, **more})

    @property
    def asked(self) -> Sequence[payloads.ExtensionAsked]:
        """Return what somebody still has to allow or to refuse."""
        return open_extensions(events.history(self.ledger, self.change))

    @property
    def refused(self) -> list[str]:
        """Return why requests were refused, as the ledger has it."""
        return [event.reason for event in events.past(self.ledger, self.change, payloads.ExtensionRefused)]


@pytest.fixture
def change(known: Ledger) -> str:
    """Return a change that is approved."""
    return approved(known, banner()).change


def test_nobody_allows_in_place_of_the_only_one_who_may(known: Ledger, change: str, tmp_path: Path) -> None:
    """If those who may are only whoever asks, it is not everybody who may."""
    levels = "[{name: l, from: [leads]}]"
    rules = f"groups: {{leads: [carol]}}\nrules: [{{name: all, levels: {levels}}}]\n"
    (tmp_path / "policy" / "approvals.yaml").write_text(rules)
    run = Run(known, change, by="carol")
    with pytest.raises(AirflowFailException, match=r"nobody but carol.* Have somebody else ask"):
        run.check()
    with pytest.raises(AirflowFailException, match="nobody but carol"):
        run.answer("mallory")
    assert changes.get(known, change).closes < run.later
    assert not run.asked


def test_that_nobody_answered_is_known_although_the_new_end_has_passed(
    known: Ledger, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People are asked until then, so that it always has."""
    run = Run(known, change)
    run.check()
    monkeypatch.setattr(extending, "now", lambda: run.later + timedelta(seconds=1))
    with pytest.raises(AirflowFailException, match="Nobody answered in time"):
        run.answer("", error="late", error_type="timeout")
    assert run.refused == ["Nobody answered in time; the window stays as it is."]
    assert not run.asked


def test_a_run_with_the_name_of_one_that_was_deleted_asks_for_itself(known: Ledger, change: str) -> None:
    """The ledger knows who asks for what, and why it is refused, each time."""
    first, second = Run(known, change, run="x"), Run(known, change, by="erik", hours=9, run="x")
    first.check()
    with pytest.raises(AirflowFailException, match="bob said no"):
        first.answer("bob", "Do not extend")
    second.check()
    assert [(asked.by, asked.later) for asked in second.asked] == [("erik", second.later)]
    with pytest.raises(AirflowFailException, match="carol said no"):
        second.answer("carol", "Do not extend")
    assert len(second.refused) == 2
    assert not second.asked


def test_a_task_that_dies_after_it_has_extended_a_window_asks_nobody_again(
    known: Ledger, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow tries it from its beginning; who asked does not read that it was refused."""
    run = Run(known, change)
    run.check()

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(extending, "note", dies)
        with pytest.raises(SystemExit):
            run.answer("bob")
    assert changes.get(known, change).closes == run.later
    assert run.ask() is None
    assert not run.refused


def test_what_has_become_pointless_is_not_asked_for_any_more(known: Ledger, change: str) -> None:
    """Such as of a change with another window by now, for which it would be later still."""
    run = Run(known, change)
    run.check()
    with pytest.raises(AirflowFailException, match="another text"):
        run.answer("", verdict="over", reason="it has another text")
    assert not run.asked


def test_what_is_refused_before_anybody_is_asked_is_not_listed(known: Ledger, change: str, tmp_path: Path) -> None:
    """There is no question that somebody could answer."""
    run = Run(known, change)
    run.check()
    (tmp_path / "policy" / "rights.yaml").write_text("may: {extend: [carol]}\n")
    with pytest.raises(AirflowFailException, match="alice may not"):
        run.ask()
    assert not run.asked


def test_a_yes_to_one_text_moves_the_window_of_no_other(known: Ledger, change: str) -> None:
    """Who revises a change a moment before the answer comes has a longer window for something else otherwise."""
    run = Run(known, change)
    run.check()
    other = {**banner(), "summary": "Something else altogether"}
    changes.revise(known, change, other, person="alice", now=NOW)
    with pytest.raises(AirflowFailException, match="another text or window by now"):
        run.answer("bob")
    assert changes.get(known, change).closes < run.later
    assert not run.asked


def test_a_question_knows_its_text_although_its_check_was_marked(
    known: Ledger, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who marks `check` as done before it has run has nothing kept of the text by it; whoever asks keeps it as well."""
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **_asked: None)
    run = Run(known, change)
    run.context["task_instance"].id = uuid4()
    with pytest.raises(TaskDeferred):
        run.ask()
    assert [each.digest for each in run.asked] == [changes.get(known, change).digest]
    changes.revise(known, change, {**banner(), "summary": "Something else altogether"}, person="alice", now=NOW)
    with pytest.raises(AirflowFailException, match="another text or window by now"):
        run.answer("bob")


def test_requests_that_nobody_answers_keep_no_other_waiting() -> None:
    """Each is open until its new end, which may be weeks away; a change that acts now cannot wait for that."""
    assert build_extend_dag().max_active_runs >= 256
