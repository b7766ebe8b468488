"""Who clicks what when in Slack, and what counts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from changewindow.changes.buttons import Action
from changewindow.changes.event_text import sentence
from changewindow.changes.thread_lines import lines
from changewindow.errors import ApprovalRefused
from changewindow.ledger import approvals, events, outbox, presses, questions
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads import Aborted, Answered, ButtonPressed, Refused, Started
from changewindow.notify.base import Reference
from support.changes import NOW
from support.ledgers import on_postgres
from support.slack_rows import (
    ANY_RISK,
    ROWS,
    SECOND,
    Asked,
    Completed,
    Row,
    Running,
    Scheduled,
    Waiting,
    World,
    later,
    world_of,
)
from support.slack_world import CARD, IDS, MESSAGES, RUN, SlackWorld
from support.tampering import tamper


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_what_counts(ledger: Ledger, row: Row) -> None:
    """Each click has an event, with the name of who made it if it is known; the chain holds."""
    world = row.when(ledger)
    decision = world.clicked(row.who, row.what)
    start = f"{world.change}: " if row.counts else f"Your click on {world.change} does not count: "
    assert decision.sentence.startswith(start)
    assert decision.sentence.removeprefix(start).startswith(row.says.format(change=world.change))
    assert decision.counts is row.counts
    assert not row.leaves or world.status == row.leaves
    newest = world.events[-1]
    pressed = events.payload(newest)
    assert isinstance(pressed, ButtonPressed)
    assert (pressed.counts, pressed.action, pressed.user) == (row.counts, row.what, IDS.get(row.who, row.who))
    assert ("counted" if row.counts else "did not count") in sentence(pressed)
    events.verify(ledger, world.change)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_click_that_arrives_again_decides_nothing_twice(ledger: Ledger, row: Row) -> None:
    """At once, after one minute and after five, as Slack sends it; everybody reads the same."""
    world = row.when(ledger)
    click = world.click(row.who, row.what)
    first, known = world.decide(click), world.kinds
    for minutes in (0, 1, 5):
        assert later(world, world.now - NOW + timedelta(minutes=minutes)).decide(click) == first
    assert world.kinds == known


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.counts], ids=lambda row: f"{row.who} {row.what}")
def test_a_second_click_counts_no_more(ledger: Ledger, row: Row) -> None:
    """Of the same person, and of everybody else: what was decided stays."""
    world = row.when(ledger)
    button = world.button()
    assert world.clicked(row.who, row.what).counts
    decided, status = [kind for kind in world.kinds if kind != "button_pressed"], world.status
    others = IDS if row.leaves != "submitted" else {row.who: ""}  # the next level is still asked
    for person in (row.who, *others):
        assert not world.clicked(person, row.what, value=button).counts
    assert [kind for kind in world.kinds if kind != "button_pressed"] == decided
    assert world.status == status


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"at": Reference("C0001", "1.1")}, "this message is not known", id="another message"),
        pytest.param({"at": Reference("C0002", CARD.id)}, "this message is not known", id="another channel"),
        pytest.param({"value": "CHG-9999 x asked"}, "this message is not known", id="another change"),
        pytest.param({"value": "approve"}, "this message is not known", id="no button of ours"),
        pytest.param({"value": "CHG-1 x gone"}, "this message is not known", id="no state of ours"),
        pytest.param({"workspace": "T0666"}, "comes from the Slack workspace T0666", id="another workspace"),
        pytest.param({"moment": NOW - timedelta(minutes=11)}, "arrived too late", id="of long ago"),
    ],
)
def test_what_is_not_from_our_message_does_not_count(ledger: Ledger, changed: dict[str, Any], says: str) -> None:
    """Whatever its button holds."""
    world = SlackWorld.asked(ledger)
    decision = world.clicked("bob", "approve", **changed)
    assert says in decision.sentence
    assert not decision.counts
    assert world.status == "submitted"


def test_a_named_workspace_alone_counts(ledger: Ledger) -> None:
    """Messages.yaml may say whose people decide."""
    world = world_of(ledger, messages={**MESSAGES, "workspace": "T0002"})
    assert not world.clicked("bob", "approve").counts
    assert world.clicked("bob", "approve", workspace="T0002").counts


def test_an_old_revisions_button_does_not_count(ledger: Ledger) -> None:
    """Neither before the message shows the new text, nor after."""
    world = SlackWorld.asked(ledger)
    old = world.button()
    world.revise()
    assert "newer text" in world.clicked("bob", "approve", value=old).sentence
    world.shows("asked")
    assert "shows another text" in world.clicked("bob", "approve", value=old).sentence
    assert world.status == "submitted"
    assert world.clicked("bob", "approve").counts


def test_a_message_whose_record_was_altered_decides_nothing(ledger: Ledger) -> None:
    """Whoever can write into the database cannot let people approve what they do not see."""
    world = SlackWorld.asked(ledger)
    tamper(ledger, "UPDATE outbox SET digest = 'x'")
    assert "not known" in world.clicked("bob", "approve").sentence


@pytest.mark.parametrize(
    ("make", "what"), [(Asked, "approve"), (Running, "abort"), (Waiting, "keep"), (Completed, "take_back")]
)
def test_a_change_whose_record_was_altered_is_not_decided(ledger: Ledger, make: World, what: Action) -> None:
    """In none of its states."""
    world = make(ledger)
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE sequence = 1 AND number > 0")
    assert not world.clicked("bob", what).counts


def test_while_the_ledger_is_down_nothing_counts(ledger: Ledger) -> None:
    """And that is said."""
    world = SlackWorld.asked(ledger)
    down = replace(world, ledger=Ledger("sqlite:////nowhere/ledger.db"))
    click = world.click("bob", "approve")
    decision = down.decide(click)
    assert decision.sentence == (
        f"Your click on {world.change} does not count: the ledger does not answer. Click again once it is back."
    )
    assert world.decide(click).counts, "the same click counts when it arrives again"


def test_both_levels_may_be_approved_in_slack(ledger: Ledger) -> None:
    """The first one's second click does not stand in for the second level."""
    world = world_of(ledger, messages=ANY_RISK, **SECOND)
    assert world.clicked("bob", "approve").counts
    assert not world.clicked("bob", "approve").counts
    assert not world.clicked("carol", "approve").counts
    assert world.clicked("dora", "approve").counts
    assert world.status == "approved"


def test_an_expired_approval_is_asked_for_again(ledger: Ledger) -> None:
    """As Airflow does."""
    world = later(Scheduled(ledger).shows("asked"), timedelta(minutes=40))
    assert not world.clicked("carol", "approve").counts
    fresh = SlackWorld.asked(ledger, **SECOND, details="x")
    assert fresh.status == "submitted"


def test_airflows_answer_and_slacks_are_one(ledger: Ledger) -> None:
    """Whichever is recorded first counts, for both."""
    world = Waiting(ledger)
    assert world.clicked("bob", "take_back").counts
    given = Answered(run=RUN, by="alice", answer=("Keep it",))
    first = questions.answer(ledger, world.change, given, actor=f"{RUN}/watch", now=NOW)
    assert (first.by, first.answer) == ("bob", ("Roll back",))
    assert world.kinds.count(EventKind.ANSWERED) == 1
    assert questions.answers(ledger, world.change, RUN) == first


def test_a_new_question_has_no_answer_yet(ledger: Ledger) -> None:
    """The answer to the one before does not count for it."""
    world = Waiting(ledger)
    assert world.clicked("bob", "keep").counts
    world.ask()
    assert questions.answers(ledger, world.change, RUN) is None
    assert world.clicked("alice", "take_back").counts


def test_a_wanted_rollback_is_wanted_until_a_run_begins_it(ledger: Ledger) -> None:
    """It is in the name of who clicked."""
    world = Completed(ledger)
    assert presses.wanted_rollbacks(ledger, NOW, timedelta(days=1)) == []
    world.clicked("carol", "take_back")
    wanted = presses.wanted_rollback(ledger, world.change)
    assert wanted is not None
    assert (wanted.person, wanted.reason) == ("carol", "a click in Slack")
    assert presses.wanted_rollbacks(ledger, NOW, timedelta(days=1)) == [wanted]
    assert presses.wanted_rollbacks(ledger, NOW + timedelta(days=2), timedelta(days=1)) == []
    world.happened(Started(run="take_back_1", token=2, digest=world.digest, targets=("x",), mode="rollback"))
    assert presses.wanted_rollback(ledger, world.change) is None


def test_a_wanted_rollback_that_is_refused_is_wanted_no_more(ledger: Ledger) -> None:
    """Its own refusal says why; that of another run, which anybody may trigger, takes nothing away."""
    world = Completed(ledger)
    world.clicked("carol", "take_back")
    wanted = presses.wanted_rollback(ledger, world.change)
    assert wanted is not None
    for run, left in (("manual__1", wanted), (wanted.run, None)):
        world.happened(Refused(run=run, outcome="refused", reasons=("no",)), f"{run}/gate")
        assert presses.wanted_rollback(ledger, world.change) == left
    assert world.clicked("carol", "take_back").counts, "it may be asked for again"


def test_an_altered_record_keeps_no_other_rollback_from_beginning(ledger: Ledger) -> None:
    """It is rolled back by nobody's word; what was asked for elsewhere begins."""
    altered = Completed(ledger)
    assert altered.clicked("carol", "take_back").counts
    card = outbox.of_change(ledger, altered.change)[0]
    outbox.keep(ledger, replace(card, reference=Reference("C0001", "1900000000.000200")))
    other = Completed(ledger)
    assert other.clicked("carol", "take_back").counts
    tamper(
        ledger,
        "UPDATE events SET actor = 'mallory' "
        "WHERE sequence = 2 AND number = (SELECT min(number) FROM changes WHERE number > 0)",
    )
    wanted = presses.wanted_rollbacks(ledger, NOW, timedelta(days=1))
    assert [each.change for each in wanted] == [other.change]


def test_one_abort_is_recorded_of_two(ledger: Ledger) -> None:
    """Two people click at once."""
    world = Running(ledger)
    first, second = world.click("bob", "abort"), world.click("carol", "abort")
    assert [world.decide(first).counts, world.decide(second).counts] == [True, False]
    assert len(events.past(ledger, world.change, Aborted)) == 1


def test_what_does_not_count_is_recorded_once(ledger: Ledger) -> None:
    """Whoever goes on clicking does not fill the record."""
    world = SlackWorld.asked(ledger)
    for _ in range(5):
        world.clicked("eve", "approve")
    assert world.kinds.count(EventKind.BUTTON_PRESSED) == 1
    assert world.events[-1].actor == "eve"


def test_a_click_after_airflows_answer_does_not_count(ledger: Ledger) -> None:
    """And the other way round."""
    world = SlackWorld.asked(ledger)
    needs = world.intent
    approvals.decide(ledger, world.change, needs, person="bob", is_yes=True, now=NOW)
    assert not world.clicked("carol", "reject").counts
    assert world.status == "approved"


def test_the_thread_tells_a_decision_once_and_a_click_that_did_not_count(ledger: Ledger) -> None:
    """Whatever counted is told as what it led to."""
    world = SlackWorld.asked(ledger)
    world.clicked("eve", "approve")
    world.clicked("bob", "approve")
    refused, approved = lines(world.events)
    assert "eve pressed 'approve' in Slack as UEVE, which did not count: eve's yes does not count" in refused.text
    assert "bob approved it at level 'peer'" in approved.text


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
@pytest.mark.parametrize(("make", "actions"), [(Asked, ("approve", "reject")), (Waiting, ("keep", "take_back"))])
def test_of_many_who_click_at_once_one_decides(
    ledger: Ledger, backend: str, make: World, actions: tuple[Action, Action]
) -> None:
    """Whatever they want, and though each of them may; the others read that it is decided."""
    world = make(ledger if backend == "sqlite" else on_postgres())
    people = ("bob", "carol") if make is Asked else ("alice", "bob")
    clicks = [world.click(person, action) for person in people for action in actions] * 2
    with ThreadPoolExecutor(len(clicks)) as threads:
        decisions = list(threads.map(world.decide, clicks))
    counted = [decision.sentence for decision in decisions if decision.counts]
    assert len(set(counted)) == 1
    assert len(counted) == 2, "the same click, which came twice, is told the same"
    assert sum(kind in {"decided", "answered"} for kind in world.kinds) == 1 + (make is not Asked)
    events.verify(world.ledger, world.change)


def test_airflows_answer_and_a_click_at_once_are_one_decision(ledger: Ledger) -> None:
    """Whichever is first; the other one is refused."""
    world = SlackWorld.asked(ledger)
    click, wanted = world.click("carol", "reject"), world.intent

    def in_airflow() -> bool:
        try:
            approvals.decide(ledger, world.change, wanted, person="bob", is_yes=True, now=NOW)
        except ApprovalRefused:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        elsewhere, here = threads.submit(in_airflow), threads.submit(world.decide, click)
        counted = {"approved": elsewhere.result(), "rejected": here.result().counts}
    assert [status for status, counts in counted.items() if counts] == [world.status]
    assert world.kinds.count("decided") == 1
