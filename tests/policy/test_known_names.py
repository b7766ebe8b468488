"""Names that the policy speaks of and the catalogue does not have: what is said of them holds for nobody."""

import shutil
from pathlib import Path

import pytest

from changewindow.cli.main import main
from changewindow.cli.standalone import ROOT

CALENDAR = """zone: UTC
default: open
freezes:
  - name: Sale
    environments: [production, produktion]
    services: [orders, ordres]
    start: 2026-01-02 12:00
    end: 2026-01-03 00:00
    exceptions:
      - {name: Agreed, services: [catalog]}
watches:
  - {name: Long, environments: [prod], at_least: 1h}
"""


NOWHERE = "no service has an environment"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the policy that is delivered, with a calendar that names what does not exist."""
    policy = shutil.copytree(ROOT / "include" / "policy", tmp_path / "policy")
    (policy / "calendar.yaml").write_text(CALENDAR)
    return policy


def test_a_misspelt_name_is_warned_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever it stands, with its line; a freeze of a misspelt service would freeze nothing."""
    assert main(["policy", "lint", "--policy", str(folder)]) == 0
    out = capsys.readouterr().out
    wanted = {
        "5: warning: freezes.0.environments.1": f"{NOWHERE} 'produktion'. Did you mean 'production'?",
        "6: warning: freezes.0.services.1": "no service is called 'ordres'. Did you mean 'orders'?",
        "10: warning: freezes.0.exceptions.0.services.0": "no service is called 'catalog'. Did you mean 'catalogue'?",
        "12: warning: watches.0.environments.0": f"{NOWHERE} 'prod'. Allowed: production, staging.",
    }
    lines = [f"{folder}/calendar.yaml:{place}: {text} [known_names]" for place, text in wanted.items()]
    assert [line for line in out.splitlines() if line.startswith(str(folder))] == lines


@pytest.mark.parametrize(("unlisted", "code", "services"), [("refuse", 1, 2), ("allow", 0, 0)])
def test_how_bad_that_is_the_catalogue_says(
    folder: Path, capsys: pytest.CaptureFixture[str], unlisted: str, *, code: int, services: int
) -> None:
    """Where services that are not listed are refused, it is a mistake; where they are allowed, they may exist."""
    catalogue = folder / "services.yaml"
    catalogue.write_text(catalogue.read_text().replace("unlisted: warn", f"unlisted: {unlisted}"))
    assert main(["policy", "lint", "--policy", str(folder)]) == code
    out = capsys.readouterr().out
    assert out.count("no service is called") == services
    assert out.count("no service has an environment") == 2


def test_other_files_of_the_policy_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Connections name services and environments as well; `all` is no name."""
    (folder / "connections.yaml").write_text(
        "unlisted: refuse\nconnections:\n  x:\n    services: [all, ordres]\n    environments: [all]\n"
    )
    main(["policy", "lint", "--policy", str(folder)])
    out = capsys.readouterr().out
    assert "connections.yaml:4: warning: connections.x.services.1: no service is called 'ordres'." in out


EMERGENCIES = """may_declare: [incident-comanders, dora]
approvers: [anybody, incident-commanders]
escalate_to: [release-managers]
"""
APPROVALS = (
    "groups: {incident-commanders: [dora, erik]}\nrules: [{name: All, levels: [{name: peer, from: [anybody]}]}]\n"
)


def test_who_stands_for_nobody_in_emergencies_yaml_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A group that is misspelt there would let nobody declare an emergency, at 3 a.m."""
    (folder / "emergencies.yaml").write_text(EMERGENCIES)
    (folder / "approvals.yaml").write_text(APPROVALS)
    assert main(["policy", "lint", "--policy", str(folder)]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if "emergencies.yaml" in line]
    assert len(wrong) == 2
    assert "emergencies.yaml:1" in wrong[0]
    assert "Did you mean 'incident-commanders'?" in wrong[0]
    assert "'release-managers' is neither a group of approvals.yaml nor a member of one" in wrong[1]
