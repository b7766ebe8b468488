"""The door, in front of a small application that answers on a real port."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import svcs
import uvicorn
from airflow.api_fastapi.auth.tokens import JWTValidator
from fastapi import FastAPI, Request, Response
from starlette.types import Scope

from changewindow.flow.server.asked import Asked, Person, Refused
from changewindow.flow.server.door import Door
from changewindow.flow.server.limits import LOGIN, Limit
from changewindow.flow.server.single_writer import SingleWriter

RUNS = "/api/v2/dags/CHG-1042/dagRuns"
BULK = "/api/v2/dags/~/dagRuns/~/taskInstances"
LIMIT = Limit(100_000, 0.5)
ALICE = {"Authorization": "Bearer alice"}


class TokensOfTasks:
    """Knows the token of one task."""

    async def avalidated_claims(self, token: str, _required: Any) -> dict[str, Any]:
        """Return its claims."""
        if token != "task":
            raise ValueError(token)
        return {}


@dataclass
class House:
    """What stands behind the door, and what was seen of it."""

    url: str = ""
    reached: list[str] = field(default_factory=list)
    """The paths of requests that came through."""
    recorded: list[tuple[tuple[str, ...], str, int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    judged: list[Asked] = field(default_factory=list)
    begun: list[tuple[str, ...]] = field(default_factory=list)
    """The DAGs of which a run was ended, so that the next may begin."""

    async def who(self, scope: Scope) -> Person:
        """Know alice, victor, who may only look, and olga, who may see no other change than CHG-1."""
        name = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        if name not in {"alice", "victor", "olga"}:
            raise Refused(401, "Not authenticated")
        return Person(name, may_act=name != "victor", may_see=lambda dag: name != "olga" or dag == "CHG-1")

    def decide(self, asked: Asked) -> None:
        """Refuse what is asked of CHG-9, and of CHG-1 because of it."""
        self.judged.append(asked)
        if "CHG-1" in asked.dags:
            raise Refused(409, "CHG-9 is in the way of CHG-1")
        if "CHG-9" in asked.dags:
            raise Refused(409, "CHG-9 acts")

    def record(self, asked: Asked, status: int, reason: str) -> None:
        """Keep what is recorded."""
        self.reasons.append(reason)
        self.recorded.append((asked.changes, asked.person.name, status))

    def app(self) -> FastAPI:
        """Return the application with its door."""
        app, tasks = FastAPI(), FastAPI()
        tasks.state.svcs_registry = svcs.Registry()
        tasks.state.svcs_registry.register_value(JWTValidator, TokensOfTasks())
        app.mount("/execution", tasks)
        app.add_middleware(
            Door,
            who=self.who,
            decide=self.decide,
            record=self.record,
            let_begin=lambda dags: self.begun.append(tuple(dags)),
            ours_limit=LIMIT,
        )

        async def answer(request: Request) -> Response:
            self.reached.append(request.url.path)
            body = await request.body()
            if request.path_params.get("dag_id") == "large":
                return Response(b"x" * 20_000_000)
            return Response(body, int(request.query_params.get("status", "200")))

        app.add_api_route("/auth/token", answer, methods=["POST"])
        app.add_api_route("/api/v2/dags/{dag_id}/dagRuns", answer, methods=["POST"])
        app.add_api_route("/api/v2/dags/{dag_id}/dagRuns", answer, methods=["PATCH"])
        app.add_api_route("/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", answer, methods=["PATCH", "DELETE"])
        app.add_api_route("/api/v2/dags/{dag_id}/dagRuns/list", answer, methods=["POST"])
        app.add_api_route("/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances", answer, methods=["PATCH"])
        app.add_api_route("/change-windows/calendar/feed", answer, methods=["POST"])
        tasks.add_api_route("/task-instances/{task}", answer, methods=["PATCH"])
        return app

    def socket(self, request: str) -> socket.socket:
        """Return a connection over which the beginning of a request was sent."""
        url = httpx.URL(self.url)
        connection = socket.create_connection((url.host, url.port), timeout=5)
        connection.sendall(request.replace("\n", "\r\n").encode())
        return connection


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something, five seconds at most."""
    for _ in range(500):
        if not is_so():
            await asyncio.sleep(0.01)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Serve the house on a free port."""
    house = House()
    server = uvicorn.Server(uvicorn.Config(house.app(), port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    house.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield house
    server.force_exit = True
    server.should_exit = True
    await serving


async def post(house: House, path: str, body: Any, method: str = "POST", **headers: str) -> httpx.Response:
    """Send a request, as alice if nobody else is named."""
    async with httpx.AsyncClient(base_url=house.url, timeout=5) as client:
        return await client.request(method, path, content=body, headers={**ALICE, **headers})


async def test_strangers_who_never_send_a_body_keep_nobody_waiting(house: House) -> None:
    """Each is answered at once, and alice writes meanwhile."""
    head = f"POST {RUNS} HTTP/1.1\nHost: here\nContent-Length: 100\n\n"
    strangers = [await asyncio.to_thread(house.socket, head) for _ in range(30)]
    assert (await post(house, RUNS, b"{}")).status_code == 200
    for stranger in strangers:
        answer = await asyncio.to_thread(stranger.recv, 1000)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert await asyncio.to_thread(stranger.recv, 1000) == b""  # the connection has ended
        stranger.close()
    assert house.reached == [RUNS]


async def test_a_user_who_never_sends_a_body_keeps_nobody_waiting(house: House) -> None:
    """The request ends after its time; until then others write."""
    head = f"POST {RUNS} HTTP/1.1\nHost: here\nAuthorization: Bearer alice\nContent-Length: 100\n\n"
    slow = await asyncio.to_thread(house.socket, head)
    assert (await post(house, RUNS, b"{}")).status_code == 200
    assert (await asyncio.to_thread(slow.recv, 1000)).startswith(b"HTTP/1.1 408 ")
    slow.close()
    assert house.reached == [RUNS]


async def test_a_stranger_at_the_log_in_who_never_sends_a_body_keeps_nobody_waiting(house: House) -> None:
    """Others log in meanwhile."""
    slow = await asyncio.to_thread(house.socket, "POST /auth/token HTTP/1.1\nHost: here\nContent-Length: 100\n\n")
    assert (await post(house, "/auth/token", b"{}", Authorization="")).status_code == 200
    slow.close()


@pytest.mark.parametrize("path", [RUNS, "/execution/task-instances/1"], ids=["a person's route", "a task's route"])
async def test_a_strangers_400_megabytes_are_not_read(house: House, path: str) -> None:
    """The connection ends after a few kilobytes, whatever was announced."""
    head = f"PATCH {path} HTTP/1.1\nHost: here\nContent-Length: 400000000\n\n"
    stranger = await asyncio.to_thread(house.socket, head)

    def pour() -> int:
        poured = 0
        try:
            while poured < 400_000_000:
                poured += stranger.send(b"x" * 65536)
        except OSError:
            pass
        return poured

    assert await asyncio.to_thread(pour) < 20_000_000  # what the kernel keeps on both sides
    assert house.reached == []
    assert house.recorded == []


async def test_a_body_that_was_not_announced_is_read_up_to_the_limit(house: House) -> None:
    """In chunks, as whoever hides its length sends it."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 1000

    reply = await post(house, RUNS, chunks())
    assert (reply.status_code, house.reached) == (413, [])
    assert "larger than the 100000 bytes" in reply.json()["detail"]
    login = await post(house, "/auth/token", b"x" * (LOGIN.bytes + 1), Authorization="")
    assert login.status_code == 413


async def test_who_is_logged_in_may_send_more_to_the_auth_manager(house: House) -> None:
    """A role with the rights to some hundred DAGs is larger than any log-in."""
    assert (await post(house, "/auth/token", b"x" * LIMIT.bytes)).status_code == 200
    assert (await post(house, "/auth/token", b"x" * (LIMIT.bytes + 1))).status_code == 413


async def test_what_is_sent_to_our_pages_is_read_up_to_the_limit(house: House) -> None:
    """It passes as it is; of a stranger's nothing does, and the pages say who may not."""
    path = "/change-windows/calendar/feed"
    reply = await post(house, path, b"x" * LIMIT.bytes)
    assert (reply.status_code, len(reply.content)) == (200, LIMIT.bytes)
    assert (await post(house, path, b"x" * (LIMIT.bytes + 1))).status_code == 413
    assert (await post(house, f"{path}/none", b"x" * 10_000_000, method="PUT")).status_code == 413
    stranger = await post(house, path, b"x" * 1000, Authorization="")
    assert (stranger.status_code, stranger.content) == (200, b"")
    assert house.reached == [path, path]


async def test_another_dag_may_get_more(house: House) -> None:
    """The limit is for what may act on ours; a body that names one of ours after all is refused."""
    large = json.dumps({"conf": {"text": "x" * 200_000}})
    assert (await post(house, "/api/v2/dags/etl/dagRuns", large)).status_code == 200
    hidden = json.dumps({"actions": [{"entities": [{"dag_id": "CHG-1042"}]}], "text": "x" * 200_000})
    path = "/api/v2/dags/etl/dagRuns/run/taskInstances"
    assert (await post(house, path, hidden, "PATCH")).status_code == 413


async def test_a_request_may_not_name_thousands_of_changes(house: House) -> None:
    """Nothing is looked up or recorded for them."""
    entities = [{"dag_id": f"CHG-{number}", "dag_run_id": "r", "task_id": "t"} for number in range(1, 1001)]
    body = json.dumps({"actions": [{"action": "update", "entities": entities}]})
    reply = await post(house, BULK, body, "PATCH")
    assert reply.json() == {"detail": "It names 1000 changes, 100 allowed. Send several requests."}
    assert (house.judged, house.recorded, house.reached) == ([], [], [])


@pytest.mark.parametrize(("status", "count"), [(401, 0), (403, 0), (404, 0), (200, 1), (409, 1), (422, 1)], ids=str)
async def test_what_airflow_does_not_let_in_leaves_no_event(house: House, status: int, count: int) -> None:
    """Nor does a stranger's request; everything else does, with who asked and what was answered."""
    await post(house, RUNS, b"{}", Authorization="Bearer mallory")
    assert house.recorded == []
    await post(house, f"{RUNS}?status={status}", b"{}")
    await until(lambda: len(house.recorded) >= count)
    assert house.recorded == [(("CHG-1042",), "alice", status)][:count]


async def test_what_is_refused_is_recorded_and_goes_no_further(house: House) -> None:
    """With the sentence that says why."""
    reply = await post(house, "/api/v2/dags/CHG-9/dagRuns", b"{}")
    assert (reply.status_code, reply.json()) == (409, {"detail": "CHG-9 acts"})
    await until(lambda: bool(house.recorded))
    assert (house.recorded, house.reached) == ([(("CHG-9",), "alice", 409)], [])
    assert house.reasons == ["CHG-9 acts"]


async def test_who_may_only_look_fills_no_record(house: House) -> None:
    """What they are refused leaves no event."""
    reply = await post(house, "/api/v2/dags/CHG-9/dagRuns", b"{}", Authorization="Bearer victor")
    await asyncio.sleep(0.1)
    assert (reply.status_code, house.recorded, house.reached) == (409, [], [])


async def test_a_task_comes_in_with_its_own_token_only(house: House) -> None:
    """Neither without one nor with that of a person."""
    path = "/execution/task-instances/1"
    statuses = [
        (await post(house, path, b"{}", "PATCH", Authorization=given)).status_code
        for given in ("", "Bearer alice", "Bearer task")
    ]
    assert statuses == [401, 403, 200]


async def test_what_only_reads_is_not_judged(house: House) -> None:
    """Nor is what tasks themselves tell Airflow."""
    reply = await post(house, RUNS, b"", "GET")
    await post(house, "/execution/task-instances/CHG-1042", b"{}", "PATCH", Authorization="Bearer task")
    assert (reply.status_code, house.judged, house.recorded) == (405, [], [])


async def test_the_application_gets_the_body_as_it_was_sent(house: House) -> None:
    """Byte for byte; what it only asks is not recorded."""
    body = b'{"dry_run": true, "x": "\xc3\xa9"}'
    assert (await post(house, RUNS, body)).content == body
    await post(house, f"{RUNS}/list", b"{}")
    assert house.recorded == []


async def test_who_never_reads_an_answer_keeps_nobody_waiting(house: House) -> None:
    """The turn is over before the answer is sent."""
    path = "/api/v2/dags/large/dagRuns"
    head = f"POST {path} HTTP/1.1\nHost: here\nAuthorization: Bearer alice\nContent-Length: 2\n\n{{}}"
    deaf = await asyncio.to_thread(house.socket, head)
    await until(lambda: path in house.reached)
    assert (await post(house, RUNS, b"{}")).status_code == 200
    deaf.close()


async def test_who_hangs_up_half_way_has_asked_for_nothing(house: House) -> None:
    """What came of the body is not passed on."""
    head = f"POST {RUNS} HTTP/1.1\nHost: here\nAuthorization: Bearer alice\nContent-Length: 100\n\n{{}}"
    (await asyncio.to_thread(house.socket, head)).close()
    await asyncio.sleep(0.1)
    assert (house.reached, house.judged) == ([], [])


def test_on_sqlite_writes_are_ordered() -> None:
    """It is what Airflow uses here."""
    assert isinstance(Door(FastAPI()).writer, SingleWriter)


async def test_what_is_pasted_reaches_airflow_without_its_secrets(house: House) -> None:
    """Airflow stores what it gets, for everybody to read; and so does its audit log."""
    conf = {"commands": "mysql -phunter2-9f3 orders", "targets": "production/orders"}
    answer = await post(house, "/api/v2/dags/record_change/dagRuns", json.dumps({"conf": conf}).encode())
    assert answer.json() == {"conf": {"commands": "mysql -p*** orders", "targets": "production/orders"}}
    assert all(b"9f3" not in asked.body for asked in house.judged)


@pytest.mark.parametrize("change", ["CHG-9", "chg-9", "CHG-1"])
async def test_whoever_may_not_see_a_change_is_not_told_that_it_acts(house: House, change: str) -> None:
    """They hear what Airflow answers where there is no such change, in the same words and headers."""
    answer = await post(house, f"/api/v2/dags/{change}/dagRuns", b"{}", Authorization="Bearer olga")
    assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"})
    assert "connection" not in answer.headers
    assert house.reached == []
    assert (await post(house, f"/api/v2/dags/{change}/dagRuns", b"{}")).status_code == 409


async def test_who_ends_a_run_lets_the_next_one_begin(house: House) -> None:
    """By whichever request, of one DAG of ours or of several; what is refused, and those of others, change nothing."""
    bulk = {"actions": [{"action": "delete", "entities": [{"dag_id": "messages", "dag_run_id": "run"}]}]}
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v2/dags", headers=ALICE) as client:
        await client.patch("/messages/dagRuns/run", json={"state": "success"})
        await client.delete("/CHG-1042/dagRuns/run")
        await client.patch("/~/dagRuns", json=bulk)
        await client.patch("/etl/dagRuns/run", json={"state": "success"})
        await client.patch("/CHG-9/dagRuns/run", json={"state": "success"})
        await client.post("/messages/dagRuns", json={})
    await until(lambda: len(house.begun) == 3)
    assert house.begun == [("messages",), ("CHG-1042",), ("messages",)]
