"""A draft does what ran, passes the lint but for what a person fills in, holds no secret, and counts nowhere."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.drafting import HEAD, draft, keep
from changewindow.changes.emergency import declare
from changewindow.changes.emergency_form import emergency_of
from changewindow.cli.standalone import ROOT
from changewindow.documents.yaml import parse
from changewindow.documents.yaml_writing import written
from changewindow.errors import LedgerUnknown, OperatorError
from changewindow.ledger import changes, leases, records
from changewindow.ledger.database import Ledger
from changewindow.policy.check import Facts
from changewindow.policy.templates import load_standards, read_template
from support.changes import NOW, approved, intent
from support.manual_changes import manual
from support.tickets import POLICY, banner

FACTS = Facts(now=NOW, policy=POLICY)


def ran(ledger: Ledger, values: dict[str, Any] | None = None, **changed: Any) -> str:
    """Let a change run to its end."""
    submitted = approved(ledger, banner(**changed))
    wanted = intent(submitted.digest, values=values or {})
    leases.start(ledger, submitted.change, wanted, targets=("production/orders",), now=NOW)
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="", now=NOW)
    return submitted.change


def test_a_draft_is_a_standard_change_that_lints(ledger: Ledger, tmp_path: Path) -> None:
    """It does what ran, with the chosen values as defaults, and without what belongs to one change."""
    state = {"type": "string", "default": "on", "allowed": ["on", "soft"]}
    step = {"name": "Switch it", "kind": "command", "run": ["banner", "{{ params.state }}"], "undo": ["banner", "off"]}
    change = ran(ledger, {"state": "soft"}, parameters={"state": state}, steps=[step], on_call="carol")
    made = draft(ledger, change, FACTS, name="switch_banner")
    path = keep(made, tmp_path / "drafts", "switch_banner", live=tmp_path / "templates")
    assert path == tmp_path / "drafts" / change / "switch_banner.yaml"
    template, findings = read_template(path, FACTS)
    assert (findings, made.mistakes) == ((), ())
    assert template
    assert template.data["parameters"]["state"] == {**state, "default": "soft"}
    assert template.data["steps"] == [step]
    assert not template.data.keys() & {"window", "owner", "reviewer", "on_call"}
    assert made.text.startswith(HEAD.format(change=change, how="it is completed", name="switch_banner"))
    assert keep(made, tmp_path / "drafts", "switch_banner", live=tmp_path / "templates") == path


@pytest.mark.parametrize("name", ["release", "max_idle"])
def test_the_examples_can_be_drafted(ledger: Ledger, name: str) -> None:
    """With nothing left to fill in."""
    data = parse((ROOT / "include" / "tickets" / f"{name}.yaml").read_text(encoding="utf-8")).data
    submitted = approved(ledger, data, valid=timedelta(days=1))
    opens = changes.get(ledger, submitted.change).opens
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=(), now=opens)
    assert draft(ledger, submitted.change, FACTS).mistakes == ()


def test_what_is_still_wrong_is_said_at_the_end(ledger: Ledger) -> None:
    """With the line where it stands."""
    step = {"name": "Set it", "kind": "git_change", "connection": "shop_config", "merge": "banner/on"}
    made = draft(ledger, ran(ledger, steps=[step]), FACTS)
    [mistake] = made.mistakes
    assert made.text.endswith(f"# What has to be right before it can count:\n# - {mistake}\n")
    number = int(mistake.split(":")[1])
    assert made.text.splitlines()[number - 1] == "risk: low"


def test_no_secret_is_in_a_draft(ledger: Ledger) -> None:
    """Neither one argument after the name of it, nor one in an address, a script, or a variable."""
    step = {
        "name": "Ask with token=hunter2-9f3",
        "kind": "command",
        "run": ["mysql", "--password", "hunter2-9f3", "orders"],
        "undo": {"shell": "curl https://root:hunter2-9f3@orders\nexport DB_PASSWORD=hunter2-9f3\n"},
        "environment": {"DB_PASSWORD": "hunter2-9f3", "LEVEL": "info"},
        "secrets": {"OTHER": "orders_db"},
    }
    made = draft(ledger, ran(ledger, steps=[step]), FACTS)
    assert "hunter2" not in made.text
    assert "What looked like a secret is hidden as ***" in made.text
    [kept] = parse(made.text).data["steps"]
    assert kept["run"] == ["mysql", "--password", "***", "orders"]
    assert kept["environment"] == {"DB_PASSWORD": "***", "LEVEL": "info"}
    assert kept["secrets"] == {"OTHER": "orders_db"}


def test_a_record_becomes_the_comment_of_a_step(ledger: Ledger) -> None:
    """A person says what the step is; until then each blank is a finding. Nothing of a line ends the comment."""
    told = manual("systemctl restart orders@1", "mysql -uroot -p*** orders", at=5)
    change = records.enter(ledger, told, {}, person="bob", now=NOW).change
    made = draft(ledger, change, FACTS)
    assert "  #   14:15:00 systemctl restart orders@1\n  #   14:15:00 mysql -uroot -p*** orders\n" in made.text
    assert "services: [orders]\nenvironment: production\n" in made.text
    assert made.mistakes
    assert all("<" in mistake for mistake in made.mistakes)
    assert [step["kind"] for step in parse(made.text).data["steps"]] == ["command"]


STEP = {"target": "production/orders", "step": "{kind: command, run: [banner, 'on'], undo: [banner, 'off']}"}
WORKS = {"works_when": "{source: {kind: http, connection: shop, path: /banner}, pass: {equals: 200}}"}
NO_UNDO = {"step": "{kind: command, run: [reboot]}", "no_undo_because": "a reboot", "unwatched_because": "no monitor"}


@pytest.mark.parametrize(
    ("form", "left"),
    [
        pytest.param({"standard": "restart", "values": {"instance": 2}}, [], id="a standard change"),
        pytest.param({"ticket": written(banner())}, [], id="a ticket"),
        pytest.param({**STEP, **WORKS}, ["summary", "rollback"], id="a step"),
        pytest.param({**STEP, **NO_UNDO}, ["summary", "rollback", "validation"], id="a step without undo or watch"),
    ],
)
def test_an_emergency_is_drafted(ledger: Ledger, form: dict[str, Any], left: list[str]) -> None:
    """What it went without has to be filled in, and is left blank."""
    said = {"broken": "no orders come in", "commander": "carol", "executor": "erin", **form}
    emergency = emergency_of(said, POLICY, person="alice", now=NOW)
    declared = declare(ledger, emergency, POLICY, person="alice", now=NOW, origin="emergency_change/one")
    targets = emergency.made.ticket.targets if emergency.made.ticket else ()
    leases.start(ledger, declared.change, intent(declared.digest, is_emergency=True), targets=targets, now=NOW)
    made = draft(ledger, declared.change, FACTS)
    assert [mistake.split(": ")[1].partition(".")[0] for mistake in made.mistakes] == left
    assert all("the blank <" in mistake for mistake in made.mistakes)
    assert ("It had no undo, because: a reboot." in made.text) == ("no_undo_because" in form)


def test_what_never_ran_is_not_drafted(ledger: Ledger) -> None:
    """It waits, or does not exist."""
    with pytest.raises(OperatorError, match=r"CHG-1001 has never run \(it is approved\)"):
        draft(ledger, approved(ledger, banner()).change, FACTS)
    with pytest.raises(LedgerUnknown):
        draft(ledger, "CHG-4242", FACTS)


def test_a_draft_never_counts(ledger: Ledger, tmp_path: Path) -> None:
    """It is refused where it would, and the catalogue does not look into the folders of drafts."""
    made = draft(ledger, ran(ledger), FACTS)
    with pytest.raises(OperatorError, match="where they would count"):
        keep(made, tmp_path, "one", live=tmp_path / made.change)
    keep(made, tmp_path, "one", live=tmp_path)
    assert load_standards(tmp_path).names() == ()
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="`changewindow draft CHG-1001` prints it"):
        keep(made, tmp_path / "file", "one", live=tmp_path / "templates")
