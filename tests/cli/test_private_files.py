"""What the embedded Airflow writes is closed to other users of the machine."""

import os
import subprocess
from pathlib import Path

from changewindow.cli.private_files import private


def mode(path: Path) -> str:
    """Return the permissions of a file or folder."""
    return f"{path.stat().st_mode & 0o777:o}"


def test_what_is_written_meanwhile_belongs_to_this_user_alone(tmp_path: Path) -> None:
    """By us, and by programs that are started; afterwards everything is as it was."""
    home, before = tmp_path / "home", os.umask(0o022)
    try:
        with private(home):
            (home / "logs").mkdir()
            (home / "logs" / "task.log").write_text("x")
            subprocess.run(["touch", str(home / "airflow.db")], check=True)
        (tmp_path / "later").touch()
    finally:
        os.umask(before)
    files = (home, home / "logs", home / "logs" / "task.log", home / "airflow.db", tmp_path / "later")
    assert [mode(path) for path in files] == ["700", "700", "600", "600", "644"]


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    """Database, ledger and logs; what a link leads to is not ours."""
    outside, home = tmp_path / "outside", tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    for path in (outside, home / "ledger.db", home / "logs" / "task.log"):
        path.write_text("x")
        path.chmod(0o664)
    (home / "link").symlink_to(outside)
    (home / "logs").chmod(0o775)
    with private(home):
        pass
    files = (home / "ledger.db", home / "logs", home / "logs" / "task.log", outside)
    assert [mode(path) for path in files] == ["600", "700", "600", "664"]
