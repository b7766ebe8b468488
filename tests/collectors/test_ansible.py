"""What `ansible` shows of a real run of ansible-runner, and of artifacts that are broken or too many."""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import ansible_runner
import pytest

from changewindow.collectors import ansible
from changewindow.systems.ansible import BIN
from changewindow.systems.collection import Collected
from collector_fixtures.ansible import account, event, hostile
from support.looking import last, looked

pytestmark = pytest.mark.integration

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: set the value
      ansible.builtin.copy: {dest: "{{ there }}/pool.ini", content: "max_idle = 1", mode: "0600"}
    - name: set the password
      ansible.builtin.copy: {dest: "{{ there }}/password", content: "s3cret", mode: "0600"}
      no_log: true
    - name: look only
      ansible.builtin.debug: {msg: nothing}
    - name: fail
      ansible.builtin.command: {cmd: "false", removes: "{{ there }}/pool.ini"}
"""


async def look(folder: Path, *, hours: int = 1) -> Collected:
    """Return what shows of the last hours."""
    asked = {"kind": "ansible", "folder": str(folder), "within": "20s"}
    return await looked(asked, folder=Path("unused"), span=last(timedelta(hours=hours)))


async def test_a_real_run_shows_what_it_changed_where(tmp_path: Path) -> None:
    """Tasks that changed nothing are no entry; of one with no_log, nothing but its name is shown."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pool.yml").write_text(PLAYBOOK)
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "there": str(tmp_path)}
    ansible_runner.run(
        private_data_dir=str(tmp_path),
        playbook="pool.yml",
        inventory={"all": {"hosts": {"web-3": host}}},
        extravars={"token": "s3cret"},
        ident="run_1",
        quiet=True,
        envvars={"PATH": f"{BIN}:{os.environ['PATH']}"},
    )
    collected = await look(tmp_path / "artifacts")
    ended, failed, hidden, copied, began = collected.entries
    assert copied.object == f"web-3:{tmp_path}/pool.ini"
    assert copied.what.startswith(
        "task 'set the value' (ansible.builtin.copy) changed it, run run_1 of pool.yml, from "
    )
    assert (copied.by, copied.known_by) == (account(), ansible.STARTED)
    assert hidden.object == "web-3"
    assert hidden.what.endswith("; its result is hidden")
    assert "task 'fail' (ansible.builtin.command) failed, perhaps after it changed something" in failed.what
    assert began.what.startswith("began pool.yml: ansible-playbook -i ")
    assert ended.what == "ended pool.yml: changed web-3; failed on web-3"
    assert "s3cret" not in str(collected)


async def test_the_command_is_shown_without_values_that_may_be_secret(tmp_path: Path) -> None:
    """Nor is anything of its environment."""
    event(tmp_path, "run_1", 1, "playbook_on_start")
    (began,) = (await look(tmp_path)).entries
    assert began.what == "began pool.yml: ansible-playbook -i hosts -e *** --extra-vars=*** pool.yml"


async def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    """A broken event hides no other; so does a run without events, and a folder that begins later says so."""
    hostile(tmp_path, "task")
    (tmp_path / "run_9").mkdir()
    collected = await look(tmp_path, hours=24)
    assert len(collected.entries) == 1
    assert collected.coverage.lost == 5
    assert "the oldest run that is kept is of " in collected.coverage.why
    assert "5 events cannot be read" in collected.coverage.why
    assert collected.coverage.since > collected.coverage.until - timedelta(minutes=1)


async def test_too_many_events_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest runs are read."""
    monkeypatch.setattr("changewindow.collectors.ansible.EVENTS", 3)
    for number in range(5):
        event(tmp_path, "run_1", number, "runner_on_ok")
    assert json.loads((tmp_path / "run_1" / "command").read_text())["env"] == {"TOKEN": "s3cret"}
    assert "3 events are read, of the newest runs" in (await look(tmp_path)).coverage.why
