"""Asks a registry whether images can be pulled.

Sources: the OCI distribution specification 1.1 (manifests), and the token authentication of the CNCF's distribution.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

import requests

from changewindow.systems.connection import Connection

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
PATIENCE = 15
"""Seconds for each answer."""
LARGEST = 1 << 20
"""How many bytes of a token's answer are read at most."""


class _Session(requests.Session):
    """Signs a request with what it is given, and with nothing from a .netrc, also where it is sent on."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _unsigned

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Leave the credentials behind where a redirect leads to another host, or to no encryption."""
        here, there = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(here, there):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def images_not_pullable(registry: Connection, *images: str) -> list[str]:
    """Return which images the account of a connection cannot pull from its registry, and why."""
    obstacles = [_obstacle(registry, image) for image in dict.fromkeys(images)]
    return [obstacle for obstacle in obstacles if obstacle]


def reference(image: str) -> tuple[str, str]:
    """Return the name in its registry, and the digest or tag, of an image as written in a pod."""
    named, _, digest = image.partition("@")
    first, slash, rest = named.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    name, colon, tag = (rest if has_host else named).rpartition(":")
    if not colon:
        name, tag = tag, "latest"
    return name if has_host or "/" in name else f"library/{name}", digest or tag


def _obstacle(registry: Connection, image: str) -> str:
    """Return what prevents a pull, and what to do now, or an empty text."""
    url = registry.base_url
    try:
        reply = _manifest(registry, *reference(image))
    except (requests.RequestException, ValueError) as error:
        problem = f"Whether image {image} can be pulled is unknown: the registry at {url} gave no answer"
        why = f"{type(error).__name__}: {error}"
        return f"{problem} ({why}). Is it up, and is the address of connection '{registry.name}' right?"
    status, kind = reply.status_code, reply.headers.get("Content-Type", "nothing")
    if status == requests.codes.ok and "json" not in kind:
        problem = f"Whether image {image} can be pulled is unknown: {url} answered {kind}, as no registry does"
        return f"{problem}. Correct the address of connection '{registry.name}'."
    if status == requests.codes.ok:
        return ""
    if status == requests.codes.not_found:
        return (
            f"Image {image} cannot be pulled: the registry at {url} has no image of that name. Push it, or correct it."
        )
    if status in {requests.codes.unauthorized, requests.codes.forbidden}:
        who = f"'{registry.login}'" if registry.login else "anybody without a login"
        problem = f"Image {image} cannot be pulled: the registry at {url} does not admit {who} ({status})"
        return f"{problem}, or has no such image. Correct login and password of connection '{registry.name}'."
    return f"Whether image {image} can be pulled is unknown: the registry at {url} answered {status}. Is it healthy?"


def _manifest(registry: Connection, name: str, version: str) -> requests.Response:
    """Return the registry's answer about an image; with a token, where it wants one.

    Raises:
        ValueError: it wants a token from somewhere that gives none.
    """
    url = f"{registry.base_url}/v2/{name}/manifests/{version}"
    reply = _head(url, registry.credentials, {})
    scheme, _, challenge = reply.headers.get("WWW-Authenticate", "").partition(" ")
    if reply.status_code != requests.codes.unauthorized or scheme.lower() != "bearer":
        return reply
    wanted = parse_keqv_list(parse_http_list(challenge))
    realm = wanted.get("realm") or ""
    if urlsplit(realm).scheme != "https" and urlsplit(url).scheme == "https":
        raise ValueError(f"the password would go to {realm!r} in the clear")
    parameters = {"service": wanted.get("service") or "", "scope": f"repository:{name}:pull"}
    granted = _Session().get(realm, params=parameters, auth=registry.credentials, timeout=PATIENCE, stream=True)
    if granted.status_code != requests.codes.ok:
        return granted
    document = json.loads(granted.raw.read(LARGEST, decode_content=True))
    token = isinstance(document, dict) and (document.get("token") or document.get("access_token"))
    if not token:
        raise ValueError(f"{realm!r} gave no token")
    return _head(url, None, {"Authorization": f"Bearer {token}"})


def _head(url: str, credentials: tuple[str, str] | None, headers: Mapping[str, str]) -> requests.Response:
    accepts = {"Accept": ", ".join(MANIFESTS), **headers}
    return _Session().head(url, headers=accepts, auth=credentials, timeout=PATIENCE, allow_redirects=True)
