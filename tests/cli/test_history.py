"""What `changewindow history` tells, of a change and of all of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes.event_text import SENTENCES
from changewindow.cli import embedded
from changewindow.cli.main import STATES, main
from changewindow.ledger import changes, events, leases, payloads, records, stops
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.policy import standing
from changewindow.policy.manual_change import RECORDED
from changewindow.policy.outcome import Outcome
from support.changes import NOW, approved, intent
from support.manual_changes import manual
from support.tickets import BANNER, banner

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def three(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return three changes: one that was rolled back, one that was cancelled, one that waits."""
    connection = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(connection))
    first = approved(ledger, banner())
    leases.start(ledger, first.change, intent(first.digest), targets=("production/orders",), now=NOW)
    end = {"run": "run-1", "outcome": "rolled_back", "reason": "p99 is bad: 348 ms, limit 200 ms"}
    changes.close(ledger, first.change, **end, now=NOW + timedelta(minutes=9))  # type: ignore[arg-type]
    payments = banner(services=["payments"], owner="carol", summary="Restart payments.")
    second = changes.submit(ledger, payments, requester="dave", now=NOW + timedelta(hours=1))
    changes.cancel(ledger, second.change, person="Erin", reason="not now", now=NOW + timedelta(hours=2))
    third = changes.submit(ledger, {**BANNER, "environment": "staging"}, requester="alice", now=NOW + timedelta(days=1))
    return [first.change, second.change, third.change]


def told(capsys: Capture, ledger: Ledger, *arguments: str) -> tuple[str, str]:
    """Return what the command prints, and what it says beside."""
    assert main(["history", *arguments, "--ledger", str(ledger.url)]) == 0
    return capsys.readouterr()


def test_the_life_of_a_change_is_told_in_sentences(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """Each event has its number, its time, who did it, and what that was."""
    out, err = told(capsys, ledger, three[0])
    assert out.splitlines() == [
        f"{three[0]} Switch the banner on. (rolled_back); times are UTC",
        "   1  2031-03-18 14:10:00  alice  asked for the change: Switch the banner on. (on production/orders)",
        "   2  2031-03-18 14:10:00  bob    approved it at level 'peer'; that counts until 2031-03-18 15:10 UTC",
        "   3  2031-03-18 14:10:00  bob    gave the last approval that it needs",
        "   4  2031-03-18 14:10:00  gate   let it through; it holds production/orders",
        "   5  2031-03-18 14:19:00  close  closed it as rolled back: p99 is bad: 348 ms, limit 200 ms",
    ]
    assert err == ""


def test_a_long_life_is_told_in_pages(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """The newest page first, and how to get the one before it."""
    out, err = told(capsys, ledger, three[0], "--limit", "2")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["4", "5"]
    assert err == "3 earlier events: --before 4, or --all\n"
    out, err = told(capsys, ledger, three[0], "--limit", "2", "--before", "4")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["2", "3"]
    out, _ = told(capsys, ledger, three[0], "--limit", "2", "--all")
    assert len(out.splitlines()) == 6
    out, _ = told(capsys, ledger, three[0], "--since", "2031-03-18T15:15+01:00")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["5"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [2, 1, 0]),
        (["--service", "payments"], [1]),
        (["--service", "orders"], [2, 0]),
        (["--service", "staging/orders"], [2]),
        (["--outcome", "cancelled"], [1]),
        (["--person", "ALICE"], [2, 0]),
        (["--person", "carol"], [1]),
        (["--person", "erin"], [1]),
        (["--person", "zoe"], []),
        (["--since", "2031-03-18T16:00"], [2, 1]),
        (["--outcome", "submitted", "--service", "orders"], [2]),
    ],
)
def test_changes_are_found(three: list[str], capsys: Capture, options: list[str], expected: list[int]) -> None:
    """By service, outcome, person and time, newest first; names of people in any case."""
    assert main(["history", *options, "--json"]) == 0
    found = [change["change"] for change in json.loads(capsys.readouterr().out)["changes"]]
    assert found == [three[place] for place in expected]


def test_a_change_that_is_found_is_told_in_a_few_lines(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """What it is, who has to do with it, and why it ended so."""
    out, err = told(capsys, ledger, "--limit", "1", "--before", three[1])
    assert out.splitlines() == [
        f"{three[0]}  rolled_back      2031-03-18 14:00 UTC  production/orders  Switch the banner on.",
        "          requested by alice, owner alice, reviewer bob, approved by bob; ended 2031-03-18 14:19 UTC",
        "          p99 is bad: 348 ms, limit 200 ms",
    ]
    assert err == ""
    _, err = told(capsys, ledger, "--limit", "1")
    assert err == f"there are earlier ones: --before {three[2]}, or --all\n"


def test_a_service_that_no_change_touches_is_probably_misspelt(
    ledger: Ledger, three: list[str], capsys: Capture
) -> None:
    """An empty answer would look like good news."""
    assert three
    out, err = told(capsys, ledger, "--service", "order")
    assert (out, err) == ("", "no change matches. No change of this ledger touches 'order'. Did you mean 'orders'?\n")


def test_who_only_confirmed_took_part_too(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """That event carries the task's name; the person stands in what it says."""
    ticked = Event(three[0], "run-1/confirm", NOW, payloads.Confirmed(items=("Backup is good",), by="frank"))
    events.record(ledger, ticked)
    out, _ = told(capsys, ledger, "--person", "frank")
    assert three[0] in out
    out, _ = told(capsys, ledger, three[0])
    assert out.splitlines()[-1].endswith("confirm  was answered by frank, who confirmed Backup is good")


def test_who_approved_stands_in_the_list(three: list[str], capsys: Capture) -> None:
    """An auditor needs no second look; a reviewer is only named by the ticket."""
    assert main(["history", "--json"]) == 0
    said_yes = {each["change"]: each["approvers"] for each in json.loads(capsys.readouterr().out)["changes"]}
    assert said_yes == {three[0]: ["bob"], three[1]: [], three[2]: []}


@pytest.mark.parametrize("typed", ["CHG-1001", "chg-1001", "1001"])
def test_a_change_is_found_as_people_type_it(three: list[str], capsys: Capture, typed: str) -> None:
    """At three in the morning, nobody holds Shift."""
    assert main(["history", typed]) == 0
    assert capsys.readouterr().out.startswith(f"{three[0]} ")


def test_readings_with_nothing_between_them_are_one_line(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """A watch of a day would fill the screen with them; JSON has each."""
    at = datetime(2031, 4, 1, tzinfo=UTC)
    for second, verdict in enumerate(("pass", "pass", "fail")):
        read = payloads.Read(run="run-1", readings=({"verdict": verdict}, {"verdict": "pass"}))
        events.record(ledger, events.Event(three[2], "run-1/watch", at + timedelta(seconds=second), read))
    out, _ = told(capsys, ledger, three[2])
    assert out.splitlines()[-1].endswith("watch  took 6 readings: 5 pass, 1 fail (until 00:00:02, event 4)")


def test_a_reason_that_was_just_said_is_not_said_again(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """But for how the change ended, which is looked for by itself."""
    told_why = {"reason": "a is bad: 2;\nb is bad: 3"}
    watched = payloads.Watched(verdict="fail", samples=1, readings=(), **told_why)  # type: ignore[arg-type]
    for event in (watched, payloads.WatchDecided(route="undo", **told_why)):
        events.record(ledger, Event(three[2], "run-1/watch", NOW, event))
    out, _ = told(capsys, ledger, three[2])
    assert [line.partition("watch  ")[2] for line in out.splitlines()[-2:]] == [
        "came to the verdict fail: a is bad: 2; b is bad: 3",
        "decided to roll it back, for the same reason",
    ]


def test_without_an_address_the_demo_of_this_checkout_is_read(
    three: list[str], capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or that of the AIRFLOW_HOME that is set; which one it is stands beside."""
    monkeypatch.delenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", raising=False)
    for home, demo in ((tmp_path / "none", tmp_path), (tmp_path, tmp_path / "none")):
        monkeypatch.setenv("AIRFLOW_HOME", str(home))
        monkeypatch.setattr(embedded, "DEMO", demo)
        assert main(["history"]) == 0
        out, err = capsys.readouterr()
        assert three[0] in out
        assert err == f"ledger: {tmp_path}/ledger.db\n"


def test_every_kind_of_event_has_its_sentence() -> None:
    """What is written down can be told."""
    assert set(SENTENCES) == {kind for each in payloads.PAYLOADS.values() for kind in each}


def test_an_event_of_a_later_version_is_told_as_it_is(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """It is neither hidden nor an error."""
    events.record_entry(ledger, events.Entry(three[2], "sung", "bob", datetime(2031, 4, 1, tzinfo=UTC), {"key": "C"}))
    out, _ = told(capsys, ledger, three[2])
    assert out.splitlines()[-1].endswith("bob    sung, which this version cannot read: key C")


def test_a_change_can_be_looked_for_by_everything_that_it_can_be() -> None:
    """The options are those of the code."""
    assert set(STATES) == {*standing.WAITING, "running", *Outcome.__args__, RECORDED}  # type: ignore[attr-defined]


def test_what_was_done_by_hand_is_told_as_recorded(ledger: Ledger, capsys: Capture) -> None:
    """Who told it, who did it, and that nobody has approved it; in its own history and among all changes."""
    told_by_hand = manual("systemctl restart orders", "mysql -p***", incident="INC-7")
    change = records.enter(ledger, told_by_hand, {}, person="bob", now=NOW + timedelta(hours=1)).change
    span = "2031-03-18 14:10 UTC to 2031-03-18 14:20 UTC"
    why = "The pool was full (2 commands, 1 secret hidden; incident INC-7)"
    what = f"recorded, not approved, what alice did by hand on production/orders from {span}: {why}"
    out, _ = told(capsys, ledger, change)
    assert out.splitlines() == [
        f"{change} Done by hand: The pool was full (recorded); times are UTC",
        f"   1  2031-03-18 15:10:00  bob  {what}",
        "What was done:",
        "   1            systemctl restart orders",
        "   2            mysql -p***",
    ]
    out, _ = told(capsys, ledger, "--outcome", "recorded", "--person", "alice")
    assert out.splitlines() == [
        f"{change}  recorded         2031-03-18 14:10 UTC  production/orders  Done by hand: The pool was full",
        "          recorded by bob, not approved; done by alice; ended 2031-03-18 15:10 UTC",
    ]


def test_who_stopped_the_line_is_told_by_its_own_name(ledger: Ledger, capsys: Capture) -> None:
    """It is no change, so it is not among them."""
    stops.stop(ledger, person="dora", reason="the database is on fire", now=NOW, until=NOW + timedelta(hours=1))
    out, _ = told(capsys, ledger, "LINE")
    assert out.splitlines()[-1].endswith("stopped the line until 2031-03-18 15:10 UTC: the database is on fire")
    assert told(capsys, ledger)[0] == ""


def test_of_a_message_its_first_line_is_told(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """The rest repeats what the events before it say; JSON has all of it."""
    sent = payloads.MessageSent(room="#deploys", text="\N{WARNING SIGN} ROLLED BACK: it\nReason: bad", channel="slack")
    events.record(ledger, Event(three[0], "run-1/report", NOW, sent))
    out, _ = told(capsys, ledger, three[0])
    assert out.splitlines()[-1].endswith("report  told #deploys: \N{WARNING SIGN} ROLLED BACK: it")


def test_what_other_tools_were_told_is_said_in_a_sentence(ledger: Ledger, three: list[str], capsys: Capture) -> None:
    """And why one was not."""
    about = {"marker": "dashboards", "tool": "grafana"}
    for payload in (
        payloads.MarkerSent(**about, moment="began", reference="annotation 17"),
        payloads.MarkerSent(**about, moment="rolling_back", reference=""),
        payloads.MarkerFailed(**about, moment="ended", reason="no answer within 5s."),
    ):
        events.record(ledger, Event(three[0], "run-1/report", NOW, payload))
    out, _ = told(capsys, ledger, three[0])
    assert [line.partition("report  ")[2] for line in out.splitlines()[-3:]] == [
        "told grafana 'dashboards' that it began (annotation 17)",
        "told grafana 'dashboards' that it is being rolled back",
        "could not tell grafana 'dashboards' that it ended: no answer within 5s.",
    ]
