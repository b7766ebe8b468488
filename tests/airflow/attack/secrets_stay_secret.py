"""Canaries: random secrets that nothing which the system writes may hold, in whatever form.

Exempt are the files of keys and passwords themselves, which nobody but their owner may read, and Airflow's tables of
connections and variables, where they lie encrypted; that they do is looked at as well.
"""

import base64
import json
import secrets
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import changes
from support.attack import Attempt, Ground, read_only, rows
from support.real_airflow import ticket
from support.written_files import contents

KEYS = {"keys.json", "passwords.json", "changewindow-seal.key"}
"""Files of keys, which only their owner may read."""
PRINTED = (
    "import base64, binascii, json, os, sys, urllib.parse\n"
    "value = os.environ['CANARY']\n"
    "raw = value.encode()\n"
    "for text in (value, base64.b64encode(raw).decode(), base64.b64encode(b'x' + raw).decode(),\n"
    "             base64.urlsafe_b64encode(b'xy' + raw).decode(), urllib.parse.quote(value, safe=''),\n"
    "             json.dumps({'password': value}), binascii.hexlify(raw).decode(), repr(value),\n"
    "             'postgresql://u:' + urllib.parse.quote_plus(value) + '@h/d', json.dumps(json.dumps(value))):\n"
    "    print('canary:', text, flush=True)\n"
    "    print('canary:', text, file=sys.stderr, flush=True)\n"
    "print(dict(os.environ))\n"
)
"""A step that shows its secret in every form, as a careless script does."""


def forms(value: str) -> Iterator[bytes]:
    """Yield each form in which a secret may be written down."""
    raw = value.encode()
    yield from (raw, quote(value, safe="").encode(), json.dumps(value)[1:-1].encode(), raw.hex().encode())
    for before in range(3):
        skipped = (before * 8 + 5) // 6  # the first letters also stand for what comes before
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"x" * before + raw).rstrip(b"=")
            yield encoded[skipped : len(encoded) - 1]


def canary() -> str:
    """Return a secret with signs that each encoding writes in its own way."""
    return f'{secrets.token_hex(9)}/+ "é{secrets.token_hex(9)}'


@pytest.fixture(scope="module")
def canaries(ground: Ground) -> dict[str, str]:
    """Have secrets used wherever the system takes one; return them by what they are."""
    made = {name: canary() for name in ("password", "extra", "variable")}
    admin, home = ground.airflow.clients["admin"], ground.airflow.place.home
    extra = json.dumps({"token": made["extra"], "headers": {"X-Token": made["extra"]}})
    form = {"conn_type": "http", "host": ground.probe.url, "login": "u", "password": made["password"], "extra": extra}
    named = {"connection_id": "canary", "description": f"as for {ground.names['approved']}", **form}
    admin.post("/connections", named)
    admin.patch("/connections/canary", named)
    admin.post("/variables", {"key": "canary", "value": made["variable"], "description": ground.names["acting"]})
    admin.patch("/variables/canary", {"key": "canary", "value": made["variable"]})
    keys = json.loads((home / "keys.json").read_text())
    passwords = json.loads((home / "passwords.json").read_text())
    files = {"the key of the seal": (home / "changewindow-seal.key").read_text().strip()}
    return made | keys | files | {f"password of {user}": password for user, password in passwords.items()}


@pytest.fixture(scope="module")
def leaked(ground: Ground, canaries: Mapping[str, str]) -> tuple[str, str]:
    """Carry out a change whose step, undo, condition and watch show their secrets; return the change and its run."""
    step: dict[str, Any] = {"kind": "command", "secrets": {"CANARY": "canary"}, "timeout": "1m"}
    shown = {"run": [sys.executable, "-c", PRINTED], "undo": [sys.executable, "-c", f"{PRINTED}\nsys.exit(3)"]}
    path = {"kind": "http", "connection": "canary", "path": "/attacked/leaking", "read": "status"}
    asking = {"name": "it", "source": path, "pass": {"equals": 200}}
    data = ticket(ground.folder / "leaking", watch="1m", validation=[asking])
    data["steps"] = [
        {"name": "show it", **step, **shown},
        {"name": "fail with it", **step, "run": [sys.executable, "-c", f"{PRINTED}\nsys.exit(3)"], "undo": "nothing"},
    ]
    change = ground.airflow.publish(data)
    run = ground.airflow.run_of(change)
    wait_for(lambda: changes.get(ground.airflow.ledger, change).closed_at, f"the end of {change}", 120)
    return change, run


def written(ground: Ground) -> Iterator[tuple[str, bytes]]:
    """Yield all files that the system has written, by name, with their bytes; what is compressed also unpacked."""
    folders = [ground.folder, ground.airflow.place.home]
    temporary = Path(tempfile.gettempdir())
    folders += [*temporary.glob("CHG-*"), *temporary.glob("changewindow*")]
    for folder in folders:
        yield from ((str(path), content) for path, content in contents(folder).items() if path.name not in KEYS)


def dumped(database: Path, *exempt: str) -> Iterator[tuple[str, bytes]]:
    """Yield each table of a database, by its name, as text; what is compressed also unpacked."""
    connection = read_only(database)
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        if table not in exempt:
            for row in rows(connection, f'"{table}"'):
                yield f"{database.name} {table}", b" ".join(_bytes(value) for value in row)
    connection.close()


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode(errors="replace")
    try:
        return value + b" " + zlib.decompress(value)
    except zlib.error:
        return value


def leaks(where: Iterator[tuple[str, bytes]], canaries: Mapping[str, str]) -> list[str]:
    """Return which canary stands where, each once."""
    wanted = [(name, form) for name, value in canaries.items() for form in forms(value) if len(form) > 7]
    found = {}
    for place, content in where:
        for name, form in wanted:
            at = content.find(form)
            if at >= 0:
                found[name, place] = f"{name} in {place}: {content[max(0, at - 60) : at + 20]!r}"
    return sorted(found.values())


def seen(ground: Ground, who: str, change: str, run: str) -> Iterator[tuple[str, bytes]]:
    """Yield whatever somebody may read by Airflow's API and pages of a change, and of everything else."""
    names = {"dag_id": change, "dag_run_id": quote(run, safe=""), "run_id": quote(run, safe=""), "map_index": "-1"}
    names |= {"try_number": "1", "connection_id": "canary", "variable_key": "canary", "pool_name": "default_pool"}
    document = ground.airflow.clients["admin"]._send("GET", "/openapi.json", None)
    for path, methods in sorted(document["paths"].items()):
        if "get" not in methods or "/auth/" in path or "{asset" in path or "{backfill" in path:
            continue  # who is logged out reads nothing more
        for task in ("apply_1", "apply_2", "undo_1", "close", "watch") if "{task_id}" in path else ("",):
            address = path.replace("{xcom_key}", "return_value")
            for name, value in {**names, "task_id": task}.items():
                address = address.replace(f"{{{name}}}", value)
            if "{" not in address:
                status, text = ground.send(Attempt("", who, "GET", address, answers=(), below=""))
                yield f"GET {address} as {who} ({status})", text.encode()


def on_the_terminal(ground: Ground, change: str) -> Iterator[tuple[str, bytes]]:
    """Yield what our commands print about a change."""
    for arguments in (
        ("history", change),
        ("history", change, "--json"),
        ("verify", change),
        ("explain", change, "--all"),
        ("follow", change, "--once"),
    ):
        ran = ground.command(*arguments)
        yield f"changewindow {' '.join(arguments)}", (ran.stdout + ran.stderr).encode()


def test_the_step_has_shown_its_secret(ground: Ground, leaked: tuple[str, str]) -> None:
    """So that it is not for want of trying that nothing is found below."""
    log = ground.airflow.alice.log(*leaked, "apply_1")
    assert log.count("canary:") >= 10  # lines
    assert changes.get(ground.airflow.ledger, leaked[0]).status in {"rolled_back", "rollback_failed"}


def test_no_file_holds_a_secret(ground: Ground, canaries: dict[str, str], leaked: tuple[str, str]) -> None:
    """No log, no database, no published file, nothing that is left in a temporary folder."""
    del leaked
    assert leaks(written(ground), canaries) == []


@pytest.mark.parametrize("database", ["airflow.db", "ledger.db"])
def test_no_table_holds_a_secret(
    ground: Ground, canaries: dict[str, str], leaked: tuple[str, str], database: str
) -> None:
    """Not even compressed, and in no part of an event."""
    del leaked
    assert leaks(dumped(ground.airflow.place.home / database), canaries) == []


@pytest.mark.parametrize("who", ["vera", "alice", "otto"])
def test_nobody_reads_a_secret_by_the_api(
    ground: Ground, canaries: dict[str, str], leaked: tuple[str, str], who: str
) -> None:
    """From none of its addresses, nor from the pages; an operator may read variables, as Airflow has it."""
    wanted = {name: value for name, value in canaries.items() if (who, name) != ("otto", "variable")}
    answers = list(seen(ground, who, *leaked))
    assert sum(place.endswith("(200)") for place, _ in answers) > 20  # addresses, so that it has read something
    assert leaks(iter(answers), wanted) == []


def test_no_command_prints_a_secret(ground: Ground, canaries: dict[str, str], leaked: tuple[str, str]) -> None:
    """Whatever it is asked about the change."""
    assert leaks(on_the_terminal(ground, leaked[0]), canaries) == []


def test_no_message_holds_a_secret(ground: Ground, canaries: dict[str, str], leaked: tuple[str, str]) -> None:
    """Of all that was posted."""
    del leaked
    posted = json.dumps(ground.airflow.posted(), ensure_ascii=False).encode()
    assert leaks(iter([("Slack", posted)]), canaries) == []


def test_no_process_has_a_secret_among_its_arguments(
    ground: Ground, canaries: dict[str, str], leaked: tuple[str, str]
) -> None:
    """For every user of a machine reads those."""
    del leaked
    processes = [ground.airflow.process, *ground.airflow.process.children(recursive=True)]
    arguments = [(str(process.pid), " ".join(process.cmdline()).encode()) for process in processes]
    assert leaks(iter(arguments), canaries) == []


def test_only_its_owner_reads_what_the_system_has_written(ground: Ground) -> None:
    """Keys, databases, logs, published changes: nothing below its folder is for others."""
    home = ground.airflow.place.home
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if not path.is_symlink()}
    assert {name: modes[home / name] for name in KEYS} == dict.fromkeys(KEYS, 0o600)
    opened = [f"{path.relative_to(home)} {mode:o}" for path, mode in modes.items() if mode & 0o077]
    assert opened == []
