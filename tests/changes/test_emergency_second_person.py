"""An overdue review of a target lets its next emergency ask for a second person, and is a mark of it in any case."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from changewindow.changes.emergency import declare
from changewindow.changes.emergency_form import emergency_of
from changewindow.documents.yaml_writing import written
from changewindow.errors import BadRequest
from changewindow.ledger import changes, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Declared, ReviewAsked
from changewindow.policy.model import Policy
from support.changes import NOW
from support.tampering import tamper
from support.tickets import POLICY, SHIPPED, banner

STEP = written({"kind": "command", "run": ["banner", "on"], "undo": ["banner", "off"]})
WORKS = written({"source": {"kind": "http", "connection": "shop", "path": "/banner"}, "pass": {"equals": 200}})
FORM: dict[str, Any] = {
    "broken": "no orders come in",
    "commander": "carol",
    "executor": "erin",
    "target": "production/orders",
    "step": STEP,
    "works_when": WORKS,
}


def marks(ledger: Ledger, rules: Policy = POLICY, **form: Any) -> dict[str, str]:
    """Declare an emergency as alice, and return what it has skipped."""
    emergency = emergency_of({**FORM, **form}, rules, person="alice", now=NOW)
    made = declare(ledger, emergency, rules, person="alice", now=NOW, origin=f"emergency_change/{sorted(form)}")
    [declared] = events.past(ledger, made.change, Declared)
    return {skip.code: skip.sentence for skip in declared.skipped}


@pytest.fixture
def overdue(ledger: Ledger) -> Ledger:
    """Return a ledger in which the review of an earlier change of orders is overdue since a minute."""
    change = changes.submit(ledger, banner(), requester="alice", now=NOW - timedelta(days=9)).change
    asked = ReviewAsked(because="rolled_back", due=NOW - timedelta(minutes=1))
    events.record(ledger, Event(change, "housekeeping", NOW - timedelta(days=8), asked))
    return ledger


@pytest.mark.parametrize("person", [None, "alice", "CAROL", "erin"])
def test_without_an_incident_somebody_else_has_to_agree(overdue: Ledger, person: str | None) -> None:
    """Neither who declares, nor who commands, nor who carries it out; nothing is declared otherwise."""
    with pytest.raises(BadRequest) as refused:
        marks(overdue, second_person=person)
    assert str(refused.value).startswith("second_person: ")
    assert "the review of CHG-1001 is overdue, and it touched production/orders" in str(refused.value)
    assert events.past(overdue, "CHG-1001", Declared) == []


def test_a_second_person_lets_it_begin(overdue: Ledger) -> None:
    """Who that is, stands in what was skipped."""
    assert marks(overdue, second_person="bob")["review_overdue"] == (
        "the review of CHG-1001 is overdue, and it touched production/orders; bob was named as a second person who "
        "agrees (named, not proven, and no group of approvals.yaml has a member by which to know them)"
    )


def test_a_second_person_has_to_be_one_of_the_policy(overdue: Ledger) -> None:
    """Where its groups have members; a name that is typed proves nothing, and the record says so."""
    approvals = SHIPPED.approvals.model_copy(update={"groups": {"peers": ("bob",)}})
    rules = replace(POLICY, approvals=approvals)
    with pytest.raises(BadRequest, match="the policy knows nobody of the name mallory"):
        marks(overdue, rules, second_person="mallory")
    with pytest.raises(BadRequest, match="Carol declares, commands or carries out"):
        marks(overdue, rules, second_person="Carol")
    assert marks(overdue, rules, second_person="Bob")["review_overdue"].endswith(
        "; Bob was named as a second person who agrees (named, not proven)"
    )


def test_an_open_incident_is_not_blocked(overdue: Ledger) -> None:
    """The overdue review is a mark."""
    skipped = marks(overdue, incident="INC-7")
    assert skipped["review_overdue"] == "the review of CHG-1001 is overdue, and it touched production/orders"


def test_other_targets_and_reviews_in_time_ask_nobody(overdue: Ledger) -> None:
    """And where the earlier change was altered, nobody can say so: that is a mark, and blocks nothing."""
    assert "review_overdue" not in marks(overdue, target="staging/orders")
    tamper(overdue, "UPDATE events SET actor = 'mallory' WHERE kind = 'review_asked'")
    assert marks(overdue, second_person="bob")["reviews_unknown"].startswith("whether a review is overdue is not known")
