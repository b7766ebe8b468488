"""`accept_finding`: who accepts a silent change has logged in, and has the right; all that is named, or nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.flow.dags.accepting import build_accept_dag
from changewindow.flow.rights import why_not
from changewindow.ledger import findings
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.looks import Look
from changewindow.ledger.verification import verify_all
from changewindow.policy.world_finding import WorldFinding
from support.changes import NOW
from support.task_instance import TaskInstance

UNTIL = (datetime.now(UTC) + timedelta(days=30)).isoformat()


@pytest.fixture
def found(known: Ledger, tmp_path: Path) -> Ledger:
    """Return a ledger with findings 1 and 2 of dora's service, 3 of erik's, and 4 of nobody's."""
    service = "{owners: [%s], environments: [production]}"
    services = f"services:\n  orders: {service % 'dora'}\n  billing: {service % 'erik'}\n"
    (tmp_path / "policy" / "services.yaml").write_text(services)
    made = [
        WorldFinding("change", "audit", f"web-3:/etc/{name}", NOW, "edited", "nobody", services=of)
        for name, of in (("a", ("orders",)), ("b", ("orders",)), ("c", ("billing",)), ("d", ()))
    ]
    findings.write_pass(known, [Look("audit", NOW, NOW, {})], made, [], now=NOW)
    return known


def accept(person: str | None, numbers: str, until: str = UNTIL) -> str:
    """Run the DAG; return what it says."""
    operator: Any = build_accept_dag().tasks[0]
    params = {"findings": numbers, "reason": "agreed with the team", "until": until}
    run = SimpleNamespace(triggering_user_name=person, run_type="manual")
    return str(operator.execute({"dag_run": run, "params": params, "ti": TaskInstance()}))


def open_findings(ledger: Ledger) -> list[int]:
    """Return which findings are open, the newest first."""
    return [recorded.number for recorded in findings.find(ledger, Wanted(state="open"))]


def test_the_owner_of_a_service_accepts_its_findings_in_their_own_name(found: Ledger) -> None:
    """The record has who, until when, and why."""
    done = accept("dora", "1, 2")
    assert done.startswith("accepted until ")
    assert done.endswith(": findings 1 (web-3:/etc/a), 2 (web-3:/etc/b)")
    [recorded] = findings.numbered(found, [2])
    assert (recorded.state, recorded.person, recorded.reason) == ("accepted", "dora", "agreed with the team")
    assert open_findings(found) == [4, 3]
    assert verify_all(found).altered == ()


@pytest.mark.parametrize(
    ("person", "numbers", "refusal"),
    [
        (
            "dora",
            "1, 3",
            "dora may not accept a finding: `accept` in rights.yaml allows it to owners (erik)",
        ),
        ("eve", "1", "eve may not accept a finding"),
        ("dora", "4", "dora may not accept a finding"),
        (None, "1", "unknown may not accept a finding"),
        ("eve", "99", "eve may not accept a finding"),
        ("admin", "1, 99", "The ledger has no finding 99"),
        ("admin", "1; DROP TABLE findings", "'1; DROP TABLE findings' is no list of numbers of findings"),
        ("admin", "-1", "'-1' is no list of numbers of findings"),
    ],
    ids=[
        "one of two belongs to somebody else",
        "another user",
        "a finding of no service",
        "nobody has logged in",
        "a finding that is not there, by another user",
        "a finding that is not there, by an operator",
        "no numbers",
        "a negative number",
    ],
)
def test_whoever_may_not_accept_all_that_they_name_accepts_nothing(
    found: Ledger, person: str | None, numbers: str, refusal: str
) -> None:
    """At the door of the API server, and in the run."""
    with pytest.raises(AirflowFailException) as refused:
        accept(person, numbers)
    assert refusal in str(refused.value)
    assert open_findings(found) == [4, 3, 2, 1]
    if "may not" in refusal:
        assert why_not("accept_finding", {"findings": numbers}, str(person), is_operator=False)


def test_an_operator_accepts_what_belongs_to_nobody(found: Ledger) -> None:
    """As the other interventions have it."""
    assert accept("admin", "3 4").endswith(": findings 3 (web-3:/etc/c), 4 (web-3:/etc/d)")


def test_an_end_that_has_passed_or_is_none_or_too_far_away_accepts_nothing(found: Ledger, tmp_path: Path) -> None:
    """Nor is a finding accepted twice."""
    for until in ("2001-01-01T00:00:00Z", "soon"):
        with pytest.raises(AirflowFailException):
            accept("dora", "1", until)
    with pytest.raises(AirflowFailException, match=r"2131-01-01 00:00 UTC is too far away, .* allows 365 days at once"):
        accept("dora", "1", "2131-01-01T00:00:00Z")
    (tmp_path / "policy" / "rights.yaml").write_text("accept_for: 90d\n")
    in_time, late = (datetime.now(UTC) + timedelta(days=days) for days in (89, 91))
    with pytest.raises(AirflowFailException, match=r"allows 90 days at once\. Name a time up to "):
        accept("dora", "1, 2", late.isoformat())
    accept("dora", "2", in_time.isoformat())
    accept("dora", "1")
    with pytest.raises(AirflowFailException, match=r"Finding 1 is accepted already, by dora: .*\. Nothing was done"):
        accept("dora", "1")
    assert open_findings(found) == [4, 3]
