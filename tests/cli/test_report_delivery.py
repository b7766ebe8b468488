"""What `changewindow report delivery` prints."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.cli.main import main
from changewindow.ledger.database import Ledger
from support.deliveries import by_hand, deployed

Capture = pytest.CaptureFixture[str]
THEN = datetime.now(UTC).replace(microsecond=0, second=0) - timedelta(days=3)
"""Within the time of a report, whose end the clock says."""


def reported(capsys: Capture, ledger: Ledger, *arguments: str) -> str:
    """Return what the command prints."""
    assert main(["report", "delivery", *arguments, "--ledger", str(ledger.url)]) == 0
    return capsys.readouterr().out


def metrics(capsys: Capture, ledger: Ledger, *arguments: str) -> dict[str, Any]:
    """Return the numbers that the command prints as JSON, by name."""
    printed = json.loads(reported(capsys, ledger, "--json", *arguments))
    return {metric["name"]: metric for metric in printed["metrics"]}


def test_each_number_says_of_how_many_and_what_it_counts(ledger: Ledger, capsys: Capture) -> None:
    """As the page does; few changes are marked, and what there is not is a dash."""
    deployed(ledger, THEN)
    deployed(ledger, THEN, "rolled_back")
    lines = [" ".join(line.split()) for line in reported(capsys, ledger).splitlines()]
    assert "Change fail rate 50.0% 1 of 2, few; before: - (the ledger had not begun)" in lines
    assert "Failed deployment recovery time 10m 1 of 1, few; before: - (the ledger had not begun)" in lines
    assert any(line.startswith("Change fail rate: Deployments that were rolled back, or whose") for line in lines)


def test_nothing_is_no_number(ledger: Ledger, capsys: Capture) -> None:
    """Neither zero nor everything."""
    lines = [" ".join(line.split()) for line in reported(capsys, ledger).splitlines()]
    assert "Change fail rate - the ledger had not begun; before: - (the ledger had not begun)" in lines


def test_json_names_the_changes_of_each_number(ledger: Ledger, capsys: Capture) -> None:
    """Those that are counted, and those out of which they are."""
    good, bad, told = deployed(ledger, THEN), deployed(ledger, THEN, "rolled_back"), by_hand(ledger, THEN)
    found = metrics(capsys, ledger)
    rate = found["change_fail_rate"]
    assert (rate["value"], rate["changes"], sorted(rate["out_of"]), rate["before"]) == (0.5, [bad], [good, bad], None)
    assert set(found["deployment_frequency"]["changes"]) == {good, bad, told}


def test_it_is_of_what_is_chosen(ledger: Ledger, capsys: Capture) -> None:
    """A service, an environment, an owner."""
    deployed(ledger, THEN, services=["shop"], owner="carol")
    deployed(ledger, THEN)
    for chosen in (("--service", "shop"), ("--owner", "carol")):
        assert metrics(capsys, ledger, *chosen)["change_fail_rate"]["out_of"] == ["CHG-1001"]
    assert metrics(capsys, ledger, "--environment", "staging")["change_fail_rate"]["why"] == "no change ran"
