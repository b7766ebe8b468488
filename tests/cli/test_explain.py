"""The command that says whether a change may act, and why: over a real ledger and a real policy."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli.main import main
from changewindow.documents.findings import Finding
from changewindow.errors import NotAllowed
from changewindow.ledger import approvals, changes, leases, stops
from changewindow.ledger.database import Ledger
from changewindow.policy.assessment import Assessment
from changewindow.policy.load import load_policy
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import StepStart
from changewindow.ticket.reader import build_ticket
from support.calendars import POLICY
from support.changes import NOW, approved, intent
from support.tickets import banner, golden

TARGETS = ("production/orders",)
MINUTE = timedelta(minutes=1)
FREEZE = "zone: UTC\ndefault: open\nfreezes: [{name: Year end, start: 2031-03-18 12:00, end: 2031-03-19 00:00}]\n"


@dataclass
class Site:
    """A ledger and the folder of a policy, to which things happen."""

    ledger: Ledger
    policy: Path

    def approved(self, valid: timedelta = timedelta(days=1), **changed: Any) -> changes.Submitted:
        """Return an approved change."""
        return approved(self.ledger, banner(**changed), valid=valid)

    def started(self, **changed: Any) -> changes.Submitted:
        """Return a change that acts."""
        change = self.approved(**changed)
        targets = tuple(f"production/{service}" for service in changed.get("services", ["orders"]))
        leases.start(self.ledger, change.change, intent(change.digest), targets=targets, now=NOW)
        return change

    def ended(self, outcome: str) -> changes.Submitted:
        """Return a change that has acted and ended."""
        change = self.started()
        changes.close(self.ledger, change.change, run="run-1", outcome=outcome, reason="", now=NOW)  # type: ignore[arg-type]
        return change

    def explained(self, *options: str, change: str, at: datetime = NOW) -> int:
        """Run the command; return its exit code."""
        url = f"sqlite:///{self.ledger.url.database}"
        fixed = ["--ledger", url, "--policy", str(self.policy), "--at", at.isoformat()]
        return main(["explain", change, *fixed, *options])


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    """Return an empty ledger and the policy that is delivered."""
    shutil.copytree(POLICY, tmp_path / "policy")
    return Site(ledger, tmp_path / "policy")


Scene = Callable[[Site], tuple[str, datetime]]
"""Lets something happen; returns the change and the time that are asked about."""


def acceptable(site: Site) -> tuple[str, datetime]:
    """Nothing stands against it."""
    return site.approved().change, NOW


def unapproved(site: Site) -> tuple[str, datetime]:
    """Nobody has approved it."""
    return changes.submit(site.ledger, banner(), requester="alice", now=NOW).change, NOW


def own_approval(site: Site) -> tuple[str, datetime]:
    """Who approved it has asked for it again."""
    change = site.approved()
    for data in (banner(details="edited"), banner()):
        changes.revise(site.ledger, change.change, data, person="bob", now=NOW)
    return change.change, NOW


def expired(site: Site) -> tuple[str, datetime]:
    """Its approval has expired."""
    return site.approved(valid=20 * MINUTE).change, NOW + 25 * MINUTE


def one_of_two(site: Site) -> tuple[str, datetime]:
    """One of two approvals is missing."""
    return site.approved(risk="high").change, NOW


def edited(site: Site) -> tuple[str, datetime]:
    """Its text was edited after the approval."""
    change = site.approved()
    changes.revise(site.ledger, change.change, banner(details="edited"), person="alice", now=NOW)
    return change.change, NOW


def rejected(site: Site) -> tuple[str, datetime]:
    """It was rejected."""
    change = changes.submit(site.ledger, banner(), requester="alice", now=NOW)
    wanted = intent(change.digest, approvals=(RequiredApproval("peer", 1),))
    approvals.decide(site.ledger, change.change, wanted, person="bob", is_yes=False, now=NOW)
    return change.change, NOW


def completed(site: Site) -> tuple[str, datetime]:
    """It is completed."""
    return site.ended("completed").change, NOW


def missed(site: Site) -> tuple[str, datetime]:
    """It was missed."""
    change = site.approved()
    changes.close(site.ledger, change.change, run="late", outcome="missed", reason="", now=NOW + 60 * MINUTE)
    return change.change, NOW + 60 * MINUTE


def acting(site: Site) -> tuple[str, datetime]:
    """Its own run is acting."""
    return site.started().change, NOW


def orphaned(site: Site) -> tuple[str, datetime]:
    """Its run died."""
    change = site.started()
    leases.orphan(site.ledger, change.change, run="run-1", now=NOW)
    return change.change, NOW


def held(site: Site) -> tuple[str, datetime]:
    """Another change acts on its target."""
    site.started(details="another", owner="carol", reviewer="dora")
    return site.approved().change, NOW


def held_by_failed_rollback(site: Site) -> tuple[str, datetime]:
    """A failed rollback holds its target."""
    site.ended("rollback_failed")
    return site.approved(details="another", owner="carol", reviewer="dora").change, NOW


def early(site: Site) -> tuple[str, datetime]:
    """Its window has not opened."""
    return site.approved().change, NOW - 40 * MINUTE


def short(site: Site) -> tuple[str, datetime]:
    """Its window has too little time left."""
    return site.approved().change, NOW + 45 * MINUTE


def late(site: Site) -> tuple[str, datetime]:
    """Its window has ended."""
    return site.approved().change, NOW + 51 * MINUTE


def stopped(site: Site) -> tuple[str, datetime]:
    """The line is stopped."""
    stops.stop(site.ledger, person="dora", reason="the database is on fire", now=NOW, until=NOW + 60 * MINUTE)
    return site.approved().change, NOW


def frozen(site: Site) -> tuple[str, datetime]:
    """A freeze was added after the approval."""
    (site.policy / "calendar.yaml").write_text(FREEZE, encoding="utf-8")
    return site.approved().change, NOW


def collided(site: Site) -> tuple[str, datetime]:
    """What it needs is changed at the same time."""
    site.started(services=["catalogue"], owner="carol", reviewer="dora")
    return site.approved().change, NOW


def unreadable(site: Site) -> tuple[str, datetime]:
    """The policy cannot be read."""
    (site.policy / "services.yaml").write_text("servces: {}\n", encoding="utf-8")
    return site.approved().change, NOW


def everything(site: Site) -> tuple[str, datetime]:
    """Several reasons at once."""
    stopped(site)
    change = changes.submit(site.ledger, banner(details="another"), requester="alice", now=NOW)
    return change.change, NOW + 49 * MINUTE


SCENES: tuple[Scene, ...] = (
    acceptable,
    unapproved,
    own_approval,
    expired,
    one_of_two,
    edited,
    rejected,
    completed,
    missed,
    acting,
    orphaned,
    held,
    held_by_failed_rollback,
    early,
    short,
    late,
    stopped,
    frozen,
    collided,
    unreadable,
    everything,
)


def headline(scene: Scene) -> str:
    """Return under what a scene stands in the golden text."""
    return str(scene.__doc__).rstrip(".")


def passages(name: str) -> dict[str, str]:
    """Return the passages of a golden file by their headlines."""
    parts = golden(name).split("# ")[1:]
    return {head: text.strip() for head, _, text in (part.partition("\n") for part in parts)}


def test_every_passage_of_the_golden_text_has_its_scene() -> None:
    """At least twelve different reasons are explained in it."""
    assert list(passages("explain.txt")) == [headline(scene) for scene in SCENES]
    codes = {line.split(":")[0].split()[-1] for line in golden("explain.txt").splitlines() if line.startswith("  no")}
    assert len(codes) >= 12


@pytest.mark.parametrize("scene", SCENES, ids=headline)
def test_it_is_explained(scene: Scene, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the golden text; the exit code says whether it may act."""
    change, at = scene(site)
    code = site.explained(change=change, at=at)
    shown = capsys.readouterr().out.replace(str(site.policy), "policy")
    assert shown.strip() == passages("explain.txt")[headline(scene)]
    assert code == (0 if scene is acceptable else 1)


def test_all_rules_are_explained(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--all` also those that are satisfied, each with the reason."""
    change, at = held(site)
    assert site.explained("--all", change=change, at=at) == 1
    assert capsys.readouterr().out == golden("explain_all.txt")


@pytest.mark.parametrize(
    ("scene", "code", "text"),
    [
        pytest.param(completed, 0, "may act", id="what is completed may be rolled back"),
        pytest.param(frozen, 1, "no     not_rollbackable: it is approved", id="what never acted may not"),
    ],
)
def test_a_rollback_is_explained(
    site: Site, capsys: pytest.CaptureFixture[str], *, scene: Scene, code: int, text: str
) -> None:
    """Neither window nor approval, calendar or line are asked for it."""
    change, _ = scene(site)
    assert site.explained("--mode", "rollback", change=change, at=NOW + timedelta(days=40)) == code
    assert text in capsys.readouterr().out


def test_programs_get_every_reason(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Codes, sentences and remedies of what stands against it, and what is satisfied or asked later."""
    change, at = short(site)
    assert site.explained("--json", change=change, at=at) == 1
    explained = json.loads(capsys.readouterr().out)
    assert list(explained) == ["change", "at", "mode", "may_act", "outcome", "findings", "satisfied", "later", "owes"]
    assert explained["findings"] == [
        {
            "code": "too_little_time",
            "sentence": "the change needs 7m, the window has 5m left",
            "remedy": "Run reslot_change to give it another one.",
        }
    ]
    fixed = {name: explained[name] for name in ("change", "at", "mode", "may_act", "outcome")}
    assert fixed == {
        "change": change,
        "at": "2031-03-18T14:55:00+00:00",
        "mode": "run",
        "may_act": False,
        "outcome": "missed",
    }
    assert [answer["code"] for answer in explained["satisfied"]] == [
        "record_holds",
        "state",
        "newest_text",
        "approved",
        "targets_free",
        "window_open",
        "line_runs",
        "calendar",
        "connections_serve",
        "collisions",
    ]
    assert [answer["code"] for answer in explained["later"]] == ["preflight"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["--at", "tomorrow"], "'tomorrow' is not a time", id="no time"),
        pytest.param(["--policy", "/nowhere"], "there is no policy in /nowhere", id="no policy"),
        pytest.param(["--mode", "dry_run"], "invalid choice: 'dry_run'", id="a dry run is always possible"),
    ],
)
def test_misuse_is_said(site: Site, capsys: pytest.CaptureFixture[str], *, arguments: list[str], text: str) -> None:
    """Its exit code is another one than that of a change that may not act."""
    change = site.approved().change
    with pytest.raises(SystemExit) as misused:
        site.explained(*arguments, change=change)
    assert misused.value.code == 2
    assert text in capsys.readouterr().err


def test_a_time_without_its_zone_is_in_utc(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """And one with its zone is said in UTC."""
    change = site.approved().change
    for time in ("2031-03-18T14:20", "2031-03-18T15:20+01:00"):
        assert site.explained("--at", time, change=change) == 0
        assert "may act at 2031-03-18 14:20 UTC" in capsys.readouterr().out


def test_explaining_writes_nothing(site: Site) -> None:
    """It may be asked at any time, also about a change that acts."""
    change = site.started().change
    before = Path(str(site.ledger.url.database)).read_bytes()
    site.explained("--all", change=change)
    assert Path(str(site.ledger.url.database)).read_bytes() == before


def what_is_refused(decided: Callable[[], object]) -> list[Finding]:
    """Return the findings for which something is refused."""
    with pytest.raises(NotAllowed) as refused:
        decided()
    return list(refused.value.findings)


def test_gate_step_and_explanation_find_the_same(site: Site) -> None:
    """For the same standing; a step only knows another remedy, since its run rolls back what it applied."""
    change = site.approved(valid=20 * MINUTE)
    running = site.approved(valid=20 * MINUTE, details="another", services=["elsewhere"])
    leases.start(site.ledger, running.change, intent(running.digest), targets=("production/elsewhere",), now=NOW)
    (site.policy / "calendar.yaml").write_text(FREEZE, encoding="utf-8")
    stops.stop(site.ledger, person="dora", reason="fire", now=NOW, until=NOW + 120 * MINUTE)
    policy, at = load_policy(site.policy), NOW + 49 * MINUTE

    def parts(submitted: changes.Submitted) -> dict[str, Any]:
        data = changes.revision(site.ledger, submitted.change)
        return {"assessment": Assessment(policy, build_ticket(data), data, submitted.change), "now": at}

    wanted = intent(change.digest, needs=build_ticket(banner()).needs)
    forward = replace(wanted, digest=running.digest, step=StepStart(1, "Switch it on"))
    explained = leases.explain(site.ledger, change.change, policy, mode="run", now=at)
    gate = what_is_refused(lambda: leases.start(site.ledger, change.change, wanted, targets=TARGETS, **parts(change)))
    step = what_is_refused(
        lambda: leases.require_running(site.ledger, running.change, run="run-1", forward=forward, **parts(running))
    )
    assert gate == list(explained.findings)
    assert {finding.code for finding in gate} == {
        "approval_expired",
        "too_little_time",
        "line_stopped",
        "calendar_allows",
    }
    sentences = {(finding.code, finding.sentence.replace("elsewhere", "orders")) for finding in step}
    assert sentences == {(finding.code, finding.sentence) for finding in gate}


def test_a_change_that_is_not_there_is_named(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """As by every command about the ledger."""
    assert site.explained(change="CHG-7") == 1
    assert "The ledger has no change CHG-7" in capsys.readouterr().err


def test_now_is_asked_about_if_no_time_is_named(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The windows of the example tickets lie ahead."""
    change = site.approved().change
    url = f"sqlite:///{site.ledger.url.database}"
    assert main(["explain", change, "--ledger", url, "--policy", str(site.policy)]) == 1
    assert f"{datetime.now(UTC):%Y-%m-%d}" in capsys.readouterr().out
