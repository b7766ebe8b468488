"""Why a run may act, or may not: one row for each reason."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy
from changewindow.policy import time_rules
from changewindow.policy.assessment import Assessment
from changewindow.policy.conflicts import Other
from changewindow.policy.connections import Connections, Served
from changewindow.policy.decision import Decision
from changewindow.policy.gate import decide
from changewindow.policy.sign_off import RecordedApproval, RequiredApproval
from changewindow.policy.standing import (
    Assessed,
    Case,
    HeldTarget,
    Intent,
    LineStop,
    Preflight,
    Standing,
    StepStart,
)
from support.calendars import once, schedule
from support.layout import INCLUDE
from support.tickets import POLICY, banner, ticket

NOW = datetime(2031, 3, 18, 14, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
YES = RecordedApproval("bob", "d1", is_yes=True, expires_at=NOW + HOUR, level="peer")
OPENS = NOW - timedelta(minutes=10)
INTENT = Intent(
    "run-1",
    "d1",
    OPENS,
    OPENS + HOUR,
    timedelta(minutes=20),
    approvals=(RequiredApproval("peer", 1),),
    preflight=Preflight(),
)
STEP = StepStart(2, "Switch it on", done=timedelta(minutes=5))
STOP = LineStop("dora", "the database is on fire", NOW + HOUR)
BAD = BadPolicy(["policy/services.yaml:1: unknown field 'servces'. Remove it. [schema]"])
ACTING = Other("CHG-7", ("production/catalogue",), OPENS, OPENS + HOUR, "erik", "frida", "running")


def standing(status: str = "approved", **changed: object) -> Standing:
    """Return the standing of an approved change."""
    fields = {"status": status, "requester": "alice", "run": None, "approvals": (YES,), **changed}
    return Standing(**fields)  # type: ignore[arg-type]


def acting(**changed: object) -> Standing:
    """Return the standing of a change that has passed its gate."""
    return standing("running", **{"run": "run-1", **changed})


def intent(**changed: object) -> Intent:
    """Return what the run wants."""
    return Intent(**{**INTENT.__dict__, **changed})


def step(**changed: object) -> Intent:
    """Return the intent to apply the second step."""
    return intent(act="apply", step=replace(STEP, **changed))  # type: ignore[arg-type]


def preflight(**known: object) -> Intent:
    """Return the intent of a run that knows something from before its gate."""
    return intent(preflight=Preflight(**known))  # type: ignore[arg-type]


def assessed(*freezes: dict[str, str]) -> Assessment:
    """Return what the policy that is delivered says, with some freezes."""
    return Assessment(replace(POLICY, schedule=schedule(*freezes)), ticket(), banner(), "CHG-8")


def of_staging() -> Assessment:
    """Return what the policy says since the connection of the ticket serves staging only."""
    served = Served(services=("orders",), environments=("staging",))
    return replace(assessed(), policy=replace(POLICY, connections=Connections(connections={"shop": served})))


UNDO = intent(act="undo")
BACK = intent(mode="rollback")
FREEZE = once("2031-03-18 00:00", "2031-03-19 00:00")
MAY = [
    pytest.param(standing(), INTENT, id="an approved change in its window may start"),
    pytest.param(standing("refused"), INTENT, id="a refused change may be tried again"),
    pytest.param(acting(), INTENT, id="a gate that is asked again by its own run lets it through"),
    pytest.param(standing("submitted"), intent(needs=timedelta(minutes=50)), id="exactly enough time is enough"),
    pytest.param(
        standing(stops=(STOP,)), intent(is_emergency=True), id="an emergency starts while the line is stopped"
    ),
    pytest.param(standing(approvals=()), intent(approvals=()), id="a standard change needs no approval"),
    pytest.param(standing("completed", stops=(STOP,)), BACK, id="a completed change is rolled back at any time"),
    pytest.param(standing("running", approvals=()), BACK, id="an orphaned change is rolled back without an approval"),
    pytest.param(acting(), step(), id="the next step is applied"),
    pytest.param(acting(), step(has_started=True, safe_to_repeat=True), id="a step that may be repeated is"),
    pytest.param(standing("completed", altered=("it was",)), BACK, id="whatever was altered, it is rolled back"),
    pytest.param(acting(aborted="by dora", stops=(STOP,), approvals=()), UNDO, id="undo asks only whose run it is"),
]
MAY_NOT = [
    pytest.param("record_altered", standing(altered=("it was",)), INTENT, id="somebody has written into the ledger"),
    pytest.param("record_altered", acting(altered=("it was",)), step(), id="nothing more is applied then"),
    pytest.param("run_acting", standing("running", run="run-0"), INTENT, id="another run of it is acting"),
    pytest.param("orphaned", standing("running"), INTENT, id="its run died"),
    pytest.param("closed", standing("completed"), INTENT, id="a completed change is not done again"),
    pytest.param("closed", standing("missed"), INTENT, id="a missed change needs another window"),
    pytest.param("not_rollbackable", standing(), BACK, id="nothing was done that could be rolled back"),
    pytest.param("not_rollbackable", standing("rolled_back"), BACK, id="it is rolled back already"),
    pytest.param(
        "never_started", standing("completed", started=frozenset({"d0"})), BACK, id="no event says that it ever started"
    ),
    pytest.param(
        "run_acting", standing("running", run="run-0"), BACK, id="what acts is not rolled back by another run"
    ),
    pytest.param("text_outdated", standing(digest="d2"), INTENT, id="its text is not the newest one"),
    pytest.param("text_outdated", standing("completed", digest="d2"), BACK, id="an old text rolls nothing back"),
    pytest.param("nobody_approved", standing("submitted", approvals=()), INTENT, id="nobody approved it"),
    pytest.param("text_not_approved", standing(), intent(digest="d2"), id="another text was approved"),
    pytest.param(
        "only_requester",
        standing(approvals=(replace(YES, person="Alice"),)),
        INTENT,
        id="the requester's own approval does not count",
    ),
    pytest.param(
        "approval_expired",
        standing(approvals=(replace(YES, expires_at=NOW),)),
        INTENT,
        id="an approval that expires now has expired",
    ),
    pytest.param(
        "approvals_missing",
        standing(),
        intent(approvals=(RequiredApproval("peer", 2, ("bob", "carol")),)),
        id="one of two approvals is missing",
    ),
    pytest.param(
        "rejected",
        standing(approvals=(YES, replace(YES, person="carol", is_yes=False))),
        INTENT,
        id="a no outweighs a yes",
    ),
    pytest.param(
        "target_held", standing(held=(HeldTarget("test/a", "CHG-7"),)), INTENT, id="another change acts on it"
    ),
    pytest.param(
        "target_held",
        standing(held=(HeldTarget("test/a", "CHG-7", is_acting=False),)),
        INTENT,
        id="a failed rollback holds it",
    ),
    pytest.param("too_early", standing(), intent(opens=NOW + HOUR), id="the window has not opened"),
    pytest.param(
        "too_little_time", standing(), intent(needs=timedelta(minutes=51)), id="the window has too little left"
    ),
    pytest.param("late", standing(), intent(closes=NOW), id="the window has ended"),
    pytest.param("line_stopped", standing(stops=(STOP,)), INTENT, id="the line is stopped"),
    pytest.param(
        "check_failed", standing(), preflight(failed={"confirm": "alice did not confirm: backup"}), id="a check failed"
    ),
    pytest.param("check_unproven", standing(), preflight(unproven={"check_1": "skipped"}), id="a check proves nothing"),
    pytest.param(
        "prerequisite_missing",
        standing(),
        preflight(missing=(("Copy", "there is no /x; create it"),)),
        id="a step lacks",
    ),
    pytest.param("not_good", standing(), preflight(not_good="health = 0"), id="a check is good no more"),
    pytest.param("not_running", standing(), step(), id="a step outside of a run"),
    pytest.param("orphaned", acting(run=None), step(), id="a step of a run that was given up"),
    pytest.param("run_acting", acting(run="run-0"), UNDO, id="a step of another run"),
    pytest.param("lease_released", acting(has_lease=False), UNDO, id="a step whose targets were released"),
    pytest.param(
        "aborted", acting(aborted="aborted by dora: smoke"), step(), id="somebody aborted it between two steps"
    ),
    pytest.param("line_stopped", acting(stops=(STOP,)), step(), id="the line was stopped between two steps"),
    pytest.param(
        "approval_expired", acting(approvals=(replace(YES, expires_at=NOW),)), step(), id="it expired meanwhile"
    ),
    pytest.param("earlier_step_missing", acting(), step(not_applied=(1,)), id="an earlier step is not applied"),
    pytest.param("not_repeatable", acting(), step(has_started=True), id="a step started before"),
    pytest.param(
        "too_little_time", acting(), replace(step(), closes=NOW + timedelta(minutes=14)), id="steps took too long"
    ),
]


@pytest.mark.parametrize(("known", "wanted"), MAY)
def test_nothing_stands_against(known: Standing, wanted: Intent) -> None:
    """It may act, and every rule says why."""
    decision = decide(known, wanted, None, NOW)
    assert decision.findings == ()
    assert decision.may_act
    assert all(answer.sentence for answer in decision.satisfied)


@pytest.mark.parametrize(("code", "known", "wanted"), MAY_NOT)
def test_one_thing_stands_against(code: str, known: Standing, wanted: Intent) -> None:
    """The rule says what is wrong and what to do now; every other rule is satisfied."""
    decision = decide(known, wanted, None, NOW)
    [finding] = decision.findings
    assert finding.code == code
    assert finding.sentence.rstrip(".") == finding.sentence
    assert finding.remedy.endswith(".")
    assert not decision.may_act
    assert decision.outcome == ("missed" if code in {"late", "too_little_time"} else "refused")


@pytest.mark.parametrize(
    ("code", "assessment", "known", "reason"),
    [
        pytest.param("calendar_allows", assessed(FREEZE), standing(), "the freeze 'Once' holds", id="a freeze"),
        pytest.param(
            "no_overlap",
            assessed(),
            standing(acting=(ACTING,)),
            "orders needs production/catalogue",
            id="what it needs is changed",
        ),
        pytest.param("policy_unreadable", BAD, standing(), "unknown field 'servces'", id="an unreadable policy"),
    ],
)
def test_the_policy_stands_against(code: str, assessment: Assessed, known: Standing, reason: str) -> None:
    """What the policy says now counts; the calendar and the catalogue say it under the id they use in `lint`."""
    [finding] = decide(known, INTENT, assessment, NOW).findings
    assert finding.code == code
    assert reason in finding.sentence


def test_before_a_step_the_calendar_is_asked_for_what_is_left() -> None:
    """And the approval that the policy requires now."""
    decision = decide(acting(approvals=()), step(), assessed(FREEZE), NOW)
    assert [finding.code for finding in decision.findings] == ["nobody_approved", "calendar_allows"]
    assert {finding.remedy for finding in decision.findings} == {
        "Wait for the end of the run; it rolls back what it has applied."
    }


def test_all_reasons_are_said_at_once() -> None:
    """Whoever is refused learns everything that stands against it, and lateness is then not the only reason."""
    known = standing(approvals=(), held=(HeldTarget("test/a", "CHG-7"),))
    decision = decide(known, INTENT, None, NOW + 2 * HOUR)
    assert [finding.code for finding in decision.findings] == ["nobody_approved", "target_held", "late"]
    assert decision.outcome == "refused"


def test_what_only_airflow_knows_is_asked_at_the_gate() -> None:
    """Whoever explains without it says so."""
    decision = decide(standing(), intent(preflight=None), None, NOW)
    assert [answer.sentence for answer in decision.satisfied if not answer.is_asked] == [
        "asked at the gate: checks, confirmations, and what the steps need to be applied and undone"
    ]


@pytest.mark.parametrize(
    ("known", "remedy"),
    [
        pytest.param(standing("missed"), "Run reslot_change to give it another window.", id="missed"),
        pytest.param(standing("rejected"), "Submit a corrected ticket.", id="rejected"),
        pytest.param(standing("cancelled"), "Submit a new ticket to do it again.", id="cancelled"),
        pytest.param(
            standing("rollback_failed"),
            "Run it in mode rollback.",
            id="its rollback failed",
        ),
        pytest.param(
            standing(held=(HeldTarget("test/a", "CHG-7"),)), "Wait until it is closed.", id="held by what acts"
        ),
        pytest.param(
            standing(held=(HeldTarget("test/a", "CHG-7", is_acting=False),)),
            "Put test/a in order by hand, then run release_target; its rollback failed.",
            id="held by what could not be rolled back",
        ),
    ],
)
def test_the_remedy_is_one_that_works(known: Standing, remedy: str) -> None:
    """Waiting helps against a change that acts, not against one that only a person can put in order."""
    assert [finding.remedy for finding in decide(known, INTENT, None, NOW).findings] == [remedy]


def test_nothing_is_decided_by_an_empty_decision() -> None:
    """A run is missed only when lateness stands against it."""
    assert Decision().may_act
    assert Decision().outcome == "refused"


def test_every_reason_of_the_rules_has_its_row() -> None:
    """And each stands in one place, where its code leads to the line that decides it."""
    rules = sorted((INCLUDE / "changewindow/policy").glob("*_rules.py"))
    codes = [code for path in rules for code in re.findall(r'Finding\(\s*"(\w+)"', path.read_text(encoding="utf-8"))]
    tried = {str(row.values[0]) for row in MAY_NOT}
    assert set(codes) - tried == {"policy_unreadable"}
    assert {code for code in codes if codes.count(code) > 1} == {"run_acting", "orphaned"}


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        pytest.param(standing(), INTENT, id="at the gate"),
        pytest.param(acting(), step(), id="at each step"),
        pytest.param(standing(), intent(act="read"), id="before a check is asked"),
    ],
)
def test_a_connection_that_no_longer_serves_the_change_is_refused(known: Standing, wanted: Intent) -> None:
    """Whom it serves may have changed since the approval."""
    decision = decide(known, wanted, of_staging(), NOW)
    assert [finding.code for finding in decision.findings] == ["connections_serve"]
    assert "'shop' serves orders in staging, not orders in production" in decision.findings[0].sentence
    assert decide(known, wanted, assessed(), NOW).may_act


@pytest.mark.parametrize(("known", "wanted"), [(acting(), UNDO), (standing("completed"), BACK)])
def test_what_was_applied_is_rolled_back_with_the_connections_it_was_applied_with(
    known: Standing, wanted: Intent
) -> None:
    """A policy that changes meanwhile strands no change half done."""
    assert decide(known, wanted, of_staging(), NOW).may_act


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(days=2, hours=3, minutes=5, milliseconds=983), "2d 3h5m"),
        (timedelta(minutes=30, milliseconds=12), "30m"),
        (timedelta(seconds=12, microseconds=400), "12s"),
    ],
)
def test_how_long_it_is_until_a_window_opens_is_said_as_people_say_it(before: timedelta, said: str) -> None:
    """No milliseconds, and days where there are some."""
    opens = datetime(2031, 3, 18, 14, tzinfo=UTC)
    intent = Intent("run", "digest", opens, opens + timedelta(hours=1), timedelta(minutes=4))
    standing = Standing("approved", "alice", None, ())
    [finding] = time_rules.window_open(Case(standing, intent, None, opens - before))
    assert isinstance(finding, Finding)
    assert finding.sentence == f"the window opens 2031-03-18 14:00 UTC, in {said}"
