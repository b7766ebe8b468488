"""A world for `ansible`: this machine as a host, and a project whose playbook sets a value."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.ansible import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: set the value
      ansible.builtin.lineinfile:
        path: "{{ file }}"
        regexp: "^max_idle"
        line: "max_idle = {{ max_idle }}"
        create: true
        mode: "0644"
"""


def project(folder: Path) -> Path:
    """Make a project with the playbook."""
    folder.mkdir()
    (folder / "pool.yml").write_text(PLAYBOOK)
    return folder


def inventory(**hosts: dict[str, Any]) -> dict[str, Any]:
    """Return an inventory of hosts that have this Python; modules reach it without a file, which takes less."""
    return {"app": {"hosts": hosts, "vars": {"ansible_python_interpreter": sys.executable, "ansible_pipelining": True}}}


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the host, reached without ssh; what counts is the file of the pool."""
    file = folder / "pool.ini"
    file.write_text("max_idle = 1\n")
    hosts = inventory(here={"ansible_connection": "local", "file": str(file)})
    step = {**EXAMPLE, "project": str(project(folder / "project")), "inventory": hosts, "vault": "vault"}
    account = Connection("ansible_ssh", "ssh", login="deploy", password="s3cret-of-ansible")
    vault = Connection("vault", "generic", password="s3cret-of-the-vault")
    yield World(step, file.read_text, {"ansible_ssh": account, "vault": vault}, cuts=2)
