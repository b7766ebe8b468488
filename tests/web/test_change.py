"""The page of one change."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from changewindow.errors import BadPolicy, LedgerDown
from changewindow.ledger import changes, events, leases, payloads, records
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.emergencies import declare
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Payload
from changewindow.ledger.payloads.emergency import FollowUp
from changewindow.policy.outcome import Outcome
from support.busy import STATES
from support.changes import NOW, approved, intent
from support.declarations import declaration
from support.manual_changes import manual
from support.pages import VIEWERS, Pages
from support.tampering import tamper
from support.tickets import banner

RUN = "scheduled__2031-03-18T14:00:00+00:00"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)> javascript:alert(3)'
SOURCE = {"kind": "http", "connection": "shop", "path": "/banner"}
LATENCY = {"name": "p99 latency", "unit": "ms", "source": SOURCE, "fail": {"above": 200}}


def started(ledger: Ledger, **changed: Any) -> Submitted:
    """Return a change whose run has passed its gate."""
    submitted = approved(ledger, banner(**changed))
    leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=("production/orders",), now=NOW)
    return submitted


def happened(ledger: Ledger, change: str, task: str, *events_: Payload, after: float = 0) -> None:
    """Let a task of the run write events, a second apart."""
    for second, payload in enumerate(events_):
        at = NOW + timedelta(seconds=after + second)
        events.record(ledger, Event(change, f"{RUN}/{task}", at, payload.model_copy(update={"run": RUN})))


def reading(second: float, **fields: Any) -> dict[str, Any]:
    """Return a reading so many seconds after NOW."""
    at = (NOW + timedelta(seconds=second)).isoformat()
    return {"condition": "p99 latency", "verdict": "pass", "at": at, "says": "limit 200 ms", "unit": "ms", **fields}


def closed(ledger: Ledger, submitted: Submitted, outcome: Outcome, reason: str = "it is over") -> None:
    """End a change."""
    changes.close(ledger, submitted.change, run=RUN, outcome=outcome, reason=reason, now=NOW + timedelta(minutes=9))


def offered(text: str) -> set[str]:
    """Return the DAGs that a page offers to trigger."""
    return set(re.findall(r'data-trigger="([^"]+)"', text))


def test_a_change_that_waits_for_approval_says_what_is_missing(pages: Pages, ledger: Ledger) -> None:
    """What, why, who, when; whose approval it lacks; and what its gate says, with the remedy."""
    changes.submit(ledger, banner(details="Asked for by sales."), requester="dave", now=NOW)
    text = pages.get("/changes/CHG-1001")
    for word in ("Switch the banner on.", "Asked for by sales.", "dave", "alice", "bob", "production/orders"):
        assert word in text
    assert "2031-03-18 14:00" in text
    assert "<strong>Still missing:</strong> nobody has approved it." in text
    assert "<code>nobody_approved</code>" in text
    assert "banner on" in text
    assert offered(text) == {"cancel_change", "extend_window", "reslot_change"}
    assert 'href="/required_actions?response_received=false&amp;subject_search=CHG-1001:"' in text
    assert 'data-live="60"' in text
    pages.now = NOW + timedelta(days=1)
    assert "It waits for an answer." not in pages.get("/changes/CHG-1001")


def test_what_was_refused_and_may_start_now_is_started_in_airflow(pages: Pages, ledger: Ledger) -> None:
    """Its run is over: whoever has seen to what was wrong is told where to trigger it."""
    submitted = approved(ledger, banner())
    told = 'It was refused and does not try again by itself: <a href="/dags/CHG-1001"'
    assert told not in pages.get("/changes/CHG-1001")
    closed(ledger, submitted, "refused", "it was held")
    text = pages.get("/changes/CHG-1001")
    assert "CHG-1001 may start now." in text
    assert told in text


def test_an_approval_is_shown_with_who_when_and_for_which_text(pages: Pages, ledger: Ledger) -> None:
    """It is bound to a digest."""
    submitted = approved(ledger, banner())
    text = pages.get("/changes/CHG-1001")
    assert f"<code>{submitted.digest[:12]}</code></a> the newest" in text
    assert '<th scope="row">bob</th><td>yes</td><td>peer</td>' in text


def test_while_it_acts_the_page_is_live_and_only_what_makes_sense_is_offered(pages: Pages, ledger: Ledger) -> None:
    """To abort it, or to extend its window."""
    submitted = started(ledger)
    happened(ledger, submitted.change, "apply_1", payloads.Remembered(step=1, name="Switch it on", remembered={}))
    text = pages.get("/changes/CHG-1001")
    assert 'data-live="5"' in text
    assert offered(text) == {"abort_change", "extend_window"}
    assert "<td>applying</td>" in text
    assert 'href="/dags/CHG-1001/runs/scheduled__2031-03-18T14%3A00%3A00%2B00%3A00/tasks/apply_1"' in text


def test_a_change_that_is_rolled_back_is_not_aborted_again(pages: Pages, ledger: Ledger) -> None:
    """Nor is its window extended: neither makes a difference to it."""
    changes.abort(ledger, started(ledger).change, person="bob", reason="smoke", now=NOW)
    assert offered(pages.get("/changes/CHG-1001")) == set()


@pytest.mark.parametrize(
    ("outcome", "dags"),
    [("completed", {"CHG-1001"}), ("rollback_failed", {"CHG-1001", "release_target"})],
)
def test_what_is_offered_at_the_end(pages: Pages, ledger: Ledger, outcome: Outcome, dags: set[str]) -> None:
    """Each outcome leaves something else to do."""
    closed(ledger, started(ledger), outcome)
    text = pages.get("/changes/CHG-1001")
    assert offered(text) == dags
    assert 'name="mode" value="rollback"' in text
    assert 'data-live="60"' in text
    assert offered(pages.get("/changes/CHG-1001", viewer="viewer")) == set()


def test_what_is_over_has_nothing_to_come(pages: Pages, ledger: Ledger) -> None:
    """No step of it, and no other window."""
    closed(ledger, started(ledger), "rolled_back")
    pages.now = NOW + timedelta(days=365)
    text = pages.get("/changes/CHG-1001").partition('id="all-rules"')[0]
    assert "Submit a new ticket to do it again." in text
    assert "reslot_change" not in text
    assert "<td>not done</td>" in pages.get("/changes/CHG-1001")


@pytest.mark.parametrize("state", ["completed", "rolled_back", "rollback_failed", "missed", "rejected", "cancelled"])
def test_a_closed_change_names_one_remedy(busy_pages: Pages, state: str) -> None:
    """To do it again, to move it or to roll it back: whatever holds for its state, and nothing beside it."""
    text = busy_pages.get(f"/changes/{STATES[state]}")
    remedies = re.findall(r"<em>([^<]+)</em>", text.partition('id="may-act"')[2].partition("<details")[0])
    assert len(remedies) == 1
    assert ("reslot_change" in remedies[0]) == (state == "missed")


def test_readings_are_drawn_from_a_table_and_no_error_has_a_value(pages: Pages, ledger: Ledger) -> None:
    """What is stale, not there or unreachable is a gap, whatever value came with it."""
    submitted = started(ledger, watch={"for": "1m", "conditions": [LATENCY]})
    taken = (
        reading(1, value=148.5),
        reading(2, value=348, verdict="fail"),
        reading(3, verdict="error", cause="no_data"),
        reading(4, verdict="error", cause="stale", value=120),
        reading(5, verdict="error", cause="unreachable", says="no answer within 5 s"),
    )
    happened(ledger, submitted.change, "watch", payloads.Watching(since=NOW, seconds=60))
    happened(ledger, submitted.change, "watch", *(payloads.Read(readings=(each,)) for each in taken), after=1)
    verdict = payloads.Watched(verdict="fail", reason="p99 latency is bad", readings=(taken[-1],))
    happened(ledger, submitted.change, "watch", verdict, after=6)
    text = pages.get("/changes/CHG-1001")
    rows = re.findall(r'data-v="([^"]*)" data-a="(\w+)"', text)
    assert rows == [("148.5", "pass"), ("348.0", "fail"), ("", "error"), ("", "error"), ("", "error")]
    assert "stale (120 ms)" in text
    assert '["bad above 200 ms", 200.0]' in text
    assert "<span>verdict fail</span>" in text
    assert "took 5 readings: 3 error, 1 pass, 1 fail" in text


def test_a_hidden_change_cannot_be_told_from_one_that_is_not_there(pages: Pages, ledger: Ledger) -> None:
    """Neither by its status nor by its text, whatever is asked."""
    for _ in range(2):
        changes.submit(ledger, banner(), requester="alice", now=NOW)
    for path in ("/changes/{}", "/changes/{}/ticket.yaml"):
        pages.viewer = VIEWERS["who may see one change"]
        hidden, unknown = (pages.client.get(path.format(name)) for name in ("CHG-1002", "CHG-1009"))
        assert (hidden.status_code, unknown.status_code) == (404, 404)
        assert hidden.text.replace("CHG-1002", "CHG-1009") == unknown.text
        assert pages.status(path.format("CHG-1001"), viewer="who may see one change") == 200
        assert pages.status(path.format("CHG-1001"), viewer="who may see nothing") == 404
        for name in ("LINE", "FINDINGS", "CHG-0", "CHG-01001", "chg-1001"):
            assert pages.status(path.format(name)) == 404


def test_an_altered_event_is_shown_loudly_and_the_rest_stays_readable(pages: Pages, ledger: Ledger) -> None:
    """Whoever reads it knows that it may not be true."""
    approved(ledger, banner())
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE number = 1001 AND sequence = 2")
    text = pages.get("/changes/CHG-1001")
    assert 'role="alert"' in text
    assert "event 2 does not match its hash" in text
    assert "mallory" in text
    assert "Switch the banner on." in text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{' WHERE number = 1001 AND sequence = 1",
        "UPDATE events SET data = '[]' WHERE number = 1001 AND sequence = 1",
        "UPDATE events SET data = 'null', kind = 'read' WHERE number = 1001 AND sequence = 1",
        """UPDATE events SET data = '{"readings": 7}', kind = 'read' WHERE number = 1001 AND sequence = 1""",
    ],
)
def test_events_that_cannot_be_read_any_more_hide_nothing_else(pages: Pages, ledger: Ledger, statement: str) -> None:
    """Even where what stands there is no JSON."""
    approved(ledger, banner())
    tamper(ledger, statement)
    text = pages.get("/changes/CHG-1001")
    assert "event 1 does not match its hash" in text
    assert "gave the last approval that it needs" in text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET status = 'submitted' WHERE number < 0",
        "UPDATE changes SET owner = 'mallory' WHERE number = 1001",
        "UPDATE events SET actor = 'mallory' WHERE number = 1001 AND sequence = 2",
    ],
    ids=["nothing is altered", "a row beside the events is", "an event is"],
)
def test_the_events_are_read_and_checked_once(pages: Pages, ledger: Ledger, statement: str) -> None:
    """There may be thousands; whatever of the change was altered, nothing reads them all a second time."""
    approved(ledger, banner())
    tamper(ledger, statement)
    asked: list[tuple[str, Any]] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
    pages.get("/changes/CHG-1001")
    assert len([text for text, values in asked if "events.previous" in text and "1001" in str(values)]) == 1


def test_an_altered_text_is_not_shown(pages: Pages, ledger: Ledger) -> None:
    """It may be anything."""
    approved(ledger, banner())
    tamper(ledger, "UPDATE revisions SET text = replace(text, 'on', 'off') WHERE number = 1001")
    text = pages.get("/changes/CHG-1001")
    assert 'role="alert"' in text
    assert "Its text cannot be trusted" in text
    assert pages.status("/changes/CHG-1001/ticket.yaml") >= 400


def test_a_record_shows_what_was_done(pages: Pages, ledger: Ledger) -> None:
    """It has no plan, no gate and no approval."""
    told = manual("kubectl rollout restart deployment/orders", at=1)
    records.enter(ledger, told, {}, person="alice", now=NOW + timedelta(hours=1))
    text = pages.get("/changes/CHG-1001")
    assert "kubectl rollout restart deployment/orders" in text
    assert "A record tells what was done; nobody had approved it." in text
    assert "<dt>When</dt>" in text
    assert '<a href="/changes/CHG-1001/ticket.yaml">Download it as YAML</a>' in text
    assert "The pool was full" in text
    assert offered(text) == set()
    assert 'id="plan"' not in text
    assert "May it act" not in text
    assert "line: kubectl rollout restart deployment/orders" in pages.get("/changes/CHG-1001/ticket.yaml")


def test_an_unreadable_policy_is_said_and_hides_nothing_else(pages: Pages, ledger: Ledger) -> None:
    """Nothing new starts, and everybody sees why."""

    def unreadable() -> Any:
        raise BadPolicy(["approvals.yaml:1: no"])

    approved(ledger, banner())
    text = Pages(lambda: ledger, policy=unreadable).get("/changes/CHG-1001")
    assert "The policy cannot be read" in text
    assert "Switch the banner on." in text


def test_what_people_and_systems_write_stays_text(pages: Pages, ledger: Ledger) -> None:
    """In every field: nothing of it becomes a part of the page."""
    condition = {**LATENCY, "name": EVIL[:60]}
    steps = [{"name": EVIL[:60], "kind": "command", "run": [EVIL], "undo": [EVIL]}]
    submitted = started(ledger, summary=EVIL, details=EVIL, steps=steps, watch={"for": "1m", "conditions": [condition]})
    bad = reading(1, condition=EVIL[:60], value=EVIL, says=EVIL, unit=EVIL, verdict=EVIL, cause=EVIL)
    happened(
        ledger,
        submitted.change,
        "watch",
        payloads.Read(readings=(bad, bad | {"value": 3.5, "verdict": "pass"})),
        payloads.Watched(verdict="fail", reason=EVIL),
        payloads.UndoFailed(step=1, name=EVIL, reason=EVIL),
    )
    closed(ledger, submitted, "rollback_failed", EVIL)
    text = pages.get("/changes/CHG-1001")
    assert "<script>alert" not in text
    assert "<img" not in text
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', text))
    assert "&lt;script&gt;alert(1)" in text


def test_a_zone_moves_every_time(pages: Pages, ledger: Ledger) -> None:
    """Those in forms carry their offset from UTC, so that they mean the same everywhere."""
    approved(ledger, banner())
    text = pages.get("/changes/CHG-1001", zone="Asia/Kathmandu")
    assert "2031-03-18 19:45" in text
    assert 'value="2031-03-18T20:45+05:45"' in text
    assert 'value="2031-03-18T15:00Z"' in pages.get("/changes/CHG-1001", zone="UTC")


def test_thousands_of_readings_are_told_in_one_line_and_thinned(pages: Pages, ledger: Ledger) -> None:
    """The worst of each stretch stays, and the page stays light."""
    submitted = started(ledger, watch={"for": "1m", "conditions": [LATENCY]})
    with ledger.transaction() as session:
        for second in range(3000):
            bad = {"value": 999, "verdict": "fail"} if second == 1234 else {"value": 150 + second % 7}
            bad = {"verdict": "error", "cause": "no_data"} if second == 2999 else bad
            read = payloads.Read(run=RUN, readings=(reading(second, **bad),))
            at = NOW + timedelta(seconds=second)
            events.append(session, Event(submitted.change, f"{RUN}/watch", at, read))
    text = pages.get("/changes/CHG-1001")
    assert len(text) < 500_000
    assert "took 3000 readings: 2998 pass, 1 fail, 1 error" in text
    assert text.count('data-v="" data-a="error"') == 1, "the newest is shown, whatever it is"
    assert 'data-v="999.0" data-a="fail"' in text
    assert "of 3000 readings are shown" in text


def test_what_happened_is_paged(pages: Pages, ledger: Ledger) -> None:
    """The newest come first; each page leads to the one before."""
    submitted = started(ledger)
    for step in range(150):
        happened(ledger, submitted.change, "apply_1", payloads.Applied(step=step, name="x"))
    text = pages.get("/changes/CHG-1001")
    assert "applied step 149" in text
    assert "applied step 49 " not in text
    before = re.search(r"before=(\d+)", text)
    assert before
    earlier = pages.get("/changes/CHG-1001", before=before[1])
    assert "applied step 49 " in earlier
    assert "asked for the change" in earlier
    assert "Newest events" in earlier
    assert pages.status("/changes/CHG-1001", before="x") == 400


def test_an_emergency_shows_who_agreed_and_what_it_owes(pages: Pages, ledger: Ledger) -> None:
    """It has no approval before, and another window is not what it needs."""
    declared = declare(ledger, banner(type="emergency"), declaration(NOW), person="alice", now=NOW, origin="x")
    assert offered(pages.get("/changes/CHG-1001")) == {"cancel_change", "extend_window"}
    wanted = intent(declared.digest, RUN, is_emergency=True)
    leases.start(ledger, declared.change, wanted, targets=("production/orders",), now=NOW)
    text = pages.get("/changes/CHG-1001")
    assert "no orders come in" in text
    assert "carol agreed" in text
    assert "retroactive approval by 2031-03-19 14:10 UTC" in text
    assert offered(text) == {"abort_change", "extend_window"}


def test_what_is_owed_afterwards_can_be_done_here(pages: Pages, ledger: Ledger) -> None:
    """A review, and then each of its follow-ups until it is done."""
    submitted = started(ledger)
    closed(ledger, submitted, "rolled_back")
    asked = payloads.ReviewAsked(because="rolled_back", due=NOW + timedelta(days=7))
    events.record(ledger, Event(submitted.change, RUN, NOW, asked))
    assert offered(pages.get("/changes/CHG-1001")) == {"review_change"}
    todo = FollowUp(what="alert earlier", owner="alice")
    reviewed = payloads.Reviewed(digest=submitted.digest, what_happened="it was slow", follow_ups=(todo, todo))
    events.record(ledger, Event(submitted.change, "bob", NOW, reviewed))
    text = pages.get("/changes/CHG-1001")
    assert offered(text) == {"review_change", "follow_up"}
    assert "<option>1</option><option>2</option>" in text
    assert "1. alert earlier: open, alice" in text
    assert "Open: 1 alert earlier; 2 alert earlier." in text


def test_a_ledger_that_is_down_is_said(pages: Pages) -> None:
    """Nothing is shown that may be old."""

    def down() -> Ledger:
        raise LedgerDown("connection refused")

    assert Pages(down).status("/changes/CHG-1001") == 503


def test_what_the_calendar_has_against_its_window_is_said_before(pages: Pages, ledger: Ledger) -> None:
    """Whoever has asked for a Friday evening learns it on Monday."""
    window = {"zone": "UTC", "start": "2031-03-21 17:00", "end": "2031-03-21 18:00"}
    changes.submit(ledger, banner(window=window), requester="alice", now=NOW)
    text = pages.get("/changes/CHG-1001")
    assert "What the policy says about its window" in text


@pytest.mark.parametrize("before", ["9" * 5000, "9" * 10, "\u0663", "\u00b2", "-1", "x"])
def test_what_is_no_number_of_an_event_is_refused(pages: Pages, ledger: Ledger, before: str) -> None:
    """However many digits it has, and in whatever script."""
    approved(ledger, banner())
    assert pages.status("/changes/CHG-1001", before=before) == 400
