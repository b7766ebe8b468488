"""The command that prints the draft of a standard change."""

from pathlib import Path

import pytest

from changewindow.cli.main import main
from changewindow.cli.standalone import ROOT
from changewindow.documents.yaml import parse
from changewindow.ledger import changes, leases
from changewindow.ledger.database import Ledger
from support.changes import NOW, approved, intent
from support.tickets import banner

SHIPPED = ROOT / "include" / "policy"
Capture = pytest.CaptureFixture[str]


def drafted(ledger: Ledger, *options: str, policy: Path = SHIPPED) -> int:
    """Run the command; return its exit code."""
    return main(["draft", *options, "--ledger", f"sqlite:///{ledger.url.database}", "--policy", str(policy)])


def test_what_ran_is_printed_as_a_draft(ledger: Ledger, capsys: Capture, tmp_path: Path) -> None:
    """With what is left to put right at its end; also while the policy cannot be read."""
    submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    changes.close(ledger, submitted.change, run="run-1", outcome="completed", reason="", now=NOW)
    assert drafted(ledger, "1001", "--name", "switch_banner") == 0
    printed = capsys.readouterr()
    assert "put it among the templates as switch_banner.yaml" in printed.out
    assert parse(printed.out).data["steps"] == banner()["steps"]
    assert printed.err.endswith("1 finding; it approves nothing\n")
    (tmp_path / "services.yaml").write_text("services: 7")
    assert drafted(ledger, "CHG-1001", policy=tmp_path) == 0
    assert "Judged without the policy" in capsys.readouterr().err


def test_what_never_ran_is_said_in_a_sentence(ledger: Ledger, capsys: Capture) -> None:
    """On standard error, with exit code 1."""
    approved(ledger, banner())
    assert drafted(ledger, "CHG-1001") == 1
    assert "CHG-1001 has never run (it is approved)" in capsys.readouterr().err
    assert drafted(ledger, "CHG-4242") == 1
    with pytest.raises(SystemExit):
        drafted(ledger, "CHG-1001", "--name", "../a")
    assert "'../a' is no name; write it like restart_orders" in capsys.readouterr().err
