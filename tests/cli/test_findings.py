"""`changewindow findings`: what nobody announced, and who leaves it as it is until when."""

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.cli.main import FINDING_STATES, main
from changewindow.ledger import findings
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.looks import Look
from changewindow.policy.world_finding import State, WorldFinding
from support.changes import NOW

Capture = pytest.CaptureFixture[str]
EDIT = WorldFinding(
    *("change", "audit", "web-3:/etc/pool.conf", NOW, "edited", "no change acted on orders then"),
    before="max_idle 10",
    after="max_idle 1",
    known_by="auditd is off on web-3",
    services=("orders",),
)
UNTIL = f"{datetime.now(UTC) + timedelta(days=300):%Y-%m-%dT%H:%M}"
GAP = WorldFinding("gap", "dns", "", NOW, "could not see from 14:00 on", "nobody is there")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return a policy in which whoever runs this owns billing, and not orders."""
    folder = tmp_path / "policy"
    folder.mkdir()
    service = "{owners: [%s], environments: [production]}"
    services = f"  orders: {service % 'dora'}\n  billing: {service % getpass.getuser()}\n"
    (folder / "services.yaml").write_text(f"services:\n{services}")
    (folder / "approvals.yaml").write_text("rules: [{name: all, levels: [{name: peer, from: [anybody]}]}]\n")
    (folder / "calendar.yaml").write_text("zone: UTC\ndefault: open\n")
    return folder


@pytest.fixture
def given(ledger: Ledger, policy: Path) -> list[str]:
    """Return how the command is asked about three findings."""
    billing = WorldFinding("change", "audit", "web-4:/etc/hosts", NOW, "edited", "nobody", services=("billing",))
    findings.write_pass(ledger, [Look("audit", NOW, NOW, {})], [EDIT, GAP, billing], [], now=NOW)
    return ["--ledger", str(ledger.url), "--policy", str(policy)]


def test_findings_are_listed_with_before_after_and_who(given: list[str], capsys: Capture) -> None:
    """The newest first; who is unknown has a reason."""
    assert main(["findings", "--service", "orders", *given]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "finding 2: dns could not see from 14:00 on: nobody is there",
        "    open",
        "finding 1: 2031-03-18 14:10:00 UTC audit (orders): web-3:/etc/pool.conf edited",
        "    by unknown, because auditd is off on web-3; no change acted on orders then",
        "    max_idle 10 -> max_idle 1",
        "    open",
    ]


def test_json_has_every_field(given: list[str], capsys: Capture) -> None:
    """For programs."""
    assert main(["findings", "--state", "open", "--json", *given]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [each["finding"] for each in found] == [3, 2, 1]
    assert (found[2]["before"], found[2]["services"], found[2]["state"]) == ("max_idle 10", ["orders"], "open")


def test_an_owner_accepts_a_finding_until_a_day(ledger: Ledger, given: list[str], capsys: Capture) -> None:
    """It says so; afterwards it is not open."""
    assert main(["findings", "accept", "3", "--reason", "known", "--until", UNTIL, *given]) == 0
    assert "finding 3 is accepted by" in capsys.readouterr().out
    assert main(["findings", "accept", "3", "--reason", "known", "--until", UNTIL, *given]) == 1
    assert capsys.readouterr().err.startswith("Finding 3 is accepted already, by ")
    [accepted] = findings.find(ledger, Wanted(state="accepted"))
    assert (accepted.reason, accepted.person) == (
        "known",
        f"{getpass.getuser()} (terminal account, not authenticated)",
    )
    assert accepted.expires_at
    assert f"{accepted.expires_at:%Y-%m-%dT%H:%M}" == UNTIL


@pytest.mark.parametrize(("number", "text"), [("1", "may not accept a finding"), ("9", "has no finding 9")])
def test_who_may_not_accept_it_is_told_who_may(
    given: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch, *, number: str, text: str
) -> None:
    """On one line; who claims to be the owner is nobody else for that."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "dora")
    assert main(["findings", "accept", number, "--reason", "known", "--until", UNTIL, *given]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert text in line


@pytest.mark.parametrize(
    "options",
    [
        ["accept"],
        ["accept", "1", "--reason", "x"],
        ["accept", "1", "--reason", "x", "--until", "2001-01-01"],
        ["accept", "1", "--reason", "x", "--until", "soon"],
        ["accept", "3", "--reason", "known", "--until", "2199-01-01"],
    ],
)
def test_what_is_missing_is_misuse(given: list[str], options: list[str]) -> None:
    """And nothing is written."""
    with pytest.raises(SystemExit) as ended:
        main(["findings", *options, *given])
    assert ended.value.code == 2


def test_every_state_can_be_looked_for() -> None:
    """As the record knows them."""
    assert set(FINDING_STATES) == set(State.__args__)  # type: ignore[attr-defined]


def test_the_ticket_that_takes_a_finding_back_is_printed(
    ledger: Ledger, policy: Path, given: list[str], capsys: Capture
) -> None:
    """Only what a person knows is blank in it; nothing else is on the standard output."""
    (policy / "collectors.yaml").write_text("collectors:\n  config: {kind: git, connection: orders_config}\n")
    edit = WorldFinding(
        *("change", "config", "orders_config:main", NOW, "commit bbbb: Tune", "nobody"),
        before="a" * 40,
        after="b" * 40,
        services=("orders",),
    )
    findings.write_pass(ledger, [], [edit], [], now=NOW)
    assert main(["findings", "ticket", "4", *given]) == 0
    (policy.parent / "ticket.yaml").write_text(capsys.readouterr().out)
    assert main(["lint", str(policy.parent / "ticket.yaml"), "--policy", str(policy)]) == 1
    problems = [line for line in capsys.readouterr().out.splitlines() if "warning" not in line]
    assert problems
    assert all("the blank <" in line for line in problems)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (
            "1",
            "Finding 1 cannot be taken back by a ticket from here: collectors.yaml has no collector 'audit' any more.",
        ),
        ("2", "Finding 2 cannot be taken back by a ticket from here: it is a time in which nothing was seen."),
        ("9", "The ledger has no finding 9. `changewindow findings` lists them."),
    ],
)
def test_what_no_ticket_takes_back_is_said(given: list[str], capsys: Capture, number: str, text: str) -> None:
    """On one line, and nothing is printed that could be submitted."""
    assert main(["findings", "ticket", number, *given]) == 1
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[-1]) == ("", text)


def test_a_reason_has_no_secret_and_stays_on_its_line(ledger: Ledger, given: list[str], capsys: Capture) -> None:
    """As in the form of `accept_finding`, it has to say something, and not too much."""
    for reason in (" \n ", "x"):
        with pytest.raises(SystemExit):
            main(["findings", "accept", "3", "--reason", reason, "--until", UNTIL, *given])
        assert "--reason says nothing" in capsys.readouterr().err
    reason = "set by\n\x1b[2J mysql -phunter2-9f3 " + "x" * 900
    assert main(["findings", "accept", "3", "--reason", reason, "--until", UNTIL, *given]) == 0
    [accepted] = findings.find(ledger, Wanted(state="accepted"))
    assert len(accepted.reason) == 500
    assert accepted.reason.startswith("set by \\n \\u001b[2J mysql -p*** xxx")
