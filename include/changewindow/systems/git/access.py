"""Gives git access to a repository over ssh, https or file, with the credentials of its Airflow Connection."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic_core import PydanticCustomError

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.names import a_labels

NAME = "Change Windows"
AUTHOR = {
    "GIT_AUTHOR_NAME": NAME,
    "GIT_COMMITTER_NAME": NAME,
    "GIT_AUTHOR_EMAIL": "change-windows@localhost",
    "GIT_COMMITTER_EMAIL": "change-windows@localhost",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
}
SETTINGS = [
    *(("commit.gpgSign", "false"), ("push.gpgSign", "false"), ("log.showSignature", "false")),
    *(("core.hooksPath", os.devnull), ("core.quotePath", "false"), ("core.autocrlf", "false")),
    *(("clone.defaultRemoteName", "origin"), ("fetch.prune", "false"), ("fetch.pruneTags", "false")),
    *(("core.attributesFile", os.devnull), ("core.eol", "lf"), ("merge.renormalize", "false"), ("color.ui", "false")),
    *(("i18n.commitEncoding", "utf-8"), ("i18n.logOutputEncoding", "utf-8")),
    ("credential.helper", ""),
]
"""Overrides interfering settings of the worker's account, and credential helpers, which may store the password."""
HOST = re.compile(r"^(\w+://(?:[^/@]*@)?|[^/@:]+@)([^/:@\[\]]+)")
"""The host in an address, behind its scheme and account: of a URL, or as ssh has it."""
ANSWER = """!answer() { printf 'username=%s\\npassword=%s\\n' "$GIT_LOGIN" "$GIT_PASSWORD"; }; answer"""
HOST_KEY_CHECKS = {"yes", "no", "accept-new", "off", "ask"}
ASKPASS = "#!/bin/sh\nprintf '%s\\n' \"$GIT_PASSPHRASE\"\n"


@contextmanager
def opened(context: Context, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield a repository's address and git's environment: our author, no hooks, no prompts, the connection's keys.

    Credentials appear in no argument and so in no log.
    """
    with context.temporary_folder() as folder:
        yield access(context.connection(name), folder)


def access(connection: Connection, folder: Path) -> tuple[str, dict[str, str]]:
    """Return a repository's address and git's environment, for as long as the folder exists; see `opened`.

    Raises:
        UnusableConnection: the connection does not say enough.
    """
    address, login, pairs = _address(connection), connection.login, SETTINGS
    parts = urlsplit(address)
    if parts.scheme in {"http", "https"}:
        # Who signs in may be a token, and addresses are logged.
        user, _, host = parts.netloc.rpartition("@")
        address, login = parts._replace(netloc=host).geturl(), login or unquote(user)
        # Only the repository's own host is told the password, wherever it may redirect to.
        pairs = [*SETTINGS, (f"credential.{parts.scheme}://{host}.helper", ANSWER)]
    settings = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    account = {"GIT_LOGIN": login, "GIT_PASSWORD": connection.password}
    return address, {**AUTHOR, **settings, **account, **_ssh(connection, folder)}


def _ssh(connection: Connection, folder: Path) -> dict[str, str]:
    """Return the environment with which git calls ssh, from the extra fields of Airflow's own git connection."""
    extra = {key: str(value) for key, value in connection.extra.items() if value}
    if "github_app_id" in extra:
        raise UnusableConnection(connection.name, "supported way to sign in: use a token or key, not github_app_id")
    check = extra.get("strict_host_key_checking", "accept-new")
    if check not in HOST_KEY_CHECKS:
        raise UnusableConnection(
            connection.name, f"valid strict_host_key_checking; it is one of {', '.join(sorted(HOST_KEY_CHECKS))}"
        )
    key = extra.get("key_file", "")
    if "private_key" in extra:
        key = str(_secret_file(folder / "key", extra["private_key"].strip() + "\n"))
    command = ["ssh", "-o", f"StrictHostKeyChecking={check}", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"]
    command += ["-i", key, "-o", "IdentitiesOnly=yes"] if key else []
    command += ["-F", extra["ssh_config_file"]] if "ssh_config_file" in extra else []
    known = extra.get("known_hosts_file", os.devnull if check == "no" else "")
    command += ["-o", f"UserKnownHostsFile={known}"] if known else []
    command += ["-o", f"ProxyCommand={extra['host_proxy_cmd']}"] if "host_proxy_cmd" in extra else []
    command += ["-p", extra["ssh_port"]] if "ssh_port" in extra else []
    if "private_key_passphrase" not in extra:
        return {"GIT_SSH_COMMAND": shlex.join([*command, "-o", "BatchMode=yes"])}
    askpass = _secret_file(folder / "askpass", ASKPASS)
    asked = {"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":"}
    return {"GIT_SSH_COMMAND": shlex.join(command), **asked, "GIT_PASSPHRASE": extra["private_key_passphrase"]}


def _secret_file(file: Path, text: str) -> Path:
    file.touch(mode=0o700)
    file.write_text(text)
    return file


def _in_ascii(match: "re.Match[str]") -> str:
    return match[1] + (match[2] if match[2].isascii() else a_labels(match[2]))


def _address(connection: Connection) -> str:
    if not connection.host:
        raise UnusableConnection(connection.name, "host (the address of the repository)")
    if "://" in connection.host and urlsplit(connection.host).password:
        raise UnusableConnection(connection.name, "address without a password in it; write that into its own field")
    if connection.host.startswith("~"):
        return str(Path(connection.host).expanduser())
    try:
        return HOST.sub(_in_ascii, connection.host)
    except PydanticCustomError as error:
        raise UnusableConnection(connection.name, f"host that can be one: {connection.host}") from error
