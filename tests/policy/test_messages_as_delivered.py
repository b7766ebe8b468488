"""The file of rooms and people that is delivered: all of it is a comment, and right once it is none."""

import re
import shutil
from pathlib import Path

import pytest

from changewindow import kinds
from changewindow.cli.main import main
from changewindow.policy.messages import FILE, Messages, load_messages
from support.tickets import TESTS

SHIPPED = TESTS.parent / "include" / "policy"


def test_as_delivered_rooms_are_as_ever() -> None:
    """Nobody has to write anything."""
    assert load_messages(SHIPPED).model == Messages()


def test_the_delivered_examples_are_valid(tmp_path: Path) -> None:
    """Whoever removes the signs of the comments has a room and two people."""
    text = re.sub(r"(?m)^  # ", "  ", (SHIPPED / FILE).read_text())
    (tmp_path / FILE).write_text(text)
    loaded = load_messages(tmp_path).model
    assert loaded is not None
    assert set(loaded.people) == {"alice", "bob"}
    assert loaded.rules("#deploys").zone == "Europe/Berlin"
    kinds_named = {channel.kind for channel in loaded.rules("#deploys").to}
    assert kinds_named == set(kinds.names("notify")) - {"log"}
    assert loaded.ids("email") == {"alice": "alice@example.org"}


def test_a_room_whose_templates_are_nowhere_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its messages read as everywhere, which its team has not meant."""
    folder = shutil.copytree(SHIPPED, tmp_path / "policy")
    shutil.copytree(SHIPPED.parent / "templates", tmp_path / "templates")
    (folder / FILE).write_text('rooms:\n  "#deploys": {templates: deploys}\n')
    assert main(["policy", "lint", "--policy", str(folder)]) == 0
    assert "#deploys has templates of its own in " in capsys.readouterr().out


def test_two_people_with_one_slack_id_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither of them could decide; messages go on all the same. One person, however written, is one."""
    folder = shutil.copytree(SHIPPED, tmp_path / "policy")
    shutil.copytree(SHIPPED.parent / "templates", tmp_path / "templates")
    (folder / FILE).write_text(
        "people: {alice: {slack: U01}, Alice: {slack: U01}, bob: {slack: U02}, eve: {slack: U02}}\n"
    )
    assert load_messages(folder).model is not None
    assert main(["policy", "lint", "--policy", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "bob and eve share the Slack id U02 in messages.yaml. Give bob and eve an id of their own." in out
    assert "U01" not in out
