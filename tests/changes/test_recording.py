"""A record closes what it explains, leaves the rest open and says why, and never makes anything look approved."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from changewindow.changes import our_changes, recording
from changewindow.changes.explaining import Scope, explained
from changewindow.changes.gathering import Look as Answered
from changewindow.changes.record_text import answer, recorded
from changewindow.changes.recording import Teller
from changewindow.changes.request import Request, take_in
from changewindow.changes.time_line import Style, text_of
from changewindow.changes.what_changed import Question
from changewindow.changes.what_changed import answer as what_changed
from changewindow.collectors.base import CollectorBase
from changewindow.collectors.changes import Collector as OurCollector
from changewindow.errors import ApprovalRefused, NotAllowed
from changewindow.ledger import approvals, changes, events, findings, leases, queries, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Settled
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.looks import Look
from changewindow.ledger.verification import verify_all
from changewindow.policy.manual_change import NoTicket
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.remembered import Difference
from support.changes import NOW, extended, intent
from support.manual_changes import HOSTS, IMAGE, finding, manual
from support.tampering import tamper
from support.tickets import POLICY, banner

TOLD = NOW + timedelta(minutes=30)
ACCEPT = (
    "To leave it as it is, accept it: the DAG `accept_finding`, or "
    "`changewindow findings accept {} --reason TEXT --until TIME`"
)
ACCEPT_THEIRS = (
    ". The record is kept; ask one of them to accept the finding: the DAG `accept_finding`, or `changewindow findings "
    "accept 2 --reason TEXT --until TIME`"
)
EDIT = manual("kubectl -n shop set image deploy/orders app=orders:1.4.3", "vi /etc/hosts --token x")


def everybody(_person: str, _services: Sequence[str]) -> str:
    """Let everybody close every finding."""
    return ""


def owners(person: str, services: Sequence[str]) -> str:
    """Let bob close those of orders."""
    return "" if (person, *services) == ("bob", "orders") else f"{person} may not: ask dora"


BOB = Teller("bob", everybody)


def found(ledger: Ledger, *made: WorldFinding, at: Any = TOLD) -> list[int]:
    """Let a pass find something."""
    return findings.write_pass(ledger, [Look("c", at, at, {})], made, [], now=at)


def enter(ledger: Ledger, told: Any = EDIT, numbers: Sequence[int] = (), **fields: Any) -> recording.Outcome:
    """Record something as bob."""
    told = told.model_copy(update={"findings": tuple(numbers)})
    return recording.enter(ledger, told, BOB, **{"now": TOLD, **fields})


def states(ledger: Ledger) -> list[str]:
    """Return the states of all findings, the oldest first."""
    return [each.state for each in reversed(findings.find(ledger, Wanted()))]


def test_a_record_closes_by_value_what_it_explains(ledger: Ledger) -> None:
    """Each finding with the reason; everything verifies, and the events say who told whose doing."""
    found(ledger, finding(**IMAGE), finding(**HOSTS), finding(**{**HOSTS, "object": "web-3:/etc/motd"}))
    outcome = enter(ledger)
    assert states(ledger) == ["recorded", "recorded", "open"]
    assert [judged.number for judged in outcome.closed] == [1, 2]
    [_, _, first] = findings.find(ledger, Wanted())
    assert (first.person, first.reason) == (
        "bob",
        f"as {outcome.change}, not approved: command 1 names it and its new value",
    )
    stored = changes.get(ledger, outcome.change)
    assert (stored.status, stored.requester, stored.owner, stored.digest) == ("recorded", "bob", "alice", EDIT.digest)
    assert [row.kind for row in events.history(ledger, outcome.change)] == ["recorded"]
    assert verify_all(ledger).altered == ()


NAMED: dict[str, tuple[WorldFinding, str]] = {
    "one of another service": (
        replace(finding(**IMAGE), services=("billing",)),
        "it is about billing, the record about production/orders",
    ),
    "one of another environment": (
        replace(finding(**IMAGE), environment="staging"),
        "it is about orders in staging, the record about production/orders",
    ),
    "one of another time": (
        finding(-90, **IMAGE),
        "it happened at 2031-03-18 12:40:00 UTC, the record is of 2031-03-18 14:10 to 14:20 UTC",
    ),
    "one that no command names": (
        finding(object="web-3:/etc/motd", what="edited"),
        "no command names web-3:/etc/motd",
    ),
    "a gap": (
        WorldFinding("gap", "dns", "", NOW, "could not see", "late", services=("orders",)),
        "it is a time in which dns could not see, and no change",
    ),
}


@pytest.mark.parametrize(("other", "why"), NAMED.values(), ids=NAMED.keys())
def test_a_finding_that_somebody_only_names_stays_open(ledger: Ledger, other: WorldFinding, why: str) -> None:
    """It is said why, and that it may be accepted; what the record explains besides is not touched."""
    found(ledger, other, finding(6, **IMAGE))
    outcome = enter(ledger, numbers=[1])
    assert states(ledger) == ["open", "open"]
    [left] = outcome.left
    assert left.text == (f"finding 1 is not closed: {why}. {ACCEPT.format(1)}")


@pytest.mark.parametrize("numbers", [(), (1, 2)], ids=["of all that are open", "of those that were named"])
def test_whoever_may_not_accept_a_finding_closes_it_by_no_record_either(
    ledger: Ledger, numbers: tuple[int, ...]
) -> None:
    """What they tell is kept; the finding stays open, and it is said who can close it. Others of theirs are closed."""
    why = "command 1 names it and its new value"
    edits = (finding(**IMAGE), replace(finding(6, **IMAGE), services=("billing",)))
    found(ledger, *edits)
    told = manual(*(command.line for command in EDIT.commands), services=["orders", "billing"], findings=numbers)
    outcome = recording.enter(ledger, told, Teller("bob", owners), now=TOLD)
    assert states(ledger) == ["recorded", "open"]
    assert changes.get(ledger, outcome.change).status == "recorded"
    assert [judged.text for judged in outcome.left] == [
        f"finding 2 is not closed: the record explains it ({why}), but bob may not: ask dora{ACCEPT_THEIRS}"
    ]
    assert f"{outcome.left[0].text}." in answer(outcome, told, "bob")
    assert "Finding 2 is not closed: the record explains it" in recorded(outcome, told, "bob")


def test_an_earlier_record_closes_late_only_what_whoever_told_it_may_close(ledger: Ledger) -> None:
    """Else one would tell first, and change afterwards."""
    for person in ("eve", "bob"):
        recording.enter(ledger, EDIT, Teller(person, owners), now=TOLD)
        found(ledger, finding(5 if person == "eve" else 6, **IMAGE))
        assert recording.close_told(ledger, owners, now=TOLD) == (() if person == "eve" else (2,))
    assert {each.person for each in findings.find(ledger, Wanted())} == {"bob"}


def test_findings_that_are_not_open_or_not_there_are_named(ledger: Ledger) -> None:
    """The record is kept all the same: who is woken does not type it twice for a wrong number."""
    found(ledger, finding(**IMAGE))
    accepted = Settled(1, "accepted", "known", TOLD + timedelta(days=1))
    findings.settle(ledger, [accepted], person="dora", now=TOLD)
    outcome = enter(ledger, numbers=[1, 99, 99])
    assert [judged.text for judged in outcome.left] == [
        "finding 1 is not closed: it is accepted already, by dora",
        "finding 99 is not closed: there is none with this number",
    ]
    assert changes.get(ledger, outcome.change).status == "recorded"


def test_what_is_seen_late_is_closed_by_the_next_pass(ledger: Ledger) -> None:
    """A collector that comes after the record; and what happens later is not explained by it."""
    outcome = enter(ledger)
    looks = Difference(object="x", before="a", after="b", earliest=NOW, latest=TOLD).when
    noticed = finding(25, object="web-3:/etc/hosts", what=f"changed {looks}")
    found(ledger, finding(**IMAGE), finding(40, **{**IMAGE, "after": "orders:1.4.3"}), noticed)
    assert recording.close_told(ledger, everybody, now=TOLD) == (1, 3)
    assert recording.close_told(ledger, everybody, now=TOLD) == ()
    assert states(ledger) == ["recorded", "open", "recorded"]
    assert findings.find(ledger, Wanted(state="recorded"))[0].reason.startswith(f"as {outcome.change}, not approved: ")
    assert verify_all(ledger).altered == ()


def test_a_run_that_is_tried_again_records_once(ledger: Ledger) -> None:
    """Its task may have died after it had written."""
    first = enter(ledger, origin="record_change/run-1")
    again = enter(ledger, origin="record_change/run-1")
    assert (again.change, again.is_new) == (first.change, False)
    assert enter(ledger, origin="record_change/run-2").change != first.change


def test_a_record_gives_no_right_to_anything(ledger: Ledger) -> None:
    """It cannot be approved, started, moved, cancelled, aborted, revised or rolled back, and holds nothing."""
    policy = POLICY
    change = enter(ledger).change
    wanted = intent(EDIT.digest)
    with pytest.raises(ApprovalRefused):
        approvals.decide(ledger, change, wanted, person="carol", is_yes=True, now=TOLD)
    for mode in ("run", "rollback"):
        again = replace(wanted, mode=mode)
        with pytest.raises(NotAllowed):
            leases.start(ledger, change, again, targets=EDIT.targets, now=NOW)
        with pytest.raises(NoTicket):
            leases.explain(ledger, change, policy, mode=mode, now=NOW)
    no_run = (
        "it is the record of what was done by hand, and nothing of it runs. To undo what was done, submit a ticket."
    )
    for end in (changes.cancel, changes.abort):
        with pytest.raises(NotAllowed, match=no_run):
            end(ledger, change, person="bob", reason="no", now=TOLD)
    with pytest.raises(NotAllowed, match=no_run):
        extended(ledger, change, TOLD + timedelta(hours=1), TOLD)
    with pytest.raises(NotAllowed):
        changes.revise(ledger, change, banner(), person="bob", now=TOLD)
    for request in (Request("bob", change=change), Request("bob", change=change, start=NOW, end=TOLD)):
        with pytest.raises(NoTicket, match="is the record of what was done by hand"):
            take_in(ledger, policy, request, now=TOLD)
    assert leases.leases(ledger, change) == []
    assert queries.acted_on(ledger, EDIT.targets) == []
    assert queries.others(ledger, NOW, TOLD) == []
    assert [row.kind for row in events.history(ledger, change)] == ["recorded"]


class Collector(CollectorBase):
    """One whose answer is given."""

    kind: Literal["given"] = "given"


def test_what_changed_shows_what_was_done_by_hand_as_recorded_and_not_as_approved(ledger: Ledger) -> None:
    """Both the record with its time, and what it tells of; nothing of it counts as explained by a change."""
    change = enter(ledger).change
    span = Span(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    known = our_changes.record(ledger, span)
    names = ("object", "at", "what", "before", "after")
    seen = Entry(**{name: getattr(finding(**IMAGE), name) for name in names})
    looks = [
        Answered("config", Collector(service="orders"), Collected((seen,), Coverage(span.since, span.until))),
        Answered("ours", OurCollector(), known.collected),
    ]
    lines = list(text_of(what_changed(Question(span), looks, known.changes, known.by_hand), Style()))
    who = f"recorded by bob (not approved) as {change}"
    assert f"                     {who}: command 1 names it and its new value" in lines
    assert f"                     {who}: it is this record" in lines
    [told] = [line for line in lines if line.startswith("2031-03-18 14:10:00  ours")]
    assert "recorded by bob (not approved): done by hand, 2031-03-18 14:10 to 14:20 UTC: The pool was full" in told
    assert "                     by alice (told by bob)" in lines
    explanation = explained(seen, Scope("production", ("orders",)), known.changes, known.by_hand)
    assert (explanation.change, explanation.by_value, explanation.by_object) == ("", False, False)


def test_the_message_says_who_told_what_about_whom(ledger: Ledger) -> None:
    """And what is closed and what is not; nothing that somebody has typed begins a line of its own."""
    found(ledger, finding(**IMAGE), finding(object="web-3:/etc/motd", what="edited"))
    told = manual("kubectl set image deploy/orders app=orders:1.4.3", *["ls"] * 6, incident="INC-7")
    told = told.model_copy(update={"findings": (1, 2), "done_by": "al\nice"})
    outcome = recording.enter(ledger, told, BOB, now=TOLD)
    assert recorded(outcome, told, "bob").splitlines() == [
        f"📝 RECORDED, not approved: {outcome.change} Done by hand: The pool was full",
        "On: production/orders | 2031-03-18 14:10 to 14:20 UTC",
        "Told by @bob: done by al ice | Incident: INC-7",
        "7 commands:",
        "kubectl set image deploy/orders app=orders:1.4.3",
        *["ls"] * 4,
        "and 2 more",
        "Finding 1 is closed as recorded: command 1 names it and its new value (Deployment shop/orders image changed)",
        f"Finding 2 is not closed: no command names web-3:/etc/motd. {ACCEPT.format(2)} (web-3:/etc/motd edited)",
    ]
    assert answer(outcome, told, "bob")[1] == "7 commands kept. No secret was seen in them."


def test_a_record_that_somebody_altered_explains_nothing(ledger: Ledger) -> None:
    """Verifying names it."""
    enter(ledger)
    tamper(ledger, "UPDATE revisions SET text = replace(text, '1.4.3', '1.4.9')")
    found(ledger, finding(**{**IMAGE, "after": "orders:1.4.9"}))
    assert recording.close_told(ledger, everybody, now=TOLD) == ()
    assert records.since(ledger, NOW) == []
    assert "its text" in "".join(verify_all(ledger).altered)
