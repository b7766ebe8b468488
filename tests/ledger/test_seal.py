"""Seals: by a key that is read where it is given, made where nobody gives one, and may be changed."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from changewindow import settings
from changewindow.errors import LedgerDown, SealKeyMissing, UnknownSealKey
from changewindow.ledger.chain import checked_events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import known
from changewindow.ledger.seal import Seal
from support.changes import approved
from support.tampering import tamper
from support.tickets import banner

OLD, NEW = "the-key-of-last-year", "the-key-of-this-year"


def seal(home: Path, **environment: str) -> Seal:
    """Return the seal of an installation."""
    return Seal(lambda: settings.read({"AIRFLOW_HOME": str(home), **environment}))


def test_a_seal_counts_for_one_content_and_one_purpose(tmp_path: Path) -> None:
    """And for one key."""
    ours = seal(tmp_path, CHANGEWINDOW_SEAL_KEY=OLD)
    made = ours.of("event", {"a": 1})
    assert ours.holds(made, "event", {"a": 1})
    assert not ours.holds(made, "event", {"a": 2})
    assert not ours.holds(made, "head", {"a": 1})
    assert not ours.holds(None, "event", {"a": 1})
    other = seal(tmp_path, CHANGEWINDOW_SEAL_KEY=NEW)
    assert not other.holds(made, "event", {"a": 1})
    assert f"is sealed by key {made[:8]}, which is not known here" in other.why_strange(made)
    assert (ours.why_strange(made), other.why_strange("no seal at all"), other.why_strange(None)) == ("", "", "")


def test_after_a_rotation_the_newest_key_seals_and_all_are_known(tmp_path: Path) -> None:
    """Written with commas, or one a line."""
    before = seal(tmp_path, CHANGEWINDOW_SEAL_KEY=OLD)
    after = seal(tmp_path, CHANGEWINDOW_SEAL_KEY=f"{NEW}, {OLD}")
    assert after.holds(before.of("event", 1), "event", 1)
    assert not before.holds(after.of("event", 1), "event", 1)
    (tmp_path / "keys").write_text(f"{NEW}\n{OLD}\n")
    filed = seal(tmp_path, CHANGEWINDOW_SEAL_KEY_FILE=str(tmp_path / "keys"))
    assert filed.of("event", 1) == after.of("event", 1)


def test_where_nobody_gives_a_key_one_is_made_that_only_its_owner_may_read(tmp_path: Path) -> None:
    """Of twelve who make it at once, all have the same."""
    home = tmp_path / "home"
    with ThreadPoolExecutor(12) as pool:
        made = set(pool.map(lambda _: seal(home).of("event", 1), range(12)))
    assert len(made) == 1
    [path] = home.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"CHANGEWINDOW_SEAL_KEY_FILE": "/nowhere/key"}, "/nowhere/key cannot be read"),
        ({"CHANGEWINDOW_SEAL_KEY": "short"}, "a key of 5 characters is given, 16 are the least"),
        ({"CHANGEWINDOW_SEAL_KEY": " "}, "is empty"),
    ],
)
def test_without_a_key_nothing_is_sealed(tmp_path: Path, environment: dict[str, str], why: str) -> None:
    """It is as if the ledger were down: nothing new is done, undo goes on."""
    with pytest.raises(SealKeyMissing, match=why) as missing:
        seal(tmp_path, **environment).of("event", 1)
    assert isinstance(missing.value, LedgerDown)
    assert "Give every process of Change Windows the same CHANGEWINDOW_SEAL_KEY" in str(missing.value)
    assert not list(tmp_path.iterdir())


def test_in_another_folder_it_is_said_where_the_key_was_looked_for(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who runs a command with the AIRFLOW_HOME of something else learns that, and no key."""
    change = approved(ledger, banner()).change
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(UnknownSealKey) as unknown, Ledger(str(ledger.url)).reading() as session:
        checked_events(session, known(session, change))
    key = tmp_path / "elsewhere" / "changewindow-seal.key"
    assert f"Add that key behind the first one in the file {key}; every process" in str(unknown.value)
    assert "If the ledger is that of another installation, set AIRFLOW_HOME" in str(unknown.value)
    assert "somebody" not in str(unknown.value)
    assert key.read_text().strip() not in str(unknown.value)
    tamper(ledger, "UPDATE changes SET head = '1 aa bbbbbbbb:" + "c" * 64 + "'")
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "the-key-with-which-all-tests-seal")
    with (
        pytest.raises(UnknownSealKey, match="the head of its chain is sealed by key bbbbbbbb"),
        Ledger(str(ledger.url)).reading() as session,
    ):
        checked_events(session, known(session, change))
