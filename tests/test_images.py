"""Whether images can be pulled is asked of a real registry, with its account; and of one that wants a token."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from changewindow.connection import Connection
from changewindow.embedded import free_port
from changewindow.images import lacks_images, reference
from registry import ACCOUNT, Registry, registry


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry with one image."""
    with registry(tmp_path_factory.mktemp("registry")) as found:
        found.push("shop/cart", "2.15.0")
        yield found


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
    assert lacks_images(here.connection(), *images) == []


def test_an_image_that_is_gone_is_named(here: Registry) -> None:
    """The one that is there is not."""
    found = lacks_images(here.connection(), "r.example.org/shop/cart:2.15.0", "r.example.org/shop/cart:2.13.0")
    says = f"the registry at {here.url} has none of that name. Push it, or correct it."
    assert found == [f"Image r.example.org/shop/cart:2.13.0 cannot be pulled: {says}"]


def test_an_account_that_is_not_let_in_is_said(here: Registry) -> None:
    """The password is not."""
    [found] = lacks_images(here.connection(password="wrong-one"), "r.example.org/shop/cart:2.15.0")
    assert "does not let 'robot' (401)" in found
    assert "example_registry" in found
    assert "wrong-one" not in found


def test_a_registry_that_is_down_proves_nothing() -> None:
    """What is not known is not good."""
    nobody = Connection("example_registry", "http", host=f"http://127.0.0.1:{free_port()}")
    [found] = lacks_images(nobody, "r.example.org/shop/cart:2.15.0")
    assert found.startswith("whether image r.example.org/shop/cart:2.15.0 can be pulled is not known")


@pytest.fixture
def with_token() -> Iterator[str]:
    """Serve one image to who shows a token, and tokens to who shows the account, as large registries do."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            if self.headers.get("Authorization") == "Bearer for-repository:shop/cart:pull":
                self._reply(200 if self.path == "/v2/shop/cart/manifests/2.15.0" else 404, {})
                return
            self._reply(401, {"WWW-Authenticate": f'Bearer realm="{url}/token",service="here",scope="registry:*"'})

        def do_GET(self) -> None:
            account = base64.b64encode(":".join(ACCOUNT).encode()).decode()
            if self.headers.get("Authorization") != f"Basic {account}":
                self._reply(401, {})
                return
            scope = parse_qs(urlsplit(self.path).query)["scope"][0]
            self._reply(200, {}, json.dumps({"token": f"for-{scope}"}))

        def _reply(self, status: int, headers: dict[str, str], body: str = "") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield url
    server.shutdown()


@pytest.mark.parametrize(
    ("version", "password", "says"),
    [
        pytest.param("2.15.0", ACCOUNT[1], "", id="an image that is there"),
        pytest.param("2.13.0", ACCOUNT[1], "has none of that name", id="an image that is gone"),
        pytest.param("2.15.0", "wrong", "does not let 'robot' (401)", id="an account that gets no token"),
    ],
)
def test_a_registry_may_want_a_token(with_token: str, version: str, password: str, says: str) -> None:
    """The account goes to where tokens are given, the token to the registry."""
    connection = Connection("example_registry", "http", host=with_token, login=ACCOUNT[0], password=password)
    found = lacks_images(connection, f"r.example.org/shop/cart:{version}")
    assert (says in found[0]) if says else (found == [])
