"""Which tools are told: one file of the policy, which stops no change."""

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import changewindow.markers
from changewindow import kinds
from changewindow.cli.main import main
from changewindow.cli.standalone import ROOT
from changewindow.markers.base import MARKERS
from changewindow.policy.markers import load_markers
from support.marked import BEGAN, tell

SHIPPED = ROOT / "include" / "policy"
PAGER = '''
"""Rings the bell in the office."""

from typing import Literal

from changewindow.markers.base import MarkerBase, Moment
from changewindow.systems.measurement import SourceContext

EXAMPLE = {"kind": "bell", "rings": 3}


class Marker(MarkerBase):
    """The bell."""

    kind: Literal["bell"] = "bell"
    rings: int
    """How often."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Ring it."""
        return f"{'ding ' * self.rings}{moment.head}"
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the policy that is delivered."""
    return shutil.copytree(SHIPPED, tmp_path / "policy")


def write(folder: Path, text: str) -> None:
    """Write the file of markers."""
    (folder / MARKERS).write_text(textwrap.dedent(text))


def uncommented(text: str) -> str:
    """Return a file without the signs of its comments below `markers:`."""
    return re.sub(r"(?m)^  # ", "  ", text)


def test_as_delivered_nobody_is_told() -> None:
    """All of it is a comment; what stands there is right once it is none."""
    loaded = load_markers(SHIPPED)
    assert loaded.model is not None
    assert loaded.model.markers == {}
    text = (SHIPPED / MARKERS).read_text()
    head, _, rest = text.partition("markers:\n")
    used = yaml.safe_load("markers:\n" + uncommented(rest))
    assert {marker["kind"] for marker in used["markers"].values()} == set(kinds.names("markers"))
    assert head.startswith("#")


def test_the_delivered_examples_are_valid(folder: Path) -> None:
    """Whoever removes the signs of the comments has four markers."""
    write(folder, uncommented((SHIPPED / MARKERS).read_text()))
    loaded = load_markers(folder)
    assert loaded.model is not None
    assert set(loaded.model.markers) == {"dashboards", "orders-on-call", "events", "release-board"}


def test_a_policy_without_the_file_tells_nobody(tmp_path: Path) -> None:
    """As those of earlier versions."""
    loaded = load_markers(tmp_path)
    assert loaded.model is not None
    assert loaded.model.markers == {}


def test_what_is_wrong_has_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`policy lint` finds it before anybody misses a marker."""
    write(
        folder,
        """\
        markers:
          dashboards:
            kind: grafanna
            connection: grafana
          board:
            kind: webhook
            connection: board
            within: 5h
        """,
    )
    assert main(["policy", "lint", "--policy", str(folder)]) == 1
    out = capsys.readouterr().out
    assert f"{folder}/markers.yaml:3: markers.dashboards.kind: " in out
    assert "Did you mean 'grafana'?" in out
    assert f"{folder}/markers.yaml:8: markers.board.within: " in out


def test_a_service_that_nobody_knows_is_warned_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody would be told."""
    write(folder, "markers:\n  board: {kind: webhook, connection: board, services: [ordres], environments: [prod]}\n")
    assert main(["policy", "lint", "--policy", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "markers.board.services.0: no service is called 'ordres'. Did you mean 'orders'?" in out
    assert "markers.board.environments.0: no service has an environment 'prod'." in out


def test_a_file_that_cannot_be_read_is_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not a traceback."""
    write(folder, "markers: [\n")
    assert main(["policy", "lint", "--policy", str(folder)]) == 1
    assert f"{folder}/markers.yaml:" in capsys.readouterr().out


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[None]:
    """Add a kind that nobody has planned: one file."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "bell.py").write_text(PAGER)
    changewindow.markers.__path__.append(str(tmp_path / "more"))
    kinds.names.cache_clear()
    yield
    changewindow.markers.__path__.remove(str(tmp_path / "more"))
    kinds.names.cache_clear()


@pytest.mark.usefixtures("bell")
async def test_a_kind_that_nobody_planned_is_one_new_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is read, checked, described and told without another line."""
    write(folder, "markers:\n  office: {kind: bell, rings: 2, environments: [production]}\n")
    assert main(["policy", "lint", "--policy", str(folder)]) == 0
    assert main(["kinds", "bell"]) == 0
    assert "Rings the bell in the office." in capsys.readouterr().out
    assert await tell({"kind": "bell", "rings": 2}, BEGAN) == "ding ding CHG-1042 began"
