"""A policy is read again as soon as one of its files is another, and not before."""

import contextlib
import shutil
from pathlib import Path

import pytest

from changewindow.cli.standalone import ROOT
from changewindow.errors import BadPolicy
from changewindow.policy.kept import kept_policy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the policy as it is delivered, to be changed."""
    shutil.copytree(ROOT / "include" / "policy", tmp_path / "policy")
    shutil.copytree(ROOT / "include" / "templates", tmp_path / "templates")
    return tmp_path


def kept(folder: Path) -> object:
    """Return the policy of a folder."""
    return kept_policy(folder / "policy", folder / "templates")


def test_the_same_files_are_read_once(folder: Path) -> None:
    """Whoever asks again gets the same."""
    assert kept(folder) is kept(folder)


@pytest.mark.parametrize("file", ["policy/calendar.yaml", "policy/approvals.yaml"])
def test_a_file_that_is_written_is_read_at_once(folder: Path, file: str) -> None:
    """Also one that says the same as before."""
    before = kept(folder)
    (folder / file).write_text((folder / file).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert kept(folder) is not before


def test_a_file_that_is_put_in_the_place_of_another_is_read_at_once(folder: Path) -> None:
    """As a volume of Kubernetes is renewed: links lead to other files of the same size and time."""
    before, calendar = kept(folder), folder / "policy" / "calendar.yaml"
    shutil.copy2(calendar, folder / "new.yaml")
    (folder / "new.yaml").replace(calendar)
    assert kept(folder) is not before


def test_a_broken_file_is_refused_until_it_is_mended(folder: Path) -> None:
    """What was read before does not stand in for it."""
    before, calendar = kept(folder), folder / "policy" / "calendar.yaml"
    good = calendar.read_text(encoding="utf-8")
    calendar.write_text("zone: nowhere", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(BadPolicy):
            kept(folder)
    calendar.write_text(good, encoding="utf-8")
    assert kept(folder) is not before


@pytest.mark.parametrize("file", ["policy/old.ics", "templates/old.yaml"])
def test_a_file_that_goes_while_it_is_listed_is_none(folder: Path, file: str) -> None:
    """As a link whose file went a moment ago: the policy is told from the one before, and nothing breaks."""
    before = kept(folder)
    (folder / file).symlink_to("gone")
    with contextlib.suppress(BadPolicy):
        assert kept(folder) is not before
