"""What is going on at one moment: what acts, what comes, who has to answer, what is held and owed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from changewindow.calendar.model import Calendar
from changewindow.calendar.schedule import Schedule
from changewindow.changes.present import Present, present
from changewindow.changes.present_limits import InForce, in_force
from changewindow.changes.present_waiting import HIDDEN, STOPPED
from changewindow.errors import BadPolicy, LedgerDown
from changewindow.ledger import changes, emergencies, leases, payloads, stops, watches
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, record
from changewindow.ledger.payloads import Payload
from changewindow.ledger.payloads.emergency import FollowUp
from changewindow.ledger.watches import Kept
from changewindow.watch.progress import Followed, Progress
from support.changes import NOW, approved, extended, intent
from support.declarations import declaration
from support.tampering import tamper
from support.tickets import POLICY, banner

RUN = "run-1"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REMEMBERED = payloads.Remembered(step=1, name="Switch it on", remembered={})
APPLIED = payloads.Applied(step=1, name="Switch it on")
WATCHING = payloads.Watching(since=NOW, seconds=60)
ASKED = payloads.Asked(people=("alice", "bob"), reason="error rate is not known", until=NOW + 15 * MINUTE)
UNDO = payloads.WatchDecided(route="undo", reason="p99 is bad")
UNDOING = payloads.Undoing(step=1, name="Switch it on")
UNDO_FAILED = payloads.UndoFailed(step=1, name="Switch it on", reason="no answer")


def seen(ledger: Ledger, after: timedelta = timedelta(0), numbers: frozenset[int] | None = None) -> Present:
    """Return what is going on some time after the change has started."""
    return present(ledger, POLICY, NOW + after, numbers)


def started(ledger: Ledger, *events: Payload, run: str = RUN, **changed: Any) -> Submitted:
    """Return a change that has passed its gate, and whose run has written events."""
    submitted = approved(ledger, banner(**changed))
    leases.start(ledger, submitted.change, intent(submitted.digest, run), targets=("production/orders",), now=NOW)
    for payload in events:
        record(ledger, Event(submitted.change, f"{run}/task", NOW, payload.model_copy(update={"run": run})))
    return submitted


def sampled(ledger: Ledger, change: str, at: datetime) -> None:
    """Let the watch of a change take a sample."""
    latency = Followed(name="p99 latency", limits="< 200", unit="ms", verdict="pass", recent=[180.0])
    far = Progress(since=NOW, begun=NOW, over=NOW + HOUR, at=at, samples=7, conditions=[latency])
    watches.keep(ledger, [Kept(change, RUN, far, at)])


@pytest.mark.parametrize(
    ("events", "state", "step"),
    [
        pytest.param((), "running", None, id="it has passed the gate"),
        pytest.param((REMEMBERED,), "running", ("Switch it on", "applying"), id="a step is applied"),
        pytest.param((REMEMBERED, APPLIED), "running", None, id="between two steps"),
        pytest.param((REMEMBERED, APPLIED, WATCHING), "watching", None, id="it is watched"),
        pytest.param((REMEMBERED, APPLIED, WATCHING, ASKED), "waiting", None, id="people are asked"),
        pytest.param((REMEMBERED, APPLIED, WATCHING, UNDO), "rolling_back", None, id="it is to be rolled back"),
        pytest.param(
            (REMEMBERED, APPLIED, UNDO, UNDOING), "rolling_back", ("Switch it on", "undoing"), id="a step is undone"
        ),
    ],
)
def test_what_acts_says_how_far_it_is(
    ledger: Ledger, events: tuple[Payload, ...], state: str, step: tuple[str, str] | None
) -> None:
    """Its state, its step and its window come from its sealed events."""
    change = started(ledger, *events).change
    [row] = seen(ledger).acting.items
    assert (row.change, row.state, row.since, row.closes) == (change, state, NOW, NOW + 50 * MINUTE)
    assert (row.step and (row.step.name, row.step.state)) == step
    assert row.is_rolled_back is (state == "rolling_back")
    assert row.problems == ()


def test_a_watch_says_how_far_it_is_and_what_is_nearest_to_its_limit(ledger: Ledger) -> None:
    """By its last sample."""
    change = started(ledger, REMEMBERED, APPLIED, WATCHING).change
    sampled(ledger, change, NOW + 2 * MINUTE)
    [row] = seen(ledger, 2 * MINUTE + timedelta(seconds=20)).acting.items
    assert row.watch is not None
    assert (row.watch.passed, row.watch.length, row.watch.samples) == (timedelta(seconds=140), HOUR, 7)
    assert row.watch.worst is not None
    assert row.watch.worst.value == "180 ms"
    assert (row.sampled, row.problems) == (NOW + 2 * MINUTE, ())


PROBLEMS = {
    "a window that has ended": ((REMEMBERED,), HOUR, "EXPIRED: its window has ended"),
    "a lease that nobody has renewed": ((REMEMBERED,), HOUR, "EXPIRED: its lease on production/orders has run out"),
    "an undo that failed": ((REMEMBERED, APPLIED, UNDO, UNDOING, UNDO_FAILED), MINUTE, "the undo of step 1 failed"),
    "a watch without a first sample": ((REMEMBERED, APPLIED, WATCHING), 2 * MINUTE, "NOT WATCHED: the last sample is"),
    "an answer that is late": ((REMEMBERED, APPLIED, WATCHING, ASKED), 20 * MINUTE, "Nobody has answered in time"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_is_wrong_with_what_acts_is_said(ledger: Ledger, problem: str) -> None:
    """A person on call has to know it at once."""
    events, after, sentence = PROBLEMS[problem]
    started(ledger, *events)
    [row] = seen(ledger, after).acting.items
    assert any(sentence in said for said in row.problems), row.problems


def test_an_orphaned_change_comes_first(ledger: Ledger) -> None:
    """Nobody acts on it, and what it applied may be there still."""
    started(ledger, run="run-2", services=["orders"])
    change = approved(ledger, banner()).change
    leases.start(ledger, change, intent(changes.get(ledger, change).digest), targets=("production/other",), now=NOW)
    leases.orphan(ledger, change, run=RUN, now=NOW)
    first, second = seen(ledger).acting.items
    assert first.change == change
    assert first.problems[0].startswith("ORPHANED: its run died")
    assert second.problems == ()


def test_a_watch_that_somebody_has_written_into_is_not_believed(ledger: Ledger) -> None:
    """It is a problem, and not the progress that stands there."""
    change = started(ledger, REMEMBERED, APPLIED, WATCHING).change
    sampled(ledger, change, NOW)
    tamper(ledger, "UPDATE watches SET at = '2031-03-18 14:59:00'")
    [row] = seen(ledger).acting.items
    assert row.watch is None
    assert "NOT KNOWN" in row.problems[0]


@pytest.mark.parametrize(
    ("start", "end", "is_there", "is_open"),
    [
        pytest.param("14:00", "15:00", True, True, id="its window is open"),
        pytest.param("15:10", "16:00", True, False, id="it opens in an hour"),
        pytest.param("15:11", "16:00", False, False, id="it opens later"),
    ],
)
def test_what_starts_within_the_hour_is_what_is_approved(
    ledger: Ledger, start: str, end: str, *, is_there: bool, is_open: bool
) -> None:
    """Nothing stands against it."""
    window = {"zone": "UTC", "start": f"2031-03-18 {start}", "end": f"2031-03-18 {end}"}
    approved(ledger, banner(window=window), valid=DAY)
    rows = seen(ledger).coming.items
    assert [row.is_open for row in rows] == ([is_open] if is_there else [])
    assert all(row.against == () for row in rows)


def test_what_the_gate_would_refuse_is_said_before(ledger: Ledger) -> None:
    """A target that is held, a stop of the line, an approval that will have expired: while there is time to mend it."""
    window = {"zone": "UTC", "start": "2031-03-18 15:05", "end": "2031-03-18 16:00"}
    coming = approved(ledger, banner(window=window), valid=30 * MINUTE).change
    started(ledger)
    stops.stop(ledger, person="dora", reason="secret", now=NOW, until=NOW + 2 * HOUR)
    [row] = seen(ledger).coming.items
    said = " ".join(row.against)
    assert row.change == coming
    assert STOPPED in row.against
    assert "production/orders is held by CHG-1002" in said
    assert "the approval of bob expired" in said
    assert "secret" not in said


def test_a_stop_that_ends_before_stands_against_nothing(ledger: Ledger) -> None:
    """The window opens after it."""
    window = {"zone": "UTC", "start": "2031-03-18 14:40", "end": "2031-03-18 16:00"}
    approved(ledger, banner(window=window), valid=DAY)
    stops.stop(ledger, person="dora", reason="a pause", now=NOW, until=NOW + 20 * MINUTE)
    [row] = seen(ledger).coming.items
    assert row.against == ()


def test_a_window_that_nobody_has_closed_is_said(ledger: Ledger) -> None:
    """Housekeeping closes it within five minutes, if it runs."""
    approved(ledger, banner())
    [row] = seen(ledger, 2 * HOUR).coming.items
    assert "Look whether the DAG housekeeping runs." in row.against[0]


def test_who_has_to_answer_is_said(ledger: Ledger) -> None:
    """The approval that is asked for next, and until when it helps; the question of a run; the checklist."""
    waiting = changes.submit(ledger, banner(), requester="alice", now=NOW).change
    checklist = approved(ledger, banner(preflight={"confirmed": ["The backup is done"]}), valid=DAY).change
    asked = started(ledger, REMEMBERED, APPLIED, WATCHING, ASKED, preflight={}).change
    rows = {row.change: row for row in seen(ledger).answers.items}
    assert (rows[waiting].about, rows[waiting].until) == ("approval", NOW + 43 * MINUTE)
    assert (rows[checklist].about, rows[checklist].what, rows[checklist].whom) == (
        "checklist",
        "The backup is done",
        "alice",
    )
    assert (rows[asked].about, rows[asked].whom, rows[asked].until) == ("question", "alice, bob", NOW + 15 * MINUTE)


def test_whoever_may_allow_a_later_end_of_a_window_is_waited_for(ledger: Ledger) -> None:
    """Until that end, or until a later one was allowed: each run that asks is one question."""
    change = started(ledger).change
    later = changes.get(ledger, change).closes + HOUR
    asked = {"reason": "it takes longer", "people": ("bob", "carol"), "by": "alice"}
    for run, end in (("extend_window/1", later), ("extend_window/2", later + HOUR)):
        record(ledger, Event(change, "alice", NOW, payloads.ExtensionAsked(run=run, later=end, **asked)))

    def ends() -> list[datetime | None]:
        return [row.until for row in seen(ledger).answers.items if row.about == "extension"]

    first = seen(ledger).answers.items[0]
    assert first.what == f"may its window end {later:%Y-%m-%d %H:%M} UTC? alice asks for it: it takes longer"
    assert (first.whom, ends()) == ("bob, carol", [later, later + HOUR])
    record(ledger, Event(change, "bob", NOW, payloads.ExtensionRefused(run="extend_window/1", reason="no")))
    assert ends() == [later + HOUR]
    extended(ledger, change, later + HOUR, NOW)
    assert ends() == []


def test_an_emergency_waits_for_no_approval_and_owes_one(ledger: Ledger) -> None:
    """Before it acts it starts soon; once it has acted, somebody who was not involved is asked."""
    data = banner(type="emergency")
    sent = emergencies.declare(ledger, data, declaration(NOW), person="alice", now=NOW, origin="run")
    first = seen(ledger)
    assert [(row.change, row.is_emergency) for row in first.coming.items] == [(sent.change, True)]
    assert first.answers.items == ()
    leases.start(ledger, sent.change, intent(sent.digest, is_emergency=True), targets=("production/orders",), now=NOW)
    [row] = seen(ledger).answers.items
    assert (row.about, row.change) == ("retroactive approval", sent.change)


def test_a_target_that_nobody_acts_on_comes_first(ledger: Ledger) -> None:
    """A failed rollback keeps it, until somebody releases it; a lease that has run out is said."""
    change = started(ledger, REMEMBERED).change
    changes.close(ledger, change, run=RUN, outcome="rollback_failed", reason="the undo failed", now=NOW)
    other = approved(ledger, banner()).change
    wanted = intent(changes.get(ledger, other).digest, "run-2")
    leases.start(ledger, other, wanted, targets=("production/api",), now=NOW)
    first, second = seen(ledger).held.items
    assert (first.target, first.is_acting, first.is_expired) == ("production/orders", False, False)
    assert (second.target, second.is_acting, second.is_expired) == ("production/api", True, False)
    assert all(row.is_expired for row in seen(ledger, HOUR).held.items)


def test_what_is_owed_is_said_with_what_is_overdue_first(ledger: Ledger) -> None:
    """Of a drill, nothing is."""
    for due in (NOW + DAY, NOW - DAY):
        change = approved(ledger, banner()).change
        record(ledger, Event(change, "close", NOW - 2 * DAY, payloads.ReviewAsked(because="rolled_back", due=due)))
    first, second = seen(ledger).owed.items
    assert (first.change, first.part.what, first.is_overdue) == ("CHG-1002", "review", True)
    assert (second.change, second.is_overdue) == ("CHG-1001", False)


def reviewed(*what: str) -> payloads.Reviewed:
    """Return a review that asks for something."""
    asked = tuple(FollowUp(what=each, owner="carol", due=NOW + DAY) for each in what)
    return payloads.Reviewed(digest="", what_happened="It went bad.", follow_ups=asked)


@pytest.mark.parametrize(
    ("reviews", "owed"),
    [
        pytest.param([reviewed()], [], id="a review that asks for nothing"),
        pytest.param([reviewed("Add a test")], ["follow-up 1"], id="a review with a follow-up"),
        pytest.param([reviewed("Add a test"), reviewed()], ["follow-up 1"], id="a second one, that adds nothing"),
        pytest.param([reviewed(), reviewed("Add a test")], ["follow-up 1"], id="a second one, that adds something"),
    ],
)
def test_what_is_reviewed_owes_what_the_reviews_ask_for(
    ledger: Ledger, reviews: list[payloads.Reviewed], owed: list[str]
) -> None:
    """A change that owes nothing any more is passed over without reading all its events."""
    change = approved(ledger, banner()).change
    for event_of in (payloads.ReviewAsked(because="rolled_back", due=NOW - DAY), *reviews):
        record(ledger, Event(change, "bob", NOW, event_of))
    assert [row.part.what for row in seen(ledger).owed.items] == owed


def test_a_review_that_is_not_sealed_hides_nothing(ledger: Ledger) -> None:
    """Whoever writes one past Change Windows is noticed."""
    change = approved(ledger, banner()).change
    record(ledger, Event(change, "close", NOW, payloads.ReviewAsked(because="rolled_back", due=NOW - DAY)))
    forged = """INSERT INTO events (number, sequence, at, kind, actor, data, previous, hash, seal)
        SELECT number, 99, at, 'reviewed', 'mallory', '{"digest":"","what_happened":"x"}', hash, hash, seal
        FROM events WHERE number = 1001 AND sequence = 1"""
    tamper(ledger, forged)
    assert [row.change for row in seen(ledger).unreadable] == [change]


def test_of_other_changes_nothing_is_said(ledger: Ledger) -> None:
    """Also not by what stands against one's own."""
    window = {"zone": "UTC", "start": "2031-03-18 14:20", "end": "2031-03-18 16:00"}
    own = approved(ledger, banner(window=window), valid=DAY)
    started(ledger, REMEMBERED, APPLIED, WATCHING, ASKED)
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    now = seen(ledger, numbers=frozenset({1001}))
    assert [row.change for row in now.coming.items] == [own.change]
    assert now.coming.items[0].against == (HIDDEN,)
    assert (now.acting.items, now.answers.items, now.held.items) == ((), (), ())
    assert "CHG-1002" not in repr(now)


def test_what_was_altered_is_said_and_stops_nothing_else(ledger: Ledger) -> None:
    """One change whose events somebody has altered is named; the others are there."""
    broken, whole = started(ledger).change, changes.submit(ledger, banner(), requester="alice", now=NOW).change
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE number = 1001 AND sequence = 1")
    now = seen(ledger)
    assert [row.change for row in now.unreadable] == [broken]
    assert [row.change for row in now.answers.items] == [whole]


def test_a_line_that_was_altered_is_not_known(ledger: Ledger) -> None:
    """Whether it is stopped nobody can say; what acts is there."""
    started(ledger)
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE number = 0 AND sequence = 1")
    now = seen(ledger)
    assert "altered" in now.stops.unknown
    assert len(now.acting.items) == 1


def test_without_a_ledger_the_calendar_is_known(ledger: Ledger) -> None:
    """Each other part says why it is not."""
    now = present(LedgerDown("no answer"), POLICY, NOW, None)
    parts = (now.acting, now.coming, now.answers, now.stops, now.held, now.owed)
    assert all("no answer" in part.unknown for part in parts)
    assert now.calendar.unknown == ""


def test_without_a_policy_the_ledger_is_known(ledger: Ledger) -> None:
    """Who is asked, and what is frozen, is not; nor does anything start."""
    started(ledger)
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    now = present(ledger, BadPolicy(["calendar.yaml: no zone"]), NOW, None)
    assert len(now.acting.items) == 1
    assert [(row.is_known, row.whom) for row in now.answers.items] == [
        (False, "who is asked is not known until the policy can be read")
    ]
    assert "no zone" in now.calendar.unknown


def test_what_was_read_once_is_not_read_again_until_there_is_more(ledger: Ledger) -> None:
    """A page that asks every five seconds reads no events that it knows; a new one is seen at once."""
    change = started(ledger, REMEMBERED).change
    seen(ledger)
    statements: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    seen(ledger)
    assert [text for text in statements if "FROM events" in text and "ORDER BY events.sequence" in text][1:] == []
    record(ledger, Event(change, f"{RUN}/task", NOW, UNDO.model_copy(update={"run": RUN})))
    assert seen(ledger).acting.items[0].is_rolled_back


BERLIN = {"zone": "Europe/Berlin", "default": "open"}
NIGHT = {"name": "night", "start": "2026-01-05 22:00", "end": "2026-01-06 04:00", "repeat": "FREQ=DAILY"}


def on(moment: str, **entries: Any) -> list[InForce]:
    """Return what is in force at a moment of UTC."""
    schedule = Schedule.of(Calendar(**{**BERLIN, **entries}))
    return in_force(schedule, datetime.fromisoformat(moment).replace(tzinfo=UTC), HOUR)


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        pytest.param("2026-03-28 22:00", "2026-03-29 02:00", id="the night that is an hour shorter"),
        pytest.param("2026-10-24 22:00", "2026-10-25 03:00", id="the night that is an hour longer"),
        pytest.param("2026-10-25 02:59", "2026-10-25 03:00", id="its last minute"),
        pytest.param("2026-10-25 03:00", None, id="its end, which does not belong to it"),
    ],
)
def test_a_window_is_open_until_its_local_end(moment: str, until: str | None) -> None:
    """Also in the nights in which clocks change."""
    rows = on(moment, windows=[NIGHT])
    assert [f"{row.until:%Y-%m-%d %H:%M}" for row in rows] == ([until] if until else [])


def test_a_freeze_is_said_an_hour_before() -> None:
    """What holds now comes before what begins."""
    freezes = [NIGHT, {**NIGHT, "name": "sales", "start": "2026-06-01 00:00", "end": "2026-06-02 00:00"}]
    freezes[1].pop("repeat")
    assert [(row.name, row.is_now) for row in on("2026-05-31 21:30", freezes=freezes)] == [
        ("night", True),
        ("sales", False),
    ]
    assert on("2026-06-02 10:00", freezes=freezes) == []


def test_two_windows_at_once_are_both_said() -> None:
    """Each with whom it is for."""
    other = {**NIGHT, "name": "orders", "services": ["orders"], "environments": ["production"]}
    rows = on("2026-06-02 23:00", windows=[NIGHT, other])
    assert [(row.name, row.services, row.environments) for row in rows] == [
        ("night", (), ()),
        ("orders", ("orders",), ("production",)),
    ]
