"""What commands print with `--json` has the shape that their help shows."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli.main import main
from changewindow.ledger import events, leases, watches
from changewindow.ledger.database import Ledger
from changewindow.ledger.watches import Kept
from changewindow.watch.progress import Followed, Progress
from support.changes import NOW, approved, intent
from support.tickets import BANNER, EXAMPLES, banner

Capture = pytest.CaptureFixture[str]
RELEASE = str(EXAMPLES[1])
FREE = {"data", "example"}
"""Keys below which anything may stand: what an event says, and an example to copy."""


def printed(capsys: Capture, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return what a command prints as JSON, after comparing its keys with those in the command's help."""
    assert main([*arguments, "--json"]) == code
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    documented = set(re.findall(r'"(\w+)"', capsys.readouterr().out))
    assert keys(facts) <= documented
    return facts


def keys(value: Any) -> set[str]:
    """Return every key inside of a value."""
    if isinstance(value, list):
        return {key for inner in value for key in keys(inner)}
    if not isinstance(value, dict):
        return set()
    return {*value, *(key for name, inner in value.items() if name not in FREE for key in keys(inner))}


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """Return the file of a ticket with two errors and no warning."""
    path = tmp_path / "bad.yaml"
    path.write_text(json.dumps({**BANNER, "risk": "tiny", "owner": 5}), encoding="utf-8")
    return str(path)


@pytest.fixture
def watching(ledger: Ledger) -> str:
    """Return a change whose watch has begun."""
    change = approved(ledger, banner())
    leases.start(ledger, change.change, intent(change.digest), targets=("production/orders",), now=NOW)
    seen = Followed(name="health", limits="good when equals 200", verdict="error", recent=[200, None])
    progress = Progress(since=NOW, begun=NOW, over=NOW + timedelta(minutes=5), at=NOW, samples=2, conditions=[seen])
    watches.keep(ledger, [Kept(change.change, intent("").run, progress, NOW)])
    return change.change


def test_findings_of_lint(bad: str, capsys: Capture) -> None:
    """One object for all files; the exit code is that of the text."""
    assert printed(capsys, "lint", bad, RELEASE, code=1) == {
        "findings": [
            {
                "file": bad,
                "line": 1,
                "place": ["risk"],
                "code": "ticket",
                "sentence": "'tiny' is not allowed",
                "remedy": "Allowed: high, low, medium.",
                "is_warning": False,
            },
            {
                "file": bad,
                "line": 1,
                "place": ["owner"],
                "code": "ticket",
                "sentence": "found 5 where text is expected",
                "remedy": "Put it into quotes.",
                "is_warning": False,
            },
        ]
    }
    assert printed(capsys, "lint", RELEASE) == {"findings": []}


def test_a_plan(bad: str, capsys: Capture) -> None:
    """It is null for a ticket with errors; lengths of time are seconds."""
    facts = printed(capsys, "plan", RELEASE)
    plan = facts["plan"]
    assert (facts["findings"], plan["targets"], plan["needs"]) == ([], ["production/orders"], 233.0)
    assert plan["window"] == {
        "start": "2031-03-18T14:00:00+00:00",
        "end": "2031-03-18T15:00:00+00:00",
        "zone": "UTC",
    }
    apply = next(node for node in plan["nodes"] if node["id"] == "apply_1")
    assert (apply["role"], apply["after"], apply["number"], apply["timeout"]) == ("apply", ["gate"], 1, 60.0)
    facts = printed(capsys, "plan", bad, code=1)
    assert (facts["plan"], len(facts["findings"])) == (None, 2)


def test_kinds(capsys: Capture) -> None:
    """One kind has the same shape as all of them."""
    kinds = printed(capsys, "kinds")["kinds"]
    rooms = {"steps", "sources", "checks", "notify", "collectors", "silences", "markers"}
    assert {kind["room"] for kind in kinds} == rooms
    chosen = printed(capsys, "kinds", "command")["kinds"]
    assert chosen == [kind for kind in kinds if kind["kind"] == "command"]
    step = chosen[0]
    assert step["example"]["kind"] == "command"
    fields = {field["name"]: field for field in step["fields"]}
    assert (fields["run"]["required"], fields["timeout"]["default"]) == (True, "5m")


@pytest.mark.integration
def test_what_became_of_a_test_message(tmp_path: Path, capsys: Capture) -> None:
    """A policy without channels has the log."""
    facts = printed(capsys, "messages", "test", "#deploys", "--policy", str(tmp_path))
    assert [channel["is_sent"] for channel in facts["channels"]] == [True]


def test_the_next_openings(tmp_path: Path, capsys: Capture) -> None:
    """Without one, `closed` says why."""
    facts = printed(capsys, "calendar", "next", "orders", "-n", "2")
    assert (facts["service"], facts["type"], facts["needs"], facts["closed"]) == ("orders", "normal", 0.0, [])
    first, second = facts["openings"]
    assert first["end"] < second["start"]
    assert "freeze 'Friday afternoon'" in second["closed_before"][0]
    (tmp_path / "calendar.yaml").write_text("zone: UTC\ndefault: closed\n", encoding="utf-8")
    facts = printed(capsys, "calendar", "next", "orders", "--policy", str(tmp_path))
    assert facts["openings"] == []
    assert facts["closed"] == ["no window is defined for orders in production, and the default is closed"]


def test_the_events_of_a_change_and_their_chain(ledger: Ledger, watching: str, capsys: Capture) -> None:
    """The head is the hash of the last event."""
    known = ("--ledger", str(ledger.url))
    history = printed(capsys, "history", watching, *known)
    kinds = [event["kind"] for event in history["events"]]
    assert kinds == [str(event.kind) for event in events.history(ledger, watching)]
    assert history["events"][0]["data"]
    head = history["events"][-1]["hash"]
    assert printed(capsys, "verify", watching, *known) == {"change": watching, "events": len(kinds), "head": head}


def test_a_change_that_is_followed(ledger: Ledger, watching: str, capsys: Capture) -> None:
    """What is known now, as with --once."""
    facts = printed(capsys, "follow", watching, "--ledger", str(ledger.url))
    assert (facts["change"], facts["status"], facts["outcome"]) == (watching, "running", None)
    watch = facts["watch"]
    assert (watch["samples"], watch["verdict"], watch["because"]) == (2, None, None)
    assert watch["conditions"] == [
        {"name": "health", "limits": "good when equals 200", "unit": None, "verdict": "error", "values": [200.0, None]}
    ]


def test_why_a_change_may_not_act(ledger: Ledger, watching: str, capsys: Capture) -> None:
    """Each reason has its code, sentence and remedy."""
    facts = printed(capsys, "explain", watching, "--at", NOW.isoformat(), "--ledger", str(ledger.url), code=1)
    assert (facts["change"], facts["at"], facts["may_act"]) == (watching, NOW.isoformat(), False)
    assert all(finding["code"] and finding["sentence"] and finding["remedy"] for finding in facts["findings"])
    assert facts["findings"]
    assert facts["satisfied"]


@pytest.mark.parametrize("about", ["emergencies", "delivery"])
def test_reports(ledger: Ledger, capsys: Capture, about: str) -> None:
    """Each of them has its keys in the help, though nothing was done yet."""
    assert printed(capsys, "report", about, "--ledger", str(ledger.url))
