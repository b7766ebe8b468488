"""What collectors keep between two looks."""

from pathlib import Path

from changewindow.changes.kept import KEY, keep, kept_in, key_in


def test_a_later_look_recognises_the_secrets_of_an_earlier_one(tmp_path: Path) -> None:
    """The key is the same for every process, and nobody else may read it."""
    folder = tmp_path / "collected"
    key = key_in(folder)
    assert (len(key), key_in(folder)) == (32, key)
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.iterdir()] == [KEY]


def test_a_broken_key_is_made_anew(tmp_path: Path) -> None:
    """A disk that was full has left half of it."""
    (tmp_path / KEY).write_bytes(b"half")
    assert key_in(tmp_path) == key_in(tmp_path) != b"half"


def test_where_nothing_can_be_kept_any_key_does(tmp_path: Path) -> None:
    """The folder is a file."""
    place = tmp_path / "file"
    place.write_text("")
    keep(place, {"seen": 1}, b"key")
    assert (len(key_in(place)), kept_in(place, b"key")) == (32, {})


def test_looks_with_different_keys_keep_apart(tmp_path: Path) -> None:
    """What the one has kept would look changed to the other."""
    keep(tmp_path, {"seen": 1}, b"ours")
    keep(tmp_path, {"seen": 2}, b"theirs")
    assert (kept_in(tmp_path, b"ours"), kept_in(tmp_path, b"theirs")) == ({"seen": 1}, {"seen": 2})
