"""The policy is read as a whole: every mistake of every file at once, and no policy while there is one."""

import shutil
from pathlib import Path

import pytest

from changewindow.cli.standalone import ROOT
from changewindow.errors import BadPolicy
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.load import FILES, load_policy
from support.tickets import POLICY, SHIPPED

DELIVERED = ROOT / "include" / "policy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the policy that is delivered."""
    return shutil.copytree(DELIVERED, tmp_path / "policy")


def test_the_policy_that_is_delivered_can_be_read() -> None:
    """The service of the examples is listed, and there are standard changes."""
    assert "orders" in POLICY.catalogue.services
    assert POLICY.standards.names() == ("max_idle", "restart")


def test_every_mistake_of_every_file_is_said_at_once(folder: Path) -> None:
    """The error carries them all, with file and line, and ends with what to do."""
    (folder / "services.yaml").write_text("unlisted: perhaps\nservices: {}\n")
    (folder / "approvals.yaml").write_text("rules:\n- name: All\n  level: []\n")
    with pytest.raises(BadPolicy) as raised:
        load_policy(folder)
    assert raised.value.findings == [
        f"{folder}/services.yaml:1: unlisted: 'perhaps' is not allowed. Allowed: allow, refuse, warn. [catalogue]",
        f"{folder}/approvals.yaml:3: rules.0: unknown field 'level'. Did you mean 'levels'? [approvals]",
    ]
    listed = "".join(f"\n  {finding}" for finding in raised.value.findings)
    assert str(raised.value) == (
        f"The policy cannot be read.{listed}\nNo change starts until the policy can be read. Correct it; "
        "`changewindow policy lint` shows the same."
    )


LATER = {"connections.yaml", "emergencies.yaml", "rights.yaml"}


@pytest.mark.parametrize("file", [file for file, _ in FILES.values() if file not in LATER])
def test_a_file_that_is_not_there_is_a_mistake(folder: Path, file: str) -> None:
    """What is not said is not guessed; only files that came later may be missing.

    Of connections.yaml each ticket is warned; for rights.yaml and emergencies.yaml the defaults hold.
    """
    (folder / file).unlink()
    with pytest.raises(BadPolicy) as raised:
        load_policy(folder)
    finding = "the file cannot be read: No such file or directory. Check the name and its permissions. [yaml]"
    assert raised.value.findings == [f"{folder / file}:1: {finding}"]


def test_templates_lie_beside_the_policy_unless_they_are_named(folder: Path) -> None:
    """A copy of the policy alone has no standard changes."""
    assert load_policy(folder).standards.names() == ()
    assert load_policy(folder, ROOT / "include" / "templates").standards == POLICY.standards


def test_a_template_that_is_wrong_stops_no_change(folder: Path) -> None:
    """It approves nothing; everything else goes on."""
    templates = folder.parent / "templates"
    templates.mkdir()
    (templates / "bad.yaml").write_text("summary: Bad\n")
    standards = load_policy(folder).standards
    assert (standards.names(), len(standards.findings) > 0) == ((), True)


def test_a_mistake_in_connections_is_said_with_its_line(folder: Path) -> None:
    """As in every other file of the policy."""
    (folder / "connections.yaml").write_text(
        "unlisted: perhaps\nconnections:\n  orders:\n    services: orders\n    environment: [production]\n"
    )
    with pytest.raises(BadPolicy) as raised:
        load_policy(folder)
    assert [finding.removeprefix(f"{folder}/") for finding in raised.value.findings] == [
        "connections.yaml:1: unlisted: 'perhaps' is not allowed. Allowed: refuse, warn. [connections]",
        (
            "connections.yaml:4: connections.orders.services: found 'orders' where a list is expected. "
            "Write it as a list, e.g. `services: [orders]`. [connections]"
        ),
        (
            "connections.yaml:5: connections.orders: unknown field 'environment'. Did you mean 'environments'? "
            "[connections]"
        ),
    ]


def test_the_emergencies_yaml_that_is_shipped_says_the_defaults() -> None:
    """Whoever installs it and whoever has none are promised the same."""
    assert SHIPPED.emergencies == Emergencies()
