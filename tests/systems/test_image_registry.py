"""Whether images can be pulled is asked of a real registry, with its account; and of one that wants a token."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from changewindow.systems.connection import Connection
from changewindow.systems.kubernetes.image_registry import images_not_pullable, reference
from servers.image_registry import ACCOUNT, Registry, registry
from support.certificates import certificate
from support.ports import free_port
from support.recording_server import Reply, Request, recording_server


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry with one image."""
    with registry(tmp_path_factory.mktemp("registry")) as server:
        server.push("shop/cart", "2.15.0")
        yield server


@pytest.mark.parametrize(
    ("image", "name", "version"),
    [
        ("registry.example.org/shop/cart:2.15.0", "shop/cart", "2.15.0"),
        ("registry.example.org:5000/cart:2.15.0", "cart", "2.15.0"),
        ("registry.example.org:5000/cart", "cart", "latest"),
        ("localhost/cart", "cart", "latest"),
        ("shop/cart:2", "shop/cart", "2"),
        ("nginx", "library/nginx", "latest"),
        ("nginx:1.27", "library/nginx", "1.27"),
        ("registry.example.org/cart@sha256:abc", "cart", "sha256:abc"),
        ("registry.example.org/cart:2.15.0@sha256:abc", "cart", "sha256:abc"),
    ],
)
def test_an_image_is_named_as_pods_name_it(image: str, name: str, version: str) -> None:
    """The host is left out, and what is not said is what a kubelet takes."""
    assert reference(image) == (name, version)


def test_images_that_are_there_lack_nothing(here: Registry) -> None:
    """By tag, and by digest."""
    digest = here.push("shop/cart", "2.14.0")
    images = ("r.example.org/shop/cart:2.15.0", f"r.example.org/shop/cart@{digest}")
    assert images_not_pullable(here.connection(), *images) == []


def test_an_image_that_is_gone_is_named(here: Registry) -> None:
    """The one that is there is not."""
    problems = images_not_pullable(
        here.connection(), "r.example.org/shop/cart:2.15.0", "r.example.org/shop/cart:2.13.0"
    )
    message = f"the registry at {here.url} has no image of that name. Push it, or correct it."
    assert problems == [f"Image r.example.org/shop/cart:2.13.0 cannot be pulled: {message}"]


def test_an_account_that_is_not_let_in_is_said(here: Registry) -> None:
    """The password is not."""
    [problem] = images_not_pullable(here.connection(password="wrong-one"), "r.example.org/shop/cart:2.15.0")
    assert "does not admit 'robot' (401)" in problem
    assert "example_registry" in problem
    assert "wrong-one" not in problem


def test_a_registry_that_is_down_proves_nothing() -> None:
    """What is not known is not good."""
    nobody = Connection("example_registry", "http", host=f"http://127.0.0.1:{free_port()}")
    [problem] = images_not_pullable(nobody, "r.example.org/shop/cart:2.15.0")
    assert problem.startswith("Whether image r.example.org/shop/cart:2.15.0 can be pulled is unknown")


def test_a_page_is_no_image() -> None:
    """A web server that answers everything with the same page is not a registry that has every image."""
    with recording_server(Reply(headers={"Content-Type": "text/html"})) as server:
        url = server.url
        [problem] = images_not_pullable(
            Connection("example_registry", "http", host=url), "r.example.org/shop/cart:2.15.0"
        )
    assert problem == (
        f"Whether image r.example.org/shop/cart:2.15.0 can be pulled is unknown: {url} answered text/html, "
        "as no registry does. Correct the address of connection 'example_registry'."
    )


@contextmanager
def token_registry(tls: Path | None = None, realm: str = "", gives: str = "") -> Iterator[tuple[str, list[str]]]:
    """Serve one image for a token, and tokens for the account; give the address, and what it was shown for."""
    shown: list[str] = []
    account = "Basic " + base64.b64encode(":".join(ACCOUNT).encode()).decode()
    index = {"Content-Type": "application/vnd.oci.image.index.v1+json"}

    def pull(request: Request) -> Reply:
        if request.headers.get("Authorization") == "Bearer for-repository:shop/cart:pull":
            return Reply(200 if request.path == "/v2/shop/cart/manifests/2.15.0" else 404, headers=index)
        where = realm or f"{server.url}/token"
        return Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{where}",service="here",scope="registry:*"'})

    def token(request: Request) -> tuple[int, str]:
        if request.headers.get("Authorization") != account:
            return 401, ""
        shown.append(request.target)
        return 200, gives or json.dumps({"token": f"for-{request.query['scope'][0]}"})

    with recording_server(pull, tls=tls) as server:
        server.answers["GET /token"] = token
        yield server.url, shown


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the certificate of a server on this machine, which is trusted."""
    signed = certificate("127.0.0.1", names=("127.0.0.1",))
    file = signed.write(tmp_path / "server.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    return file


@pytest.mark.parametrize(
    ("version", "password", "message"),
    [
        pytest.param("2.15.0", ACCOUNT[1], "", id="an image that is there"),
        pytest.param("2.13.0", ACCOUNT[1], "has no image of that name", id="an image that is gone"),
        pytest.param("2.15.0", "wrong", "does not admit 'robot' (401)", id="an account that gets no token"),
    ],
)
def test_a_registry_may_want_a_token(version: str, password: str, message: str) -> None:
    """The account goes to where tokens are given, the token to the registry."""
    with token_registry() as (url, _):
        connection = Connection("example_registry", "http", host=url, login=ACCOUNT[0], password=password)
        problems = images_not_pullable(connection, f"r.example.org/shop/cart:{version}")
    assert (message in problems[0]) if message else (problems == [])


@pytest.mark.parametrize("gives", ["[]", "{}", "<html>"])
def test_a_token_that_is_none_proves_nothing(gives: str) -> None:
    """Whatever stands in its place."""
    with token_registry(gives=gives) as (url, _):
        connection = Connection("example_registry", "http", host=url, login=ACCOUNT[0], password=ACCOUNT[1])
        [problem] = images_not_pullable(connection, "r.example.org/shop/cart:2.15.0")
    assert "can be pulled is unknown" in problem


def test_a_password_does_not_leave_tls(trusted: Path) -> None:
    """A registry that has TLS, and names a place without for its tokens, gets no password there."""
    with token_registry() as (plain, shown), token_registry(trusted, f"{plain}/token") as (url, _):
        connection = Connection("example_registry", "http", host=url, login=ACCOUNT[0], password=ACCOUNT[1])
        [problem] = images_not_pullable(connection, "r.example.org/shop/cart:2.15.0")
        assert problem.startswith("Whether image r.example.org/shop/cart:2.15.0 can be pulled is unknown")
        assert f"the password would go to '{plain}/token' in the clear" in problem
        assert ACCOUNT[1] not in problem
        assert shown == []


def test_a_password_goes_to_a_place_with_tls(trusted: Path) -> None:
    """Where registry and tokens both have it, an image that is there is found."""
    with token_registry(trusted) as (url, shown):
        connection = Connection("example_registry", "http", host=url, login=ACCOUNT[0], password=ACCOUNT[1])
        assert images_not_pullable(connection, "r.example.org/shop/cart:2.15.0") == []
        assert shown == ["/token?service=here&scope=repository%3Ashop%2Fcart%3Apull"]
