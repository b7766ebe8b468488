"""Changes in the ledger: what may start, what may be decided, and who holds a target."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from changewindow.documents.canonical import canonical
from changewindow.errors import ApprovalRefused, LedgerDown, LedgerUnknown, NotAllowed
from changewindow.ledger import approvals, changes, leases, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Base
from changewindow.ledger.verification import verify_all
from servers.postgres import shared
from support.changes import NOW, approved, intent
from support.tickets import banner

TARGETS = ("production/orders",)


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Return a ledger on SQLite, and one on PostgreSQL."""
    if request.param == "sqlite":
        made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        made = Ledger(shared().fresh().database_url)
    made.upgrade()
    made.upgrade()
    return made


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrated_tables_are_those_of_the_models(either: Ledger) -> None:
    """Nobody forgot a migration."""
    with either.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_ledger_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """What scheduling needs to know is filled in for the changes that are there."""
    old = Ledger(f"sqlite:///{tmp_path / 'old.db'}")
    old.upgrade("0001")
    values = (
        "1001, 's', 'alice', 'running', '', 'd', '2031-03-18 14:00:00', '2031-03-18 15:00:00', '2031-03-01 00:00:00'"
    )
    names = "number, summary, requester, status, reason, digest, opens, closes, submitted_at"
    with old.transaction() as session:
        session.execute(text(f"INSERT INTO changes ({names}) VALUES ({values})"))  # noqa: S608  constants
        session.execute(
            text("INSERT INTO revisions VALUES (1001, 'd', :text, '2031-03-01 00:00:00')"),
            {"text": canonical(banner())},
        )
        at = "'2031-03-18 14:00:00'"
        session.execute(text(f"INSERT INTO leases VALUES ('production/orders', 1001, 7, 'r', {at}, {at})"))  # noqa: S608
    old.upgrade()
    (other,) = queries.others(old, NOW, NOW + timedelta(hours=1))
    assert (other.change, other.owner, other.reviewer, other.targets) == (
        "CHG-1001",
        "alice",
        "bob",
        ("production/orders",),
    )
    assert changes.get(old, "CHG-1001").token == 7


def test_50_simultaneous_requests_for_one_target_give_one_lease(either: Ledger, ticket_data: dict[str, Any]) -> None:
    """One change gets the target; 49 are told clearly who holds it."""
    wanted = [approved(either, {**ticket_data, "details": str(number)}) for number in range(50)]

    def start(submitted: changes.Submitted) -> str:
        try:
            leases.start(
                either, submitted.change, intent(submitted.digest, run=submitted.change), targets=TARGETS, now=NOW
            )
        except NotAllowed as refused:
            return refused.reasons[0]
        return "started"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(start, wanted))
    assert answers.count("started") == 1
    holder = wanted[answers.index("started")].change
    assert answers.count(f"production/orders is held by {holder}. Wait until it is closed. [target_held]") == 49
    changes.close(either, holder, run=holder, outcome="completed", reason="", now=NOW)


def test_a_refused_start_writes_nothing(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Neither a lease nor a status is left of a start that was refused."""
    submitted = approved(ledger, ticket_data)
    with pytest.raises(NotAllowed, match="is not the newest one"):
        leases.start(ledger, submitted.change, intent("0" * 64), targets=TARGETS, now=NOW)
    assert leases.leases(ledger, submitted.change) == []
    assert changes.get(ledger, submitted.change).status == "approved"


@pytest.mark.parametrize("person", ["alice", "Alice", " ALICE "])
def test_a_requester_never_approves(ledger: Ledger, ticket_data: dict[str, Any], person: str) -> None:
    """However the name is written."""
    with pytest.raises(ApprovalRefused, match="ask a second person"):
        approved(ledger, ticket_data, person=person)


def test_a_decision_is_made_once(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """A late click on a decided request has no effect."""
    submitted = approved(ledger, ticket_data)
    with pytest.raises(ApprovalRefused, match="is approved; nothing waits"):
        approvals.decide(ledger, submitted.change, intent(submitted.digest), person="carol", is_yes=False, now=NOW)
    assert changes.get(ledger, submitted.change).status == "approved"


def test_a_failed_rollback_keeps_its_targets_and_others_release_them(
    ledger: Ledger, ticket_data: dict[str, Any]
) -> None:
    """Only `rollback_failed` blocks later changes."""
    for outcome, held in (("rolled_back", []), ("rollback_failed", ["production/orders"])):
        submitted = approved(ledger, {**ticket_data, "details": outcome})
        leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
        changes.close(ledger, submitted.change, run="run-1", outcome=outcome, reason="", now=NOW)  # type: ignore[arg-type]
        assert leases.leases(ledger, submitted.change) == held


def test_acting_needs_the_run_that_passed_the_gate(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Neither before the gate, nor in another run, nor after the end."""
    submitted = approved(ledger, ticket_data)

    def may(run: str) -> str:
        try:
            leases.require_running(ledger, submitted.change, run=run, now=NOW, forward=intent(submitted.digest))
        except NotAllowed as refused:
            return refused.reasons[0]
        return "yes"

    assert "not running" in may("run-1")
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assert may("run-1") == "yes"
    assert "run-1 of this change is acting" in may("run-2")
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="", now=NOW)
    assert "it is completed" in may("run-1")


def test_an_approval_that_expired_stops_the_next_step(ledger: Ledger, ticket_data: dict[str, Any]) -> None:
    """Approval is asked again before every forward step."""
    submitted = approved(ledger, ticket_data)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    later = NOW + timedelta(hours=2)
    with pytest.raises(NotAllowed, match="the approval of bob expired"):
        leases.require_running(ledger, submitted.change, run="run-1", now=later, forward=intent(submitted.digest))


@pytest.mark.parametrize("change", ["CHG-1", "CHG-x", "nonsense"])
def test_an_unknown_change_is_named(ledger: Ledger, change: str) -> None:
    """The reader learns which change is meant."""
    with pytest.raises(LedgerUnknown, match=change):
        changes.get(ledger, change)


@pytest.mark.parametrize("url", ["sqlite:////nowhere/ledger.db", "postgresql+psycopg2://a@127.0.0.1:1/b"])
def test_a_ledger_that_does_not_answer_says_so_in_one_line(url: str) -> None:
    """Whoever waits for the ledger reads what goes on without it."""
    with pytest.raises(LedgerDown, match=r"^The ledger does not answer: [^\n]+$"):
        changes.get(Ledger(url), "CHG-1001")


def test_what_acted_on_a_target_is_known_newest_first(either: Ledger) -> None:
    """With its text; what waits, and what acted elsewhere, is not among it."""
    data, target = banner(services=["tried"]), ("production/tried",)
    first, second, _ = (approved(either, data) for _ in range(3))
    for number, submitted in enumerate((first, second)):
        start = NOW + timedelta(minutes=number)
        leases.start(either, submitted.change, intent(submitted.digest, submitted.change), targets=target, now=start)
        if submitted is first:
            changes.close(either, submitted.change, run=submitted.change, outcome="completed", reason="", now=start)
    acted = queries.acted_on(either, target)
    assert [(past.change, past.status) for past in acted] == [(second.change, "running"), (first.change, "completed")]
    assert (acted[1].began, acted[1].closed, acted[1].ticket) == (NOW, NOW, data)
    assert queries.acted_on(either, ["staging/tried"]) == []


def test_the_order_in_which_labels_are_written_makes_no_other_text(ledger: Ledger) -> None:
    """The ledger keeps names in order; the plan shows labels as they come, and they come from there."""
    source = {"kind": "openmetrics", "connection": "shop", "metric": "m", "where": {"z": "1", "a": "2"}}
    data = banner(validation=[{"name": "Good", "source": source, "pass": {"below": 1}}])
    submitted = changes.submit(ledger, data, requester="alice", now=NOW)
    assert changes.text_of(ledger, submitted.change, submitted.digest) == data
    again = changes.revise(ledger, submitted.change, data, person="alice", now=NOW)
    assert not again.is_new_text
    assert verify_all(ledger).altered == ()
