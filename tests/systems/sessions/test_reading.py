"""What people paste of what they did by hand is read in whichever format it is, and holds no secret afterwards."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from changewindow.systems.sessions.command import Command, Session
from changewindow.systems.sessions.reading import LONGEST, read
from changewindow.systems.sessions.shell import NO_ZONE, as_history, decoded

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
"""The moment 1700000000."""
SCALE = "kubectl -n shop scale deploy/orders --replicas=3"


def after(seconds: int) -> datetime:
    """Return a moment so many seconds after AT."""
    return datetime.fromtimestamp(1_700_000_000 + seconds, UTC)


def cast(*events: tuple[float, str, str], version: int = 2) -> str:
    """Return a recording of asciinema."""
    header = {"version": version, "width": 80, "height": 24, "timestamp": 1_700_000_000}
    return "\n".join(json.dumps(line) for line in [header, *map(list, events)])


def audit(verb: str = "patch", user: str = "dora@example.com", **fields: Any) -> str:
    """Return a line of the audit log of Kubernetes."""
    reference = {"resource": "deployments", "namespace": "shop", "name": "orders", "apiGroup": "apps"}
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "auditID": "a-1",
        "stage": "ResponseComplete",
        "requestURI": "/apis/apps/v1/namespaces/shop/deployments/orders?fieldManager=kubectl-edit",
        "verb": verb,
        "user": {"username": user},
        "objectRef": reference,
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2023-11-14T22:13:20.000000Z",
        **fields,
    }
    return json.dumps(event)


IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "orders:1.4.3"}]}}}}
PATCHED = "patch deployments shop/orders image=orders:1.4.3 (by dora@example.com)"
FORMATS: dict[str, tuple[str, list[tuple[str, datetime | None]]]] = {
    "typed, one command a line, with a comment": (f"# more of them\n{SCALE}\n\n$ ls\n", [(SCALE, None), ("ls", None)]),
    "typed over two lines": ("kubectl scale \\\n  deploy/orders", [("kubectl scale \\n deploy/orders", None)]),
    "bash with HISTTIMEFORMAT": (f"#1700000000\n{SCALE}\n#1700000060\nls", [(SCALE, AT), ("ls", after(60))]),
    "bash, before it was told to keep times": (f"ls\n#1700000000\n{SCALE}\n", [("ls", None), (SCALE, AT)]),
    "bash, a command of several lines": (
        "#1700000000\nfor i in 1 2; do\n  restart $i\ndone\n",
        [("for i in 1 2; do \\n restart $i \\n done", AT)],
    ),
    "bash of a file with the ends of lines of Windows": (f"#1700000000\r\n{SCALE}\r\n", [(SCALE, AT)]),
    "zsh, extended": (f": 1700000000:0;{SCALE}\n: 1700000060:12;ls\n", [(SCALE, AT), ("ls", after(60))]),
    "zsh, over two lines": (": 1700000000:0;echo a\\\necho b\n", [("echo a \\n echo b", AT)]),
    "fish": (
        f"- cmd: {SCALE}\n  when: 1700000000\n  paths:\n    - deploy/orders\n- cmd: ls\n",
        [(SCALE, AT), ("ls", None)],
    ),
    "the list of `history`": (f"  501  {SCALE}\n  502* ls\n", [(SCALE, None), ("ls", None)]),
    "the list of `history` with times and zone": (f"  501  2023-11-14 23:13:20 +0100 {SCALE}\n", [(SCALE, AT)]),
    "the list of `history` with times of no zone": (f"  501  2023-11-14 23:13:20 {SCALE}\n", [(SCALE, None)]),
    "what a terminal showed": (
        f"dora@web-3:~/shop$ {SCALE}\ndeployment.apps/orders scaled\n[root@web-3 ~]# reboot\ndora@web-3:~$ \n",
        [(SCALE, None), ("reboot", None)],
    ),
    "asciinema, with what was typed wrong and taken back": (
        cast(
            (0.5, "o", "\x1b]0;web-3\x07\x1b[1;32mdora@web-3\x1b[0m:~$ "),
            (1.0, "o", "reboto\b\b\x1b[Kot nwo\b \b\b"),
            (2.0, "o", "ow\x1b[K"),
            (9.0, "o", "\r\nBye.\r\n"),
        ),
        [("reboot now", after(9))],
    ),
    "asciinema 3, whose times are lengths": (
        cast((4.0, "o", "~ $ ls\r\n"), (6.0, "o", f"~ $ {SCALE}\r\n"), version=3),
        [("ls", after(4)), (SCALE, after(10))],
    ),
    "asciinema, with a sequence cut in two": (
        cast((1.0, "o", "$ l\x1b["), (2.0, "o", "0ms\r\n")),
        [("ls", after(2))],
    ),
    "asciinema, with an editor in between": (
        cast((1.0, "o", "$ vi a\r\n\x1b[?1049h$ secret\r\n\x1b[?1049l$ ls\r\n")),
        [("vi a", after(1)), ("ls", after(1))],
    ),
    "asciinema, with a root shell": (cast((1.0, "o", "# reboot\r\nbye\r\n")), [("reboot", after(1))]),
    "a typescript": (
        f"Script started on 2023-11-14 22:13:20+00:00\n\x1b[?2004h$ {SCALE}\r\nscaled\r\nScript done on 2023-11-14\n",
        [(SCALE, None)],
    ),
    "the audit log of Kubernetes": (audit(requestObject=IMAGE), [(PATCHED, AT)]),
    "a list of its events": (
        json.dumps({"kind": "EventList", "items": [json.loads(audit(requestObject=IMAGE))]}, indent=1),
        [(PATCHED, AT)],
    ),
    "the audit log, a deletion as somebody else": (
        audit("delete", impersonatedUser={"username": "root"}),
        [("delete deployments shop/orders (by dora@example.com as root)", AT)],
    ),
    "the audit log, a secret": (
        audit(
            objectRef={"resource": "secrets", "namespace": "shop", "name": "db"}, requestObject={"data": {"image": "x"}}
        ),
        [("patch secrets shop/db (by dora@example.com)", AT)],
    ),
    "nothing": ("\n \n", []),
}


@pytest.mark.parametrize(("text", "expected"), FORMATS.values(), ids=FORMATS.keys())
def test_a_paste_is_read(text: str, expected: list[tuple[str, datetime | None]]) -> None:
    """Commands on one line each, with their times where it has any; sent on as a history, it stays the same."""
    session = read(text)
    assert [(command.line, command.at) for command in session.commands] == expected
    again = read(as_history(session))
    assert {(command.line, command.at) for command in again.commands} == {*expected}
    assert again.remarks == session.remarks


LEFT_OUT = {
    "they change nothing": [audit("get"), audit("create", objectRef={"resource": "events"})],
    "a later line says what became of them": [audit(stage="RequestReceived")],
    "controllers and nodes did it": [audit(user="system:serviceaccount:kube-system:deployment-controller")],
    "the server refused them": [audit(responseStatus={"code": 403})],
    "they stand there twice": [audit(), audit()],
    "not JSON": [audit(), "{"],
    "no event of an audit log": [audit(), '{"kind": "Pod"}'],
}


@pytest.mark.parametrize(("why", "lines"), LEFT_OUT.items(), ids=LEFT_OUT.keys())
def test_what_is_no_change_of_a_person_is_left_out(why: str, lines: list[str]) -> None:
    """And counted, with the reason."""
    session = read("\n".join(lines))
    assert any(why in remark for remark in session.remarks)
    assert len(session.commands) <= 1


def test_a_dry_run_changes_nothing() -> None:
    """Though it is logged as a write."""
    assert read(audit(requestURI="/apis/apps/v1/x?dryRun=All")).commands == ()


def test_times_without_a_zone_are_not_used() -> None:
    """Nobody knows where the host lies; that is said."""
    assert read("  501  2023-11-14 23:13:20 ls\n").remarks == (NO_ZONE,)


def test_a_history_of_zsh_holds_its_bytes_in_another_way() -> None:
    """Letters beyond ASCII come back as they were typed."""
    raw = ": 1700000000:0;echo größe".encode()
    metafied = b"".join(bytes([0x83, sign ^ 32]) if 0x83 <= sign <= 0xA2 else bytes([sign]) for sign in raw)
    assert metafied != raw
    assert decoded(metafied) == raw.decode()
    assert decoded(b"echo \xff") == "echo \ufffd"


HIDDEN = "hunter2-9f3"


@pytest.mark.parametrize(
    "text",
    [
        f"#1700000000\nmysql -uroot -p{HIDDEN} orders",
        f": 1700000000:0;export DB_PASSWORD={HIDDEN}",
        f"dora@web-3:~$ curl -H 'Authorization: Bearer {HIDDEN}' https://api",
        cast((1.0, "i", HIDDEN), (1.0, "o", "$ sudo reboot\r\n"), (2.0, "o", "\r\n")),
        cast((1.0, "o", f"$ mysql -p{HIDDEN}\r\n")),
        f"cat > key <<EOF\n-----BEGIN OPENSSH PRIVATE KEY-----\n{HIDDEN}\n-----END OPENSSH PRIVATE KEY-----\nEOF",
        f"cat > key\n-----BEGIN PRIVATE KEY-----\n{HIDDEN}",
        audit(requestObject={"spec": {"env": [{"name": "DB_PASSWORD", "value": HIDDEN}]}}),
        audit(requestObject={"data": {"password": HIDDEN}}, objectRef={"resource": "configmaps", "name": "a"}),
        f"ls {'x' * 25_000} --password={HIDDEN}",
        f"kubectl apply -f - <<EOF\nkind: Secret\nstringData:\n  db: {HIDDEN}\nEOF",
        f"#1700000000\nkubectl apply -f - <<'EOF'\nkind: Secret\ndata:\n  tls: {HIDDEN}\nEOF\n#1700000009\nls",
        f"cat > ~/.pgpass <<-END\ndb:5432:*:app:{HIDDEN}\nEND\nls",
        f"cat > k <<EOF\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n{HIDDEN}\n-----END PGP PRIVATE KEY BLOCK-----\nEOF",
        f"curl -u \\\n  dora:{HIDDEN} https://api",
        f"mysql \x1b[31m-p{HIDDEN}\x1b[0m orders",
        f"export PASS\u200bWORD={HIDDEN}",
        f"export PASS\x00WORD={HIDDEN}",
    ],
    ids=[
        "bash",
        "zsh",
        "terminal",
        "typed unseen",
        "shown",
        "a key",
        "half a key",
        "variable",
        "map",
        "beyond the end",
        "a Secret in a here document",
        "the same in a history",
        "a password file",
        "a PGP key",
        "a continued line",
        "a coloured option",
        "a name with an unseen character",
        "a name with a zero byte",
    ],
)
def test_no_secret_is_read(text: str) -> None:
    """Whichever format it stands in."""
    session = read(text)
    assert "9f3" not in as_history(session)
    assert session.commands


def test_nothing_of_a_paste_acts_on_a_terminal_or_begins_a_line() -> None:
    """Whatever somebody has put into it; and it is bounded."""
    session = read("#1700000000\necho \x1b[2J\u202e evil\n" + "x" * 50_000)
    [command] = session.commands
    assert len(command.line) == LONGEST
    assert not {"\x1b", "\u202e", "\n"} & {*command.line}
    assert as_history(Session((Command("a\nb"),), ("c\nd",))) == "#: c d\na b"


@pytest.mark.parametrize(
    "text",
    [
        "dora@web-3" * 50_000,
        "#1700000000\n" * 40_000,
        cast(*[(float(number), "o", "\x1b[") for number in range(10_000)]),
        cast((1.0, "o", "\x1b]" * 200_000)),
        "Script started on x\n" + "\x1b[9999999C@" * 40_000,
        '{"kind": "Event"}\n' * 25_000,
        "[" * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 15_000,
        "cat <<A\n" * 20_000,
    ],
    ids=["prompts", "times", "cut", "titles", "far right", "events", "deep", "keys", "documents"],
)
def test_no_paste_takes_long(text: str) -> None:
    """Whatever an attacker sends: half a million characters are read within two seconds."""
    began = time.process_time()
    read(text[:500_000])
    assert time.process_time() - began < 2


def test_no_time_beyond_the_calendar_stops_the_reading() -> None:
    """Neither of the audit log, nor of a recording that goes on for ever."""
    [command] = read(audit(requestReceivedTimestamp="0001-01-01T00:00:00+14:00")).commands
    assert command.at is None or command.at.year > 1
    shown = json.dumps({"version": 2, "timestamp": 253_402_300_000}) + "\n" + json.dumps([90_000.0, "o", "$ ls\n"])
    assert read(shown).commands


@pytest.mark.parametrize(
    "text",
    [
        audit(verb=["patch"]),  # type: ignore[arg-type]
        audit(objectRef={"resource": {"a": 1}, "name": ["x"]}),
        audit(stage={"a": 1}),
        audit(user=5),  # type: ignore[arg-type]
        '{"version": [2], "timestamp": 1}',
        "  1  2031-13-45 25:99:99 +0100 ls",
        "  1  2031-03-18 12:00:00 +99:99 ls",
    ],
)
def test_nothing_of_another_shape_stops_the_reading(text: str) -> None:
    """The server reads what people paste, and answers it, whatever it is."""
    assert read(text) == read(text)


def test_nothing_is_read_of_an_audit_log_that_was_cut_off() -> None:
    """What is left of a line may be a secret's value; it is said that whole lines are needed."""
    secret = audit("create", objectRef={"resource": "secrets", "name": "db"}, requestObject={"data": {"db": HIDDEN}})
    session = read(secret[:-1])
    assert session.commands == ()
    assert session.remarks == ("the audit log cannot be read, as it was cut off or altered. Paste whole lines of it",)
