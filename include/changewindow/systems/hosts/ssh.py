"""Says how OpenSSH reaches a host, by an Airflow Connection of type SSH."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.hosts.bastion import proxy_command

ASKPASS = """#!/bin/sh
case "$1" in
  *"$CW_SSH_LOGIN@$CW_SSH_HOST"*assword*) printf '%s\\n' "$CW_SSH_PASSWORD" ;;
  *"assphrase for key '$CW_SSH_KEY'"*) printf '%s\\n' "$CW_SSH_PASSPHRASE" ;;
  *) exit 1 ;;
esac
"""
"""Answers `ssh`: the password to this account only (not to a jump host's), the passphrase to this key only."""
OPTIONS = {
    "LogLevel": "ERROR",
    "RequestTTY": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
    "IdentitiesOnly": "yes",
    "NumberOfPasswordPrompts": "1",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "4",
    "UpdateHostKeys": "no",
}
DISABLED = {
    "keys": "HostKeyAlgorithms",
    "pubkeys": "PubkeyAcceptedAlgorithms",
    "kex": "KexAlgorithms",
    "ciphers": "Ciphers",
    "macs": "MACs",
}
"""The names under which the connection's extra field disables algorithms, and what `ssh` calls them."""


@dataclass(frozen=True)
class Reach:
    """How `ssh` reaches a host: its options, the environment it needs, and what is on the other side."""

    options: tuple[str, ...]
    environment: Mapping[str, str]
    host: str
    login: str
    port: int
    key: str

    @property
    def is_checked(self) -> bool:
        """Return whether the host has to prove who it is."""
        return "StrictHostKeyChecking=yes" in self.options

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the command line up to what is to be run."""
        account = ("-l", self.login) if self.login else ()
        return ("ssh", *self.options, *account, "-p", str(self.port), "--", self.host)


def reach(connection: Connection, folder: Path) -> Reach:
    """Return how to reach the host of a connection; a key and what answers for its passphrase are put into the folder.

    Secrets appear in no argument. `~/.ssh/config` counts for what is not said here, such as a jump host.

    Raises:
        UnusableConnection: the connection does not say enough, or contradicts itself.
    """
    if not connection.host:
        raise UnusableConnection(connection.name, "host")
    options = {**OPTIONS, **_host_keys(connection, folder)}
    if "UserKnownHostsFile" in options:
        options["HostKeyAlias"] = connection.server_name.lower()
    return _reach(connection, folder, options)


def reach_many(connection: Connection, folder: Path) -> Reach:
    """Return how to reach whichever hosts with the account of a connection; see `reach`.

    A `host_key` counts for the connection's own host; the other hosts have to be known to the worker.
    """
    options = {**OPTIONS, **_host_keys(connection, folder), "ControlMaster": "auto", "ControlPersist": "5s"}
    del options["ControlPath"]
    if "UserKnownHostsFile" in options and options["StrictHostKeyChecking"] == "yes":
        options["UserKnownHostsFile"] += " ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts"
    return _reach(connection, folder, options)


def _reach(connection: Connection, folder: Path, options: dict[str, str]) -> Reach:
    """Add what both have: the ways in, and the fields of the extra field that ssh has options for."""
    extra, key = connection.extra, _key(connection, folder)
    options |= _ways_in(connection, key)
    options["ConnectTimeout"] = str(extra.get("conn_timeout") or 10)
    if not options["ConnectTimeout"].isdecimal():
        raise UnusableConnection(connection.name, "number as conn_timeout")
    options["Compression"] = "no" if _is(extra.get("compress"), "false") else "yes"
    if extra.get("ciphers"):
        options["Ciphers"] = ",".join(extra["ciphers"])
    for name, algorithms in (extra.get("disabled_algorithms") or {}).items():
        if name not in DISABLED:
            raise UnusableConnection(connection.name, f"known names in disabled_algorithms; unknown: {name}")
        options[DISABLED[name]] = "-" + ",".join(algorithms)
    if command := proxy_command(connection, options, folder):
        options["ProxyCommand"] = command
    listed = tuple(part for name, value in options.items() for part in ("-o", f"{name}={value}"))
    environment = _askpass(connection, folder, key)
    return Reach(listed, environment, connection.server_name, connection.login, connection.port or 22, key)


def _is(value: Any, word: str) -> bool:
    return str(value).lower() == word


def _key(connection: Connection, folder: Path) -> str:
    """Return the path of the private key, or an empty text; the one in `extra` goes into a file nobody else reads."""
    named = str(connection.extra.get("key_file") or "")
    if not connection.extra.get("private_key"):
        if named and not Path(named).expanduser().is_file():
            raise UnusableConnection(connection.name, f"key_file that is on this worker: {named} is not there")
        return named
    if named:
        raise UnusableConnection(connection.name, "clear choice of key: it has both key_file and private_key")
    file = folder / "key"
    file.touch(mode=0o600)
    file.write_text(str(connection.extra["private_key"]).strip() + "\n", encoding="utf-8")
    return str(file)


def _host_keys(connection: Connection, folder: Path) -> dict[str, str]:
    """Return the options that say which key of the host is trusted: the one of the connection, or else a known one."""
    extra = connection.extra
    given, unchecked = str(extra.get("host_key") or "").strip(), _is(extra.get("no_host_key_check"), "true")
    if given and unchecked:
        raise UnusableConnection(connection.name, "clear word on host keys: it has both host_key and no_host_key_check")
    if unchecked:
        return {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "GlobalKnownHostsFile": "/dev/null"}
    if not given:
        return {"StrictHostKeyChecking": "yes"}
    host = connection.server_name.lower()
    names = f"{host},[{host}]:{connection.port or 22}"
    known = folder / "known_hosts"
    known.write_text("".join(f"{names} {key}\n" for key in _keys(connection.name, given)), encoding="utf-8")
    return {"StrictHostKeyChecking": "yes", "UserKnownHostsFile": str(known), "GlobalKnownHostsFile": "/dev/null"}


def _keys(name: str, given: str) -> list[str]:
    """Return kind and key of each host key in a text: a bare one, one with its kind, or lines of known hosts."""
    blobs = [part for part in given.split() if part.startswith("AAAA")]
    try:
        raws = [base64.b64decode(blob, validate=True) for blob in blobs]
        kinds = [raw[4 : 4 + int.from_bytes(raw[:4], "big")].decode("ascii") for raw in raws]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnusableConnection(name, "readable host_key (as ssh-keyscan prints it)") from error
    if not blobs:
        raise UnusableConnection(name, "readable host_key (as ssh-keyscan prints it)")
    return [f"{kind} {blob}" for kind, blob in zip(kinds, blobs, strict=True)]


def _ways_in(connection: Connection, key: str) -> dict[str, str]:
    """Return the options that say by what we prove who we are: the key and the password that the connection has."""
    password = "yes" if connection.password else "no"
    ways = {"PasswordAuthentication": password, "KbdInteractiveAuthentication": password}
    if key:
        return {**ways, "IdentityFile": key}
    looks = not connection.password and not _is(connection.extra.get("look_for_keys"), "false")
    return ways if looks else {**ways, "IdentityFile": "none"}


def _askpass(connection: Connection, folder: Path, key: str) -> dict[str, str]:
    """Return the environment in which `ssh` asks our program, and nobody else, for password and passphrase."""
    program = folder / "askpass"
    program.touch(mode=0o700)
    program.write_text(ASKPASS, encoding="utf-8")
    return {
        "SSH_ASKPASS": str(program),
        "SSH_ASKPASS_REQUIRE": "force",
        "SSH_AUTH_SOCK": "",
        "CW_SSH_LOGIN": connection.login,
        "CW_SSH_HOST": connection.server_name.lower(),  # so ssh asks for it
        "CW_SSH_KEY": key,
        "CW_SSH_PASSWORD": connection.password,
        "CW_SSH_PASSPHRASE": str(connection.extra.get("private_key_passphrase") or ""),
    }
