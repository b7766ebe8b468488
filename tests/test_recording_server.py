"""The HTTP server of the tests does what tests tell it, so that a test that passes has seen what it describes."""

from pathlib import Path

import httpx
import pytest

from support.certificates import certificate
from support.recording_server import RecordingServer, Reply, Request, recording_server


def test_it_answers_by_method_and_path_and_records_what_came(server: RecordingServer) -> None:
    """What is told of a method goes before what is told of a path, and that before all else."""
    server.answers = {"/flag": (200, "on"), "PUT /flag": lambda request: (201, request.body), "/new": (302, "")}
    server.headers = {"X-Of-All": "yes"}
    with httpx.Client(base_url=server.url) as client:
        answers = [client.get("/flag?of=shop"), client.put("/flag", content="off"), client.get("/"), client.get("/new")]
    assert [(answer.status_code, answer.text) for answer in answers] == [
        (200, "on"),
        (201, "off"),
        (404, ""),
        (302, ""),
    ]
    assert answers[3].headers["Location"] == "/elsewhere"
    assert {answer.headers["X-Of-All"] for answer in answers} == {"yes"}
    first, second = server.requests[:2]
    assert (first.method, first.path, first.query) == ("GET", "/flag", {"of": ["shop"]})
    assert (second.method, second.body, second.headers["content-length"]) == ("PUT", "off", "3")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(Reply(is_lost=True), httpx.RemoteProtocolError, id="no answer"),
        pytest.param(Reply(body="half", length=8), httpx.RemoteProtocolError, id="less than was promised"),
        pytest.param(Reply(delay=3), httpx.ReadTimeout, id="too late"),
    ],
)
def test_it_breaks_as_it_is_told(server: RecordingServer, reply: Reply, error: type[httpx.HTTPError]) -> None:
    """The request has come all the same."""
    server.otherwise = reply
    with pytest.raises(error):
        httpx.get(server.url, timeout=1.5)
    assert [request.method for request in server.requests] == ["GET"]


def test_pieces_come_one_by_one_on_a_connection_that_stays_open() -> None:
    """As a watch of the Kubernetes API sends its events."""

    def pieces(_: Request) -> Reply:
        return Reply(body=(bytes([letter]) for letter in b"abc"))

    with recording_server(pieces, keeps_alive=True) as server, httpx.Client() as client:
        for _ in range(2):
            with client.stream("GET", server.url) as answer:
                assert b"".join(answer.iter_raw()) == b"abc"
            assert "Connection" not in answer.headers


def test_it_speaks_tls_and_is_gone_at_its_end(tmp_path: Path) -> None:
    """Nobody answers any more."""
    file = certificate("api", names=("127.0.0.1",)).write(tmp_path / "server.pem")
    with recording_server((200, "in private"), tls=file) as server:
        assert httpx.get(server.url, verify=str(file)).text == "in private"
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, verify=str(file))
