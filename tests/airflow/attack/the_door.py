"""The door itself: who knocks without a name, with somebody else's, or with a request that is read in two ways."""

import http.client
import json
import socket
import time
from contextlib import closing
from typing import Any

import jwt
import pytest

from support.attack import JSON, Attempt, Ground

PAUSE = {"is_paused": True}
DAG = "/dags/$acting"
REFUSED = (400, 401, 403, 404, 405, 409, 413, 422, 307, 308, 411, 415, 501)
"""Whatever the answer is, it is not that it was done."""
FORGED = {"sub": "admin", "role": "ADMIN", "aud": "apache-airflow", "exp": 4102444800, "iat": 1, "nbf": 1}


def bearer(key: str, algorithm: str, **claims: Any) -> dict[str, str]:
    """Return the header of a token that nobody has issued."""
    return {"Authorization": f"Bearer {jwt.encode({**FORGED, **claims}, key, algorithm)}"}


STRANGERS = (
    Attempt("nobody pauses a change", "nobody", "PATCH", DAG, PAUSE, (401,)),
    Attempt("nobody deletes a change", "nobody", "DELETE", DAG, None, (401,)),
    Attempt(
        "nobody asks for a change", "nobody", "POST", "/dags/request_change/dagRuns", {"logical_date": None}, (401,)
    ),
    Attempt(
        "nobody answers a question",
        "nobody",
        "PATCH",
        "/dags/request_change/dagRuns/$request/taskInstances/approve_1/-1/hitlDetails",
        {"chosen_options": ["Approve"]},
        (401,),
    ),
    Attempt(
        "nobody reads a log", "nobody", "GET", "/dags/$acting/dagRuns/$run/taskInstances/apply_1/logs/1", None, (401,)
    ),
    Attempt(
        "nobody reads an xcom",
        "nobody",
        "GET",
        "/dags/$acting/dagRuns/$run/taskInstances/apply_1/xcomEntries",
        None,
        (401,),
    ),
    Attempt("an empty token is shown", "nobody", "PATCH", DAG, PAUSE, (401, 403), headers={"Authorization": "Bearer "}),
    Attempt("a token is signed by nobody", "nobody", "PATCH", DAG, PAUSE, (401, 403), headers=bearer("", "none")),
    Attempt("a token is signed with a blank", "nobody", "PATCH", DAG, PAUSE, (401, 403), headers=bearer(" ", "HS512")),
    Attempt(
        "a token is signed with a guessed key",
        "nobody",
        "PATCH",
        DAG,
        PAUSE,
        (401, 403),
        headers=bearer("airflow", "HS512"),
    ),
    Attempt(
        "a password stands in the place of a token",
        "nobody",
        "PATCH",
        DAG,
        PAUSE,
        (401,),
        headers={"Authorization": "Basic YWRtaW46YWRtaW4="},
    ),
    Attempt(
        "a token comes as a forged cookie",
        "nobody",
        "PATCH",
        DAG,
        PAUSE,
        (401, 403),
        headers={"Cookie": "_token=x.y.z"},
    ),
    Attempt(
        "a header names another user",
        "nobody",
        "PATCH",
        DAG,
        PAUSE,
        (401,),
        headers={"X-Remote-User": "admin", "Remote-User": "admin"},
    ),
    Attempt(
        "nobody names 3000 changes",
        "nobody",
        "PATCH",
        "/dags/~/dagRuns/~/taskInstances",
        {"actions": [{"dag_id": f"CHG-{number}"} for number in range(1, 3000)]},
        (401,),
    ),
)
"""Who have no token of Airflow's."""

TWO_WAYS = (
    Attempt("the path begins with two slashes", "otto", "PATCH", DAG, PAUSE, REFUSED, below="//api/v2"),
    Attempt("the path has two slashes inside", "otto", "PATCH", "//dags//$acting", PAUSE, REFUSED),
    Attempt("the path ends with a slash", "otto", "PATCH", f"{DAG}/", PAUSE, REFUSED),
    Attempt("the path goes up and down again", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/api/v2/../v2"),
    Attempt("the path goes up in disguise", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/auth/%2e%2e/api/v2"),
    Attempt("the path stays where it is", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/./api/v2"),
    Attempt("the path is written in capitals", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/API/V2"),
    Attempt("the path is written in percents", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/%61pi/v2"),
    Attempt("the dag is written in percents", "otto", "PATCH", "/dags/%43HG-$number", PAUSE, REFUSED),
    Attempt("the dag is written in percents twice", "otto", "PATCH", "/dags/%2543HG-$number", PAUSE, REFUSED),
    Attempt("the dag is written in small letters", "otto", "PATCH", "/dags/chg-$number", PAUSE, REFUSED),
    Attempt("the dag has a zero before its number", "otto", "PATCH", "/dags/CHG-0$number", PAUSE, REFUSED),
    Attempt("the dag is followed by a blank", "otto", "PATCH", f"{DAG}%20", PAUSE, REFUSED),
    Attempt("the dag is followed by a line", "otto", "PATCH", f"{DAG}%0A", PAUSE, REFUSED),
    Attempt("the dag is followed by nothing at all", "otto", "PATCH", f"{DAG}%00", PAUSE, (*REFUSED, 500)),
    Attempt("the dag is followed by a semicolon", "otto", "PATCH", f"{DAG};x=1", PAUSE, REFUSED),
    Attempt("the dag is written with wide letters", "otto", "PATCH", "/dags/%EF%BC%A3HG-$number", PAUSE, REFUSED),
    Attempt("the path is a whole address", "otto", "PATCH", DAG, PAUSE, REFUSED, below="http://elsewhere/api/v2"),
    Attempt("the pages have a way of their own", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/ui"),
    Attempt("the older api is still there", "otto", "PATCH", DAG, PAUSE, REFUSED, below="/api/v1"),
    Attempt(
        "the method is overridden by a header",
        "otto",
        "POST",
        DAG,
        PAUSE,
        REFUSED,
        headers={"X-HTTP-Method-Override": "PATCH"},
    ),
    Attempt(
        "reading is overridden by a header",
        "admin",
        "GET",
        DAG,
        None,
        (200,),
        headers={"X-HTTP-Method-Override": "DELETE"},
    ),
    Attempt("reading is overridden by a parameter", "admin", "GET", f"{DAG}?_method=DELETE", None, (200,)),
    Attempt("the method is written in small letters", "otto", "patch", DAG, PAUSE, REFUSED),
    Attempt(
        "the address is rewritten by a header",
        "otto",
        "PATCH",
        "/dags/bare",
        {"is_paused": False},
        (200,),
        headers={"X-Original-URL": "/api/v2/dags/$acting", "X-Rewrite-URL": "/x"},
    ),
    Attempt(
        "a prefix is forwarded by a header", "otto", "PATCH", DAG, PAUSE, REFUSED, headers={"X-Forwarded-Prefix": "/x"}
    ),
    Attempt(
        "the body names another dag", "otto", "PATCH", "/dags/bare", {"dag_id": "$acting", "is_paused": True}, REFUSED
    ),
    Attempt(
        "the body is said to be text", "otto", "PATCH", DAG, PAUSE, REFUSED, headers={"Content-Type": "text/plain"}
    ),
    Attempt(
        "the body is a form",
        "otto",
        "PATCH",
        DAG,
        b"is_paused=true",
        REFUSED,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    Attempt("a field comes twice", "otto", "PATCH", DAG, b'{"is_paused": false, "is_paused": true}', REFUSED),
    Attempt(
        "a field comes twice, the other way round",
        "otto",
        "PATCH",
        DAG,
        b'{"is_paused": true, "is_paused": false}',
        (200,),
    ),
    Attempt("a field is written with an escape", "otto", "PATCH", DAG, b'{"is_\\u0070aused": true}', REFUSED),
    Attempt("the body has a byte order mark", "otto", "PATCH", DAG, b'\xef\xbb\xbf{"is_paused": true}', REFUSED),
    Attempt("the body is UTF-16", "otto", "PATCH", DAG, '{"is_paused": true}'.encode("utf-16"), REFUSED),
    Attempt("the body is no number", "otto", "PATCH", DAG, b'{"is_paused": NaN}', REFUSED),
    Attempt("the body is nested 100000 times", "otto", "PATCH", DAG, b"[" * 100_000, REFUSED),
    Attempt("the body is half of a character", "otto", "PATCH", DAG, b'{"is_paused": true, "x": "\\ud800"}', REFUSED),
    Attempt("the body has 3 megabytes", "otto", "PATCH", DAG, b" " * 3_000_000 + b'{"is_paused": true}', (413,)),
    Attempt(
        "a user names 3000 changes",
        "alice",
        "PATCH",
        "/dags/~/dagRuns/~/taskInstances",
        {"actions": [{"dag_id": f"CHG-{number}"} for number in range(1, 3000)]},
        (413,),
    ),
)
"""What could be read in one way by us, and in another one by Airflow."""

TASKS_ONLY = (
    Attempt(
        "nobody reads the connections as a task",
        "nobody",
        "GET",
        "/connections/orders",
        None,
        (401, 403),
        below="/execution",
    ),
    Attempt(
        "nobody reads the variables as a task", "nobody", "GET", "/variables/x", None, (401, 403), below="/execution"
    ),
    Attempt(
        "nobody sets an xcom as a task",
        "nobody",
        "POST",
        "/xcoms/$acting/$run/apply_1/return_value",
        "x",
        (401,),
        below="/execution",
    ),
    Attempt(
        "the admin reads the connections as a task",
        "admin",
        "GET",
        "/connections/orders",
        None,
        (401, 403),
        below="/execution",
    ),
    Attempt(
        "the admin sets an xcom as a task",
        "admin",
        "POST",
        "/xcoms/$acting/$run/apply_1/return_value",
        "x",
        (401, 403),
        below="/execution",
    ),
    Attempt(
        "the admin clears a run as a task",
        "admin",
        "POST",
        "/dag-runs/$acting/$run/clear",
        {},
        (401, 403),
        below="/execution",
    ),
    Attempt(
        "the admin triggers a run as a task",
        "admin",
        "POST",
        "/dag-runs/$approved/x",
        {},
        (401, 403),
        below="/execution",
    ),
    Attempt(
        "the admin answers a question as a task",
        "admin",
        "PATCH",
        "/hitlDetails/$question",
        {"chosen_options": ["Approve"]},
        (401, 403),
        below="/execution",
    ),
)
"""The API of tasks."""


@pytest.mark.parametrize("attempt", [*STRANGERS, *TWO_WAYS, *TASKS_ONLY], ids=lambda attempt: attempt.name)
def test_the_door_holds(ground: Ground, attempt: Attempt) -> None:
    """And nothing behind it has moved."""
    ground.fails(attempt)


def test_a_body_in_chunks_is_judged_as_a_whole(ground: Ground) -> None:
    """One letter at a time."""
    before = ground.guarded()
    headers = {**JSON, "Authorization": ground.token("otto"), "Transfer-Encoding": "chunked"}
    with closing(http.client.HTTPConnection("127.0.0.1", ground.airflow.place.port, timeout=60)) as connection:
        body = [bytes([letter]) for letter in json.dumps(PAUSE).encode()]
        connection.request("PATCH", ground.filled(f"/api/v2{DAG}"), iter(body), headers, encode_chunked=True)
        assert connection.getresponse().status == http.client.CONFLICT
    assert ground.guarded() == before


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            ("Content-Length: 5", "Transfer-Encoding: chunked"), id="a request with two lengths hides no other"
        ),
        pytest.param(("Content-Length: 5", "Content-Length: 400"), id="a request with two numbers hides no other"),
        pytest.param(("Transfer-Encoding: chunked, identity",), id="a request in a strange encoding hides no other"),
    ],
)
def test_nothing_is_smuggled(ground: Ground, lines: tuple[str, ...]) -> None:
    """A second request in the body of the first one is not served."""
    before = ground.guarded()
    inner = json.dumps(PAUSE)
    hidden = (
        f"PATCH /api/v2{ground.filled(DAG)} HTTP/1.1\r\nHost: here\r\nAuthorization: {ground.token('otto')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    )
    head = "\r\n".join(("POST /auth/token HTTP/1.1", "Host: here", *lines))
    with closing(socket.create_connection(("127.0.0.1", ground.airflow.place.port), timeout=20)) as stranger:
        stranger.sendall(f"{head}\r\n\r\n0\r\n\r\n{hidden}".encode())
        stranger.settimeout(3)
        answers = b""
        try:
            while part := stranger.recv(65536):
                answers += part
        except TimeoutError:
            pass
    assert b" 200 " not in answers.split(b"\r\n")[0]
    assert ground.guarded() == before


def test_strangers_who_never_send_a_body_keep_nobody_waiting(ground: Ground) -> None:
    """Forty of them, while alice logs in and is refused what she asks for."""
    head = b"POST /api/v2/dags/request_change/dagRuns HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n"
    strangers = [socket.create_connection(("127.0.0.1", ground.airflow.place.port), timeout=30) for _ in range(40)]
    for stranger in strangers:
        stranger.sendall(head)
    began = time.monotonic()
    ground.log_in("alice")
    ground.fails(Attempt("", "admin", "DELETE", DAG))
    assert time.monotonic() - began < 10  # seconds; far below every limit of the door
    for stranger in strangers:
        assert stranger.recv(100).startswith(b"HTTP/1.1 401 ")
        stranger.close()


def test_a_user_who_never_sends_a_body_keeps_nobody_waiting(ground: Ground) -> None:
    """Ten connections of mallory's are open while others write."""
    head = (
        f"PATCH /api/v2{ground.filled(DAG)} HTTP/1.1\r\nHost: here\r\nAuthorization: {ground.token('mallory')}\r\n"
        "Content-Length: 100\r\n\r\n{"
    )
    slow = [socket.create_connection(("127.0.0.1", ground.airflow.place.port), timeout=30) for _ in range(10)]
    for knocking in slow:
        knocking.sendall(head.encode())
    began = time.monotonic()
    ground.fails(Attempt("", "admin", "DELETE", DAG))
    assert time.monotonic() - began < 10  # seconds, in which nobody's body is waited for
    for knocking in slow:
        assert b" 408 " in knocking.recv(100)
        knocking.close()


def test_what_strangers_send_leaves_no_event(ground: Ground) -> None:
    """Of all that was tried here without a token, the record says nothing."""
    before = ground.airflow.kinds(ground.names["approved"])
    for attempt in STRANGERS:
        ground.send(attempt)
    assert ground.airflow.kinds(ground.names["approved"]) == before
