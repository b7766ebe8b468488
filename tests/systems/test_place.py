"""Where a step acts and a collector looks, and when two places are surely not the same."""

import socket

import pytest

from changewindow.errors import UnknownConnection
from changewindow.systems.connection import Connection
from changewindow.systems.place import Place, Sort, is_elsewhere, place_behind, place_of_step

CASES: dict[str, tuple[Sort, str, str, bool]] = {
    "the same host": ("host", "web-3.example.com", "WEB-3.example.com.", False),
    "its short name": ("host", "web-3", "web-3.example.com", False),
    "another host": ("host", "web-3.example.com", "web-4.example.com", True),
    "a short name of another host": ("host", "web-3", "web-4.example.com", True),
    "the same name in another domain": ("host", "web-3.example.com", "web-3.example.net", True),
    "two addresses": ("host", "192.0.2.3", "192.0.2.4", True),
    "a name and an address": ("host", "web-3", "192.0.2.4", False),
    "what every machine calls itself": ("host", "localhost", "web-4", False),
    "an address that every machine has": ("host", "127.0.0.1", "192.0.2.4", False),
    "the same cluster": ("cluster", "https://a.example.com", "https://a.example.com:443/", False),
    "another cluster": ("cluster", "https://a.example.com:6443", "https://b.example.com:6443", True),
    "another cluster behind the same gateway": (
        "cluster",
        "https://r.example.com/k8s/a",
        "https://r.example.com/k8s/b",
        True,
    ),
    "no port": ("cluster", "https://a.example.com:none", "https://a.example.com", False),
    "the same repository by another way": (
        "repository",
        "git@git.example.com:shop/config.git",
        "https://git.example.com/shop/config",
        False,
    ),
    "another repository": ("repository", "git@git.example.com:shop/config", "git@git.example.com:shop/other", True),
    "a fork": ("repository", "https://git.example.com/shop/config", "https://git.example.com/eve/config", True),
    "two folders": ("repository", "/srv/git/config.git", "/srv/git/other.git", True),
}


@pytest.mark.parametrize(("sort", "acted", "seen", "differ"), CASES.values(), ids=CASES.keys())
def test_places_are_told_apart(sort: Sort, acted: str, seen: str, *, differ: bool) -> None:
    """What cannot be compared is not another place."""
    assert sort
    mine, other = Place(sort=sort, name=acted), Place(sort=sort, name=seen)
    assert is_elsewhere(mine, other) == is_elsewhere(other, mine) == differ
    assert not is_elsewhere(mine, None)
    assert not is_elsewhere(None, other)


def test_what_is_of_another_sort_is_not_compared() -> None:
    """A step in a cluster says nothing of a host."""
    assert not is_elsewhere(Place(sort="host", name="a"), Place(sort="cluster", name="https://b"))


def test_a_place_is_what_its_connection_leads_to() -> None:
    """A host without a connection is this machine; a cluster has the namespace that is meant where none is named."""
    assert place_behind("", Connection("any", "ssh", "web-3")) is place_behind("cluster", None) is None
    assert place_behind("host", Connection("web", "ssh", "web-3")) == Place(sort="host", name="web-3")
    assert str(place_behind("host", None)) == f"host {socket.gethostname()}"
    known = Connection("blue", "kubernetes", extra={"kube_config": CLUSTER, "namespace": "shop"})
    assert place_behind("cluster", known) == Place(sort="cluster", name="https://blue.example.com", namespace="shop")


def test_a_connection_that_cannot_be_used_leads_nowhere() -> None:
    """The step says so itself when it acts."""

    def unknown(name: str) -> Connection:
        raise UnknownConnection(name)

    assert place_of_step("host", "gone", unknown) is None
    assert (
        place_of_step("cluster", "blue", lambda name: Connection(name, "kubernetes", extra={"kube_config": "{"}))
        is None
    )


CLUSTER = """
current-context: blue
contexts: [{name: blue, context: {cluster: blue, user: me}}]
clusters: [{name: blue, cluster: {server: "https://blue.example.com"}}]
users: [{name: me, user: {token: t}}]
"""
