"""Explains why OpenSSH did not run a program on a host, and what to do about it."""

import re
from collections.abc import Callable

from changewindow.systems.connection import Connection


def why(connection: Connection, output: str) -> str:
    """Return why `ssh` did not run the program, from what it printed, with what to do."""
    place = f"{connection.host}:{connection.port or 22}"
    explain, line = _reason(output)
    if explain:
        return f"{explain(connection, place)} ssh says: {line.strip('@ ')}"
    return f"ssh to {place} (connection {connection.name}) failed: {line}" if line else _silent(connection, place)


def may_run(output: str) -> bool:
    """Return whether the program may still run there: `ssh` does not say that it never came so far."""
    explain, line = _reason(output)
    return explain is _lost or not line


def _reason(output: str) -> "tuple[Explanation | None, str]":
    """Return what the output of `ssh` means, if that is known, and the line that says it."""
    # Its own lines end in a carriage return; what the program has printed there must not be taken for them.
    own = [line.strip() for line in output.split("\n") if line.endswith("\r") and line.strip()]
    for pattern, explain in REASONS:
        if matching := [line for line in own if re.search(pattern, line)]:
            return explain, matching[-1]
    return None, own[-1] if own else ""


def _changed(connection: Connection, place: str) -> str:
    return (
        f"{place} shows another host key than the one known for it. Either the host was set up anew or somebody is in "
        "between: do not go on before its administrators have confirmed the new key. Then put it into `host_key` of "
        f"the connection {connection.name}, or into known_hosts of the worker where the connection names none."
    )


def _revoked(connection: Connection, place: str) -> str:
    return (
        f"{place} shows a host key that known_hosts of the worker says is revoked (connection {connection.name}). Do "
        "not go on: ask the host's administrators which key it has now."
    )


def _unknown(connection: Connection, place: str) -> str:
    scan = f"ssh-keyscan -p {connection.port or 22} {connection.server_name}"
    return (
        f"The host key of {place} is not known. Read it with `{scan}`, have the host's administrators confirm it, and "
        f"put it into `host_key` in the extra field of the connection {connection.name}."
    )


def _denied(connection: Connection, place: str) -> str:
    key, extra = "", connection.extra
    if extra.get("private_key") or extra.get("key_file"):
        key = "the key in its extra field" if extra.get("private_key") else f"the key {extra['key_file']}"
    tried = " and ".join(means for means in (key, "its password" if connection.password else "") if means)
    account = f"{connection.login or 'the account of the worker'} at {place}"
    if not tried:
        return (
            f"{account} let nobody in: the connection {connection.name} has neither password nor key, and no key of "
            "the worker was accepted. Put one into the connection."
        )
    return (
        f"{account} refused {tried} (connection {connection.name}). Correct it there; for a key, see that its "
        "passphrase fits, and that its public half stands in authorized_keys of that account."
    )


def _unreadable(connection: Connection, place: str) -> str:
    return (
        f"The private key of the connection {connection.name} cannot be used: it is no OpenSSH key, others may read "
        "its file, or the worker may not. Correct its extra field."
    )


def _nobody(connection: Connection, place: str) -> str:
    return f"No ssh server answers at {place} (connection {connection.name}). Is the host up, and the address right?"


def _hung_up(connection: Connection, place: str) -> str:
    return (
        f"{place} hung up before it let anybody in (connection {connection.name}). Is an ssh server there? It may have "
        "too many connections (MaxStartups), or refuse this worker; its log says why."
    )


def _lost(connection: Connection, place: str) -> str:
    return (
        f"The connection to {place} was lost while the program ran. The host kills it within 20 s; how far it came is "
        "unknown."
    )


def _silent(connection: Connection, place: str) -> str:
    return (
        f"{place} stopped answering (connection {connection.name}), and ssh gave up after 20 s. Is the host up? If the "
        "program ran, the host kills it within 20 s; how far it came is unknown."
    )


Explanation = Callable[[Connection, str], str]
REASONS: tuple[tuple[str, Explanation], ...] = (
    ("REVOKED HOST KEY", _revoked),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", _changed),
    (r"No .* host key is known|Host key verification failed", _unknown),
    ("Load key .*: |UNPROTECTED PRIVATE KEY", _unreadable),
    (r"Permission denied \(|Too many authentication failures", _denied),
    ("Could not resolve hostname|Connection refused|timed out|No route to host|unreachable", _nobody),
    ("^kex_exchange_identification|^Connection (closed|reset) by .* port", _hung_up),
    ("not responding|^Connection to .* closed|Broken pipe|Connection reset|^client_loop", _lost),
)
