"""Where a change stands, as its card says: read from sealed events in whatever order they came."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from changewindow.changes.card import Card, CardCondition
from changewindow.changes.card_of import card_of
from changewindow.changes.thread_lines import lines_after
from changewindow.errors import BadPolicy, UnknownSealKey
from changewindow.ledger import approvals, changes, leases, payloads, watches
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, record
from changewindow.ledger.models import Revision
from changewindow.ledger.payloads import Payload
from changewindow.ledger.watches import Kept
from changewindow.policy.outcome import Outcome
from changewindow.ticket.reader import build_ticket
from changewindow.watch.progress import Followed, Progress
from support.changes import NOW, approved, intent
from support.tampering import tamper
from support.tickets import POLICY, banner

RUN = "run-1"


def card(ledger: Ledger, change: str, after: timedelta = timedelta(0)) -> Card:
    """Return the card of a change."""
    return card_of(ledger, change, POLICY, NOW + after, links={"page": "https://airflow.example/changes"})


def happened(ledger: Ledger, change: str, *events: Payload, run: str = RUN) -> None:
    """Let a run write events."""
    for payload in events:
        record(ledger, Event(change, f"{run}/task", NOW, payload.model_copy(update={"run": run})))


def gate(ledger: Ledger, submitted: Submitted, run: str = RUN, **more: Any) -> None:
    """Let a run pass the gate."""
    wanted = intent(submitted.digest, run, **more)
    leases.start(ledger, submitted.change, wanted, targets=("production/orders",), now=NOW)


def started(ledger: Ledger, **changed: Any) -> Submitted:
    """Return a change that has passed its gate."""
    submitted = approved(ledger, banner(**changed))
    gate(ledger, submitted)
    return submitted


def closed(ledger: Ledger, change: str, outcome: Outcome, reason: str = "p99 is bad", *, run: str = RUN) -> None:
    """Let a run end."""
    later = NOW + timedelta(minutes=5)
    changes.close(ledger, change, run=run, outcome=outcome, reason=reason, now=later)


REMEMBERED = payloads.Remembered(step=1, name="Switch it on", remembered={})
APPLIED = payloads.Applied(step=1, name="Switch it on")
WATCHING = payloads.Watching(since=NOW, seconds=60)
ASKED = payloads.Asked(people=("alice", "bob"), reason="error rate is not known", until=NOW + timedelta(minutes=15))
ANSWERED = payloads.Answered(by="bob", answer=("Keep it",))
UNDO = payloads.WatchDecided(route="undo", reason="p99 is bad: 348 ms, limit 200 ms")
UNDOING = payloads.Undoing(step=1, name="Switch it on")
UNDONE = payloads.Undone(step=1, name="Switch it on", restored="off")


@pytest.mark.parametrize(
    ("events", "state", "step"),
    [
        ((), "running", "to come"),
        ((REMEMBERED,), "running", "applying"),
        ((REMEMBERED, APPLIED), "running", "applied"),
        ((REMEMBERED, APPLIED, WATCHING), "watching", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, ASKED), "waiting", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, ASKED, ANSWERED), "watching", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, UNDO), "rolling_back", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, UNDO, UNDOING), "rolling_back", "undoing"),
        ((REMEMBERED, UNDOING, UNDONE), "rolling_back", "undone"),
        ((REMEMBERED, UNDOING, payloads.UndoFailed(step=1, name="x", reason="no")), "rolling_back", "undo failed"),
        ((REMEMBERED, payloads.Closed(outcome="completed", reason="all good")), "completed", "applying"),
    ],
)
def test_a_run_that_acts(ledger: Ledger, events: Iterable[Payload], state: str, step: str) -> None:
    """Each event brings the card into the state that people would name."""
    submitted = started(ledger)
    happened(ledger, submitted.change, *events)
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.steps[0].state) == (state, step)


def test_a_change_that_waits_for_approval_says_whom_it_asks(ledger: Ledger) -> None:
    """Who may give the next approval, and until when it helps."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    shown = card(ledger, submitted.change)
    assert shown.state == "asked"
    assert shown.waits_for
    assert shown.until == shown.closes - build_ticket(banner()).needs
    assert shown.digest == submitted.digest
    assert shown.links == {"page": "https://airflow.example/changes"}


def test_a_change_that_two_named_people_may_approve_asks_them(ledger: Ledger) -> None:
    """The policy names them; whoever requested it is not among them."""
    submitted = changes.submit(ledger, banner(risk="high"), requester="bob", now=NOW)
    shown = card(ledger, submitted.change)
    assert "bob" not in shown.asks
    assert shown.asks or "second person" in shown.waits_for[0]


def test_nobody_is_asked_while_the_policy_cannot_be_read(ledger: Ledger) -> None:
    """It says so instead."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    shown = card_of(ledger, submitted.change, BadPolicy(["approvals.yaml:1: no"]), NOW, links={})
    assert shown.asks == ()
    assert any("policy" in line for line in shown.waits_for)


def test_a_change_that_is_approved_is_scheduled_and_says_by_whom(ledger: Ledger) -> None:
    """That its window is not open yet, the window says."""
    submitted = approved(ledger, banner())
    shown = card(ledger, submitted.change, after=-timedelta(days=1))
    assert (shown.state, shown.waits_for) == ("scheduled", ())
    assert [(approval.person, approval.is_yes) for approval in shown.approvals] == [("bob", True)]


def test_a_new_text_is_asked_for_anew(ledger: Ledger) -> None:
    """Whoever approved the old one is named no more."""
    submitted = approved(ledger, banner())
    revised = changes.revise(ledger, submitted.change, banner(summary="Another."), person="alice", now=NOW)
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.summary, shown.digest, shown.approvals) == ("asked", "Another.", revised.digest, ())


def test_a_moved_window_keeps_its_approvals(ledger: Ledger) -> None:
    """As the policy allows."""
    submitted = approved(ledger, banner())
    moved = banner(window={"zone": "UTC", "start": "2031-03-19 14:00", "end": "2031-03-19 15:00"})
    changes.revise(ledger, submitted.change, moved, person="alice", now=NOW, keeps=True)
    shown = card(ledger, submitted.change)
    assert shown.approvals
    assert shown.opens.day == 19


@pytest.mark.parametrize("run", ["dry", "manual"])
def test_what_reads_before_the_window_has_begun_nothing(ledger: Ledger, run: str) -> None:
    """A dry run reads the checks, too."""
    submitted = approved(ledger, banner())
    early = NOW - timedelta(hours=5)
    record(ledger, Event(submitted.change, f"{run}/gate", early, payloads.Checked(verdict="pass", reason="", run=run)))
    assert card(ledger, submitted.change).state == "scheduled"


def test_a_dry_run_in_the_window_has_begun_nothing(ledger: Ledger) -> None:
    """Nobody is told that the change starts, nor what the checks of a trial have found."""
    submitted = approved(ledger, banner())
    happened(ledger, submitted.change, payloads.Checked(verdict="fail", reason="not good", is_dry=True))
    assert card(ledger, submitted.change).state == "scheduled"
    assert len(lines_after(ledger, submitted.change, 2)) == 0


def test_checks_in_the_window_are_its_start(ledger: Ledger) -> None:
    """The run is here, and its gate comes next."""
    submitted = approved(ledger, banner())
    happened(ledger, submitted.change, payloads.Checked(verdict="pass", reason=""))
    assert card(ledger, submitted.change).state == "starting"


def test_a_dry_run_beside_a_run_changes_nothing(ledger: Ledger) -> None:
    """Its watch is not that of the run."""
    submitted = started(ledger)
    happened(ledger, submitted.change, WATCHING, UNDO, run="dry")
    assert card(ledger, submitted.change).state == "running"


def test_a_refused_change_may_be_tried_again(ledger: Ledger) -> None:
    """Its card says what to do, and goes on when that was done."""
    submitted = approved(ledger, banner())
    closed(ledger, submitted.change, "refused", "the line is stopped")
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.ending and shown.ending.reason) == ("refused", "the line is stopped")
    assert shown.ending
    assert shown.ending.may_start
    gate(ledger, submitted, "run-2")
    assert card(ledger, submitted.change).state == "running"


def test_a_change_that_was_rolled_back_says_when_and_to_what(ledger: Ledger) -> None:
    """And where its record ends, whatever was told of it since."""
    submitted = started(ledger)
    verified = payloads.Verified(verdict="pass", reason="good")
    happened(ledger, submitted.change, REMEMBERED, APPLIED, WATCHING, UNDO, UNDOING, UNDONE, verified)
    closed(ledger, submitted.change, "rolled_back")
    shown = card(ledger, submitted.change).ending
    assert shown
    assert (shown.started, shown.undone, shown.restored) == (NOW, NOW, NOW)
    assert shown.back_to == ("'Switch it on': off",)
    assert not shown.is_by_hand
    happened(ledger, submitted.change, payloads.MessageSent(room="#deploys", text="ROLLED BACK", channel="slack"))
    assert card(ledger, submitted.change).ending == shown


def test_a_completed_change_that_is_rolled_back_later_is_so_by_hand(ledger: Ledger) -> None:
    """Nobody has to look for the cause; its steps are still known."""
    submitted = started(ledger)
    happened(ledger, submitted.change, REMEMBERED, APPLIED, WATCHING)
    closed(ledger, submitted.change, "completed", "all good")
    assert card(ledger, submitted.change).state == "completed"
    gate(ledger, submitted, "take_back_1", mode="rollback")
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.steps[0].state) == ("rolling_back", "applied")
    happened(ledger, submitted.change, UNDOING, UNDONE, run="take_back_1")
    closed(ledger, submitted.change, "rolled_back", "asked for by a person", run="take_back_1")
    shown = card(ledger, submitted.change)
    assert shown.state == "rolled_back"
    assert shown.ending
    assert shown.ending.is_by_hand


def test_an_abort_is_said_with_its_reason(ledger: Ledger) -> None:
    """One that acts is rolled back; one that waits is over."""
    acting = started(ledger)
    changes.abort(ledger, acting.change, person="carol", reason="wrong day", now=NOW)
    shown = card(ledger, acting.change)
    assert (shown.state, shown.reason) == ("rolling_back", "aborted by carol: wrong day")
    waiting = changes.submit(ledger, banner(), requester="alice", now=NOW)
    changes.abort(ledger, waiting.change, person="carol", reason="wrong day", now=NOW)
    assert card(ledger, waiting.change).state == "cancelled"


def test_a_run_that_died_is_being_rolled_back(ledger: Ledger) -> None:
    """Whoever reads it knows why."""
    submitted = started(ledger)
    happened(ledger, submitted.change, REMEMBERED)
    leases.orphan(ledger, submitted.change, run=RUN, now=NOW)
    assert card(ledger, submitted.change).reason == "its run died before it had recorded an end"
    gate(ledger, submitted, "back", mode="rollback")
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.steps[0].state) == ("rolling_back", "applying")
    assert shown.reason == "its run died before it had recorded an end"


@pytest.mark.parametrize("kind", ["rejected", "cancelled"])
def test_a_change_that_never_acted_says_who_ended_it(ledger: Ledger, kind: str) -> None:
    """With the reason that they gave."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    if kind == "rejected":
        wanted = intent(submitted.digest)
        approvals.decide(ledger, submitted.change, wanted, person="bob", is_yes=False, now=NOW, reason="not today")
    else:
        changes.cancel(ledger, submitted.change, person="bob", reason="not today", now=NOW)
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.ending and shown.ending.reason) == (kind, f"{kind} by bob: not today")


def test_a_watch_shows_what_is_most_likely_to_end_it(ledger: Ledger) -> None:
    """A verdict first, then how near a limit is; bars of the last values."""
    source = {"kind": "http", "connection": "shop", "path": "/metrics"}
    latency = {"name": "p99", "unit": "ms", "source": source, "fail": {"above": 200}}
    errors = {"name": "errors", "unit": "%", "source": source, "fail": {"above": 1}}
    submitted = started(ledger, watch={"for": "10m", "conditions": [errors, latency]}, validation=[])
    happened(ledger, submitted.change, REMEMBERED, APPLIED, WATCHING)
    followed = [
        Followed(name="errors", limits="bad when above 1%", unit="%", verdict="pass", recent=[0.2, 0.3]),
        Followed(name="p99", limits="bad when above 200 ms", unit="ms", verdict="pass", recent=[120, 148, 190]),
    ]
    begun = NOW - timedelta(minutes=7)
    times = {"since": begun, "begun": begun, "over": begun + timedelta(minutes=10), "at": NOW}
    progress = Progress(**times, samples=42, conditions=followed)
    watches.keep(ledger, [Kept(submitted.change, RUN, progress, NOW)])
    shown = card(ledger, submitted.change).watch
    assert shown
    assert (shown.passed, shown.length, shown.samples) == (timedelta(minutes=7), timedelta(minutes=10), 42)
    assert shown.worst == CardCondition("p99", "pass", "190 ms", "limit 200 ms", "▁▄█")
    followed[0].verdict = "error"
    watches.keep(ledger, [Kept(submitted.change, RUN, progress, NOW)])
    again = card(ledger, submitted.change).watch
    assert again
    assert again.worst
    assert again.worst.name == "errors"


def test_an_altered_record_is_believed_in_nothing(ledger: Ledger) -> None:
    """Its card says so, and what to do; nothing of it can be decided there."""
    submitted = started(ledger)
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE sequence = 2")
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.digest, shown.asks) == ("altered", "", ())
    assert "event 2" in shown.reason
    assert shown.owner == "alice"
    assert lines_after(ledger, submitted.change, 0) == ()


def test_a_process_without_the_key_calls_no_record_altered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the process that is wrong: what stands in the room stays as it is."""
    submitted = started(ledger)
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "another-key-than-the-one-of-all-tests")
    with pytest.raises(UnknownSealKey):
        card(Ledger(ledger.url.render_as_string(hide_password=False)), submitted.change)


def test_an_altered_text_is_believed_in_nothing(ledger: Ledger) -> None:
    """Another text would be shown than the one that was approved."""
    submitted = approved(ledger, banner())
    with ledger.transaction() as session:
        session.execute(update(Revision).values(text="{}"))
    assert card(ledger, submitted.change).state == "altered"


def test_the_thread_says_what_happened_and_the_room_what_went_wrong(ledger: Ledger) -> None:
    """Each of it once; what a step has remembered is not for everybody."""
    submitted = started(ledger)
    failed = payloads.Watched(verdict="fail", reason="p99 is bad: 348 ms, limit 200 ms")
    remembered = payloads.Remembered(step=1, name="Switch it on", remembered={"file": "/etc/shadow"})
    happened(ledger, submitted.change, remembered, APPLIED, WATCHING, failed, UNDO, UNDOING, UNDONE)
    closed(ledger, submitted.change, "rolled_back")
    told = lines_after(ledger, submitted.change, 0)
    assert [line.text for line in told if line.is_loud] == [
        "14:10:00 UTC: it is rolled back: p99 is bad: 348 ms, limit 200 ms",
        "14:15:00 UTC: it ended as rolled back: p99 is bad",
    ]
    assert "shadow" not in "".join(line.text for line in told)
    assert told[0].text == "14:10:00 UTC: bob approved it at level 'peer'; that counts until 2031-03-18 15:10 UTC"
    assert lines_after(ledger, submitted.change, told[-1].sequence) == ()


@pytest.mark.parametrize(("after", "expected"), [((), True), ((ANSWERED,), False), ((UNDO,), False)])
def test_whoever_has_to_answer_is_called_until_somebody_has(
    ledger: Ledger,
    after: tuple[Payload, ...],
    expected: bool,  # noqa: FBT001  a case of a table
) -> None:
    """The message is only brought up to date, which calls nobody; after an outage, nobody is called in vain."""
    submitted = started(ledger)
    happened(ledger, submitted.change, REMEMBERED, APPLIED, WATCHING, ASKED, *after)
    [question] = [line for line in lines_after(ledger, submitted.change, 0) if "keep it?" in line.text]
    assert question.is_loud is expected


def test_what_the_message_shows_or_a_note_tells_is_no_line(ledger: Ledger) -> None:
    """Each line rings on the phones of whoever is mentioned above it: a step has one, and so has its undo."""
    submitted = started(ledger)
    watched = payloads.Watched(verdict="fail", reason="p99 is bad")
    happened(ledger, submitted.change, REMEMBERED, APPLIED, WATCHING, watched, UNDO, UNDOING, UNDONE)
    closed(ledger, submitted.change, "rolled_back")
    assert [line.text.partition("UTC: ")[2] for line in lines_after(ledger, submitted.change, 0)[1:]] == [
        "the gate let it through; it holds production/orders",
        "step 1 'Switch it on' is applied",
        "it is watched for 1m",
        "it is rolled back: p99 is bad: 348 ms, limit 200 ms",
        "step 1 'Switch it on' is undone; back to off",
        "it ended as rolled back: p99 is bad",
    ]
