"""What somebody asks for becomes a change of the ledger, or every finding at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from changewindow.changes import request
from changewindow.changes.request import Request
from changewindow.cli.standalone import ROOT
from changewindow.errors import BadRequest, LedgerUnknown, NotAllowed
from changewindow.ledger import approvals, changes, queries
from changewindow.ledger.database import Ledger
from changewindow.policy.conflicts import Other
from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy
from support.changes import NOW, approved, intent
from support.tickets import POLICY, banner

START, END = NOW + timedelta(days=1), NOW + timedelta(days=1, hours=1)


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Return the policy of the demo, with the shipped templates."""
    demo = load_policy(ROOT / "include/demo/policy", ROOT / "include/templates")
    return replace(demo, connections=POLICY.connections)


def ask(ledger: Ledger, policy: Policy, **given: Any) -> request.TakenIn:
    """Ask as alice."""
    return request.take_in(ledger, policy, Request(**{"person": "alice", **given}), now=NOW)


def text(**changed: Any) -> str:
    """Return a ticket as YAML."""
    return json.dumps(banner(**changed))


def test_a_good_ticket_is_a_change(ledger: Ledger, policy: Policy) -> None:
    """It waits for its approval under the name of who asked."""
    taken = ask(ledger, policy, ticket=text())
    change = changes.get(ledger, str(taken.change))
    assert (change.status, change.requester, change.owner) == ("submitted", "alice", "alice")


def test_a_bad_ticket_writes_nothing(ledger: Ledger, policy: Policy) -> None:
    """All findings are there at once, of ticket and policy alike."""
    taken = ask(ledger, policy, ticket=text(reviewer="ALICE", validation=[]))
    assert taken.change is None
    assert {finding.code for finding in request.errors(taken.loaded.findings)} == {"two_people", "watch_can_judge"}
    with pytest.raises(LedgerUnknown, match="CHG-1001"):
        changes.get(ledger, "CHG-1001")


def test_another_change_at_the_same_time_is_a_finding(ledger: Ledger, policy: Policy) -> None:
    """Who asks learns it at once, and may ask for another window."""
    ask(ledger, policy, ticket=text())
    taken = ask(ledger, policy, ticket=text(summary="Another one"))
    (finding,) = request.errors(taken.loaded.findings)
    assert finding.code == "no_overlap"
    assert "CHG-1001 touches production/orders too" in finding.sentence
    assert ask(ledger, policy, ticket=text(services=["shop"])).change == "CHG-1002"


def test_of_two_requests_at_once_one_warns_of_the_other(
    ledger: Ledger, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is judged before the other is in the ledger, and only one of them may act."""
    judged, read = Barrier(2), queries.others

    def others(*asked: Any, but: str = "") -> list[Other]:
        known = read(*asked, but=but)
        if not but:
            judged.wait(60)
        return known

    monkeypatch.setattr(queries, "others", others)
    with ThreadPoolExecutor(2) as people:
        asked = [people.submit(ask, ledger, policy, ticket=text(summary=summary)) for summary in ("One", "Another")]
        both = [each.result() for each in asked]
    assert {taken.change for taken in both} == {"CHG-1001", "CHG-1002"}
    warnings = [finding for taken in both for finding in taken.loaded.findings if finding.code == "no_overlap"]
    assert warnings
    assert all(finding.is_warning and "touches production/orders too" in finding.sentence for finding in warnings)


def test_a_standard_change_is_asked_for_by_name_values_and_window(ledger: Ledger, policy: Policy) -> None:
    """It is inside its template, so nobody else is asked."""
    name = policy.standards.names()[0]
    taken = ask(ledger, policy, standard=name, start=START, end=END, zone="Europe/Berlin", reviewer="bob")
    data = changes.revision(ledger, str(taken.change))
    assert data["window"] == {"zone": "Europe/Berlin", "start": "2031-03-19 15:10", "end": "2031-03-19 16:10"}
    assert (data["owner"], policy.standards.is_inside(data)) == ("alice", name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({}, "Nothing is asked for", id="nothing"),
        pytest.param({"ticket": "x", "standard": "y"}, "Both a ticket and a standard change", id="two things"),
        pytest.param({"standard": "max_idle"}, "needs a window", id="a standard change without window"),
        pytest.param(
            {"standard": "max_idl", "start": START, "end": END}, "Did you mean 'max_idle'", id="a slip of the pen"
        ),
        pytest.param(
            {"standard": "max_idle", "start": START, "end": END, "reviewer": "bob", "values": {"max_idle": 99}},
            "is not approved in advance",
            id="a value outside of the envelope",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(ledger: Ledger, policy: Policy, given: dict[str, Any], message: str) -> None:
    """In one sentence, before anything is written."""
    with pytest.raises(BadRequest, match=message):
        ask(ledger, policy, **given)


def test_a_new_text_for_a_change_does_not_meet_itself(ledger: Ledger, policy: Policy) -> None:
    """A change may be given another text at the same time; its approval is dropped."""
    ask(ledger, policy, ticket=text())
    taken = ask(ledger, policy, ticket=text(details="More"), change="CHG-1001", person="bob")
    assert (taken.change, taken.is_new_text) == ("CHG-1001", True)
    assert changes.get(ledger, "CHG-1001").requester == "bob"
    assert not ask(ledger, policy, change="CHG-1001").is_new_text


@pytest.mark.parametrize("given", [{}, {"reviewer": "alice"}], ids=["a good ticket", "a bad one"])
def test_a_new_text_for_no_change_is_refused_as_that(ledger: Ledger, policy: Policy, given: dict[str, Any]) -> None:
    """Whatever else is wrong: there is no such change."""
    with pytest.raises(LedgerUnknown, match="The ledger has no change CHG-7777"):
        ask(ledger, policy, ticket=text(**given), change="CHG-7777")


def test_asking_twice_from_one_place_is_about_one_change(ledger: Ledger, policy: Policy) -> None:
    """A task that died after it wrote, or was cleared, makes no second change."""
    first = ask(ledger, policy, ticket=text(), origin="request_change/run-1")
    again = ask(ledger, policy, ticket=text(), origin="request_change/run-1")
    assert (again.change, again.is_new_text) == (first.change, False)


def test_only_the_window_is_moved(ledger: Ledger, policy: Policy) -> None:
    """The policy of the demo keeps the approval then."""
    submitted = approved(ledger, banner(), valid=timedelta(days=5))
    taken = ask(ledger, policy, change=submitted.change, start=START, end=END)
    assert not taken.is_new_text
    change = changes.get(ledger, submitted.change)
    assert change.opens == START
    assert approvals.asked(ledger, submitted.change, intent(change.digest), now=NOW) is None
    strict = replace(policy, approvals=policy.approvals.model_copy(update={"reslot_keeps": False}))
    ask(ledger, strict, change=submitted.change, start=START + timedelta(hours=2), end=END + timedelta(hours=2))
    assert (
        approvals.asked(ledger, submitted.change, intent(changes.get(ledger, submitted.change).digest), now=NOW)
        is not None
    )


def test_a_closed_change_gets_no_new_text(ledger: Ledger, policy: Policy) -> None:
    """The requester is told to submit a new ticket."""
    submitted = approved(ledger, banner())
    changes.close(ledger, submitted.change, run="r", outcome="completed", reason="", now=NOW)
    with pytest.raises(NotAllowed, match=r"it is completed\. Submit a new ticket"):
        ask(ledger, policy, change=submitted.change, start=START, end=END)
