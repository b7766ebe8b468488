"""Reaches a host through a bastion that its Airflow Connection names in `proxy_jump`."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection

JUMP = re.compile(r"(?:(?P<login>[\w.][\w.-]*)@)?(?P<host>[A-Za-z0-9][\w.-]*)(?::(?P<port>[0-9]{1,5}))?")
SAME = ("IdentityFile", "IdentitiesOnly", "ConnectTimeout", "LogLevel", "ForwardAgent", "ForwardX11", "UpdateHostKeys")
"""Options that count for the bastion as for the host behind it. `ssh -J` would hand none of them on."""
NO_PASSWORD = {"PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no"}
"""The password of the connection is for the host alone."""


def proxy_command(connection: Connection, options: Mapping[str, str], folder: Path) -> str:
    """Return what `ssh` starts to reach the host: through a bastion, or as `host_proxy_cmd` says; empty for neither.

    The bastion is let in with the key of the connection; its own key is `proxy_jump_host_key`, or has to be known to
    the worker, and is checked whatever holds for the host behind it.

    Raises:
        UnusableConnection: the connection names no bastion that can be reached, or contradicts itself.
    """
    given, command = (str(connection.extra.get(name) or "").strip() for name in ("proxy_jump", "host_proxy_cmd"))
    if given and command:
        raise UnusableConnection(connection.name, "clear way to its host: it has both proxy_jump and host_proxy_cmd")
    if not given:
        return command
    jump = JUMP.fullmatch(given)
    if jump is None:
        raise UnusableConnection(
            connection.name, "proxy_jump like `user@bastion.example.com:22`; one bastion is enough"
        )
    chosen = {name: options[name] for name in SAME if name in options}
    chosen |= {"ControlMaster": "no", "ControlPath": "none", **NO_PASSWORD, **_known(connection, jump, folder)}
    listed = [part for name, value in chosen.items() for part in ("-o", f"{name}={value}")]
    login = ["-l", jump["login"]] if jump["login"] else []
    port = ["-p", jump["port"]] if jump["port"] else []
    # What ssh would expand itself is the path of a key at most.
    before = shlex.join(["ssh", *listed, *login, *port]).replace("%", "%%")
    return f"{before} -W '[%h]:%p' -- {jump['host']}"


def _known(connection: Connection, jump: "re.Match[str]", folder: Path) -> dict[str, str]:
    given = str(connection.extra.get("proxy_jump_host_key") or "").strip()
    if not given:
        return {"StrictHostKeyChecking": "yes"}
    known = folder / "known_bastion"
    name = f"[{jump['host']}]:{jump['port']}" if jump["port"] not in {None, "22"} else jump["host"]
    known.write_text(f"{name} {given}\n", encoding="utf-8")
    return {
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "/dev/null",
    }
