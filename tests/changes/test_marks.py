"""An emergency form cannot run an unapproved normal change without leaving the marks, each of which is named here."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.changes import emergency_messages, owed
from changewindow.changes.emergency import declare
from changewindow.changes.emergency_form import emergency_of
from changewindow.errors import BadPolicy
from changewindow.ledger import aftercare, changes, events, leases, stops
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Declared, ReviewAsked
from changewindow.ledger.population import population
from changewindow.policy.approvals import Approvals
from changewindow.policy.model import Policy
from changewindow.policy.population import figures
from support.calendars import once, schedule
from support.changes import intent
from support.tickets import POLICY, SOURCE, banner

NOW = datetime(2031, 3, 18, 14, 5, tzinfo=UTC)  # a Tuesday, in the window of the ticket
HOUR = timedelta(hours=1)
LEVELS = [{"name": "peer", "from": ["peers"]}, {"name": "lead", "from": ["leads"]}]
STANDARD = {"name": "standard", "when": {"types": ["standard"]}, "levels": []}
ASKED = Approvals.model_validate(
    {"groups": {"peers": ["alice", "bob"], "leads": ["dora"]}, "rules": [STANDARD, {"name": "all", "levels": LEVELS}]}
)
RULES = replace(POLICY, approvals=ASKED, schedule=schedule())
"""A policy by which bob and dora approve what alice asks for, at any time, but for standard changes."""
FROZEN = replace(RULES, schedule=schedule(once("2031-03-18 13:00", "2031-03-18 15:00")))
CLOSED = replace(RULES, schedule=schedule(default="closed"))
CHECK = {"name": "Nobody pays", "source": SOURCE, "pass": {"equals": 200}}
COMPARED = {"name": "Slower", "source": SOURCE, "compare": {"by": "difference"}, "pass": {"below": 2}}
WATCH = {"for": "1m", "conditions": [COMPARED]}
STEP = json.dumps({"kind": "command", "run": ["banner", "on"], "undo": ["banner", "off"]})
FLAG = {"name": "Switch it on", "kind": "http_call", "connection": "shop", "path": "/banner", "undo": "nothing"}


def of_ticket(**changed: Any) -> dict[str, Any]:
    """Return a form with a ticket that is given whole, as it might have been asked for."""
    return {"incident": "INC-7", "ticket": json.dumps(banner(**changed))}


def stop(ledger: Ledger) -> None:
    """Stop the line."""
    stops.stop(ledger, person="carol", reason="the network is rebuilt", now=NOW, until=NOW + HOUR)


def owe_a_review(ledger: Ledger) -> None:
    """Let the review of an earlier change of the same target be overdue."""
    change = changes.submit(ledger, banner(), requester="alice", now=NOW - timedelta(days=9)).change
    asked = ReviewAsked(because="rolled_back", due=NOW - HOUR)
    events.record(ledger, Event(change, "housekeeping", NOW - timedelta(days=8), asked))


def declared(ledger: Ledger, rules: Policy | BadPolicy, form: dict[str, Any]) -> tuple[str, Declared]:
    """Declare an emergency as alice and have it begin; return the change, and its declaration as the record has it."""
    emergency = emergency_of({"broken": "It is down", "commander": "carol", **form}, rules, person="alice", now=NOW)
    made = declare(ledger, emergency, rules, person="alice", now=NOW, origin="emergency_change/run")
    leases.start(ledger, made.change, intent(made.digest, is_emergency=True), targets=("production/orders",), now=NOW)
    [event] = events.past(ledger, made.change, Declared)
    return made.change, event


@dataclass(frozen=True)
class Given:
    """A form, the policy, and what has happened before."""

    form: dict[str, Any]
    rules: Policy | BadPolicy = RULES
    before: Callable[[Ledger], None] = lambda _: None


@pytest.mark.parametrize(
    ("mark", "given"),
    [
        pytest.param("nobody_approved", Given(of_ticket()), id="nobody has approved it"),
        pytest.param("nobody_approved", Given(of_ticket(type="standard")), id="it calls itself standard"),
        pytest.param("nobody_approved", Given(of_ticket(type="emergency")), id="it calls itself emergency"),
        pytest.param("approvers_unknown", Given(of_ticket(), BadPolicy(["?"])), id="the policy cannot be read"),
        pytest.param(
            "too_early",
            Given(of_ticket(window={"zone": "UTC", "start": "2031-03-19 14:00", "end": "2031-03-19 15:00"})),
            id="its window is tomorrow",
        ),
        pytest.param("calendar_allows", Given(of_ticket(), FROZEN), id="there is a freeze"),
        pytest.param("calendar_allows", Given(of_ticket(), CLOSED), id="there is no maintenance window"),
        pytest.param("line_stopped", Given(of_ticket(), before=stop), id="the line is stopped"),
        pytest.param("check_skipped", Given(of_ticket(preflight={"checks": [CHECK]})), id="its preflight"),
        pytest.param("not_confirmed", Given(of_ticket(preflight={"confirmed": ["A backup"]})), id="its list"),
        pytest.param("no_baseline", Given(of_ticket(watch=WATCH)), id="it compares"),
        pytest.param("risk_floor", Given(of_ticket(steps=[FLAG])), id="a check finds something against it"),
        pytest.param("no_incident", Given({**of_ticket(), "incident": None}), id="no incident is open"),
        pytest.param("one_person", Given({**of_ticket(), "commander": "Alice"}), id="she commands herself"),
        pytest.param("review_overdue", Given(of_ticket(), before=owe_a_review), id="a review of the target is overdue"),
        pytest.param(
            "unwatched",
            Given({"step": STEP, "target": "production/orders", "unwatched_because": "no metric"}),
            id="nothing measures it",
        ),
    ],
)
def test_what_a_normal_change_would_have_waited_for_leaves_its_mark(ledger: Ledger, mark: str, given: Given) -> None:
    """In the record, and in the notice; it is counted, and owes its approval, whatever it was that did not hold it."""
    given.before(ledger)
    change, event = declared(ledger, given.rules, given.form)
    sentences = {skip.code: skip.sentence for skip in event.skipped}
    assert mark in sentences
    assert f"• {sentences[mark]}" in emergency_messages.skipped(change, event, person="alice")
    known = population(ledger, NOW - HOUR, NOW + HOUR, POLICY.emergencies)
    counted = {figure.name: figure.changes for figure in figures(known)}
    assert (counted["emergencies"], counted["approval_owed"]) == ((change,), (change,))
    assert (change in counted["without_incident"]) == (mark in {"no_incident", "unwatched"})
    assert owed.of_change(ledger, change, NOW)[0].startswith("retroactive approval by 2031-03-19 14:05 UTC")


def test_each_approver_is_told_by_name(ledger: Ledger) -> None:
    """Those of every level who would have been asked; not alice, who has asked herself."""
    change, event = declared(ledger, RULES, of_ticket())
    text = emergency_messages.skipped(change, event, person="alice", link="https://airflow.example")
    assert "• nobody has approved it (@bob, @dora)" in text.splitlines()
    assert "@bob, @dora: see what runs (https://airflow.example)" in text


@pytest.mark.parametrize(
    "typed",
    [
        {"skipped": []},
        {"skipped": [{"code": "nobody_approved", "sentence": "bob has approved it", "people": []}]},
        {"approvals": ["bob"], "approvers": ["bob"]},
        {"is_drill": True, "drill": True},
        {"due": "2041-01-01T00:00Z", "digest": "0" * 64},
        {"agreed_how": "bob and dora have approved it"},
    ],
    ids=", ".join,
)
def test_no_mark_is_typed_away(ledger: Ledger, typed: dict[str, Any]) -> None:
    """Marks are computed: no field of the form, and none that is added to it over REST, changes what they are."""
    change, event = declared(ledger, RULES, {**of_ticket(), **typed})
    assert [(skip.code, skip.people) for skip in event.skipped] == [("nobody_approved", ("bob", "dora"))]
    assert (event.digest, event.due) == (changes.get(ledger, change).digest, NOW + 24 * HOUR)
    known = aftercare.of_change(ledger, change)
    assert known is not None
    assert (known.is_drill, known.approval(NOW), known.skipped_people) == (False, "owed", ("bob", "dora"))
