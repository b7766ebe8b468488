"""The command line shows the calendar so that a tired person can read it."""

import argparse
from pathlib import Path

import pytest

from changewindow.cli import calendar
from changewindow.cli.calendar_arguments import add_arguments
from support.calendars import POLICY, at
from support.tickets import golden

CALENDAR = """zone: UTC
default: open
windows:
  - name: Nightly
    environments: [production]
    services: [orders]
    zone: Europe/Berlin
    start: 2026-01-05 22:00
    end: 2026-01-06 02:00
    repeat: FREQ=WEEKLY;BYDAY=MO,TU,WE,TH
  - name: Operations calendar
    services: [orders]
    zone: Europe/Berlin
    file: maintenance.ics
freezes:
  - name: Friday afternoon
    types: [normal]
    start: 2026-01-02 12:00
    end: 2026-01-03 00:00
    repeat: FREQ=WEEKLY;BYDAY=FR
    exceptions:
      - name: Payments may deploy on Fridays, agreed with on-call
        services: [payments]
  - name: Christmas
    zone: Europe/Berlin
    start: 2026-12-19 00:00
    end: 2027-01-04 00:00
    repeat: FREQ=YEARLY
  - name: Black Friday
    services: [search]
    zone: America/New_York
    start: 2026-11-26 00:00
    end: 2026-12-01 00:00
"""
Capture = pytest.CaptureFixture[str]


def run(*arguments: str) -> int:
    """Run a command on the afternoon before."""
    parser = argparse.ArgumentParser(prog="changewindow calendar")
    add_arguments(parser)
    return calendar.run(parser.parse_args(arguments), at("2026-12-02 13:37"))


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Return a folder with a calendar."""
    (tmp_path / "calendar.yaml").write_text(CALENDAR, encoding="utf-8")
    (tmp_path / "maintenance.ics").write_bytes((POLICY / "maintenance.ics").read_bytes())
    return str(tmp_path)


def test_next_shows_openings_and_why_it_is_closed_between(policy: str, capsys: Capture) -> None:
    """The local time stands first, as people say it; UTC beside it, as machines log it."""
    assert run("next", "orders", "-n", "13", "--policy", policy) == 0
    print()
    assert run("next", "search", "-n", "4", "--policy", policy) == 0
    print()
    assert run("next", "payments", "-n", "1", "--policy", policy) == 0
    print()
    assert run("next", "search", "--type", "standard", "--needs", "400h", "--policy", policy) == 0
    print()
    assert run("next", "orders", "--needs", "5h", "--policy", policy) == 0
    print()
    assert run("next", "orders", "--type", "emergency", "--policy", policy) == 0
    assert capsys.readouterr().out == golden("calendar_next.txt")


SERVICES = """services:
  orders: {owners: [a], environments: [production, staging]}
  payments: {owners: [b], environments: [production]}
"""


@pytest.mark.parametrize(
    ("arguments", "warnings"),
    [
        pytest.param(["orders"], [], id="known"),
        pytest.param(["search"], [], id="known to the calendar alone"),
        pytest.param(
            ["ordres"],
            ["no service is called 'ordres'. Did you mean 'orders'? Shown is what holds for every service."],
            id="a misspelt service",
        ),
        pytest.param(
            ["orders", "--environment", "produktion"],
            ["no service has an environment 'produktion'. Did you mean 'production'?"],
            id="an environment in another language",
        ),
        pytest.param(
            ["payments", "--environment", "staging"],
            ["'payments' does not run in staging, but in production. Choose with --environment."],
            id="an environment of others",
        ),
        pytest.param(
            ["billing", "--environment", "moon"],
            [
                (
                    "no service is called 'billing'. Allowed: orders, payments, search. "
                    "Shown is what holds for every service."
                ),
                "no service has an environment 'moon'. Allowed: production, staging.",
            ],
            id="both",
        ),
    ],
)
def test_next_of_an_unknown_name_says_so(
    policy: str, capsys: Capture, arguments: list[str], warnings: list[str]
) -> None:
    """Nobody, and no script, takes the answer about a misspelt service for that about theirs."""
    (Path(policy) / "services.yaml").write_text(SERVICES, encoding="utf-8")
    assert run("next", *arguments, "-n", "1", "--policy", policy) == (1 if warnings else 0)
    out, err = capsys.readouterr()
    assert err.splitlines() == [f"warning: {warning}" for warning in warnings]
    assert out.startswith(f"{arguments[0]} in ")
    assert run("next", *arguments, "--json", "--policy", policy) == (1 if warnings else 0)


def test_lint_says_what_the_calendar_holds(capsys: Capture) -> None:
    """Ours is good."""
    assert run("lint") == 0
    assert capsys.readouterr() == (
        "0 windows, 2 freezes; a service without a window is open\n",
        f"policy: {POLICY}\ncalendar.yaml, no findings\n",
    )


def test_lint_prints_every_finding(policy: str, capsys: Capture) -> None:
    """Each stands at its line; the exit code says that there are some."""
    (Path(policy) / "maintenance.ics").write_text("hello", encoding="utf-8")
    assert run("lint", "--policy", policy) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{policy}/calendar.yaml:14: windows.1.file: maintenance.ics, line 1: it is not iCalendar: ")
    assert err == "1 finding in calendar.yaml\n"


def test_next_of_a_bad_calendar_is_its_findings(policy: str, capsys: Capture) -> None:
    """Nothing is offered that might be wrong."""
    (Path(policy) / "calendar.yaml").write_text("zone: UTC\n", encoding="utf-8")
    assert run("next", "orders", "--policy", policy) == 1
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0].startswith(f"{policy}/calendar.yaml:1: 'default' is missing.")) == ("", True)


def test_the_environment_may_name_the_folder(policy: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over it."""
    monkeypatch.setenv("CHANGEWINDOW_POLICY", policy)
    assert run("lint") == 0
    assert capsys.readouterr().out.startswith("2 windows, 3 freezes;")
    assert run("lint", "--policy", str(POLICY)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: ACTION"),
        (["next"], "the following arguments are required: SERVICE"),
        (["next", "orders", "-n", "0"], "-n 0 shows nothing; write 1 or more"),
        (
            ["next", "orders", "--needs", "long"],
            "--needs: 'long' is not a length of time. Write it like 30s, 15m or 1h30m.",
        ),
        (["next", "orders", "--type", "big"], "invalid choice: 'big'"),
    ],
)
def test_misuse_ends_with_2_and_says_how(arguments: list[str], message: str, capsys: Capture) -> None:
    """A wrong call is told apart from a wrong calendar."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
