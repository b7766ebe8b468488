"""A world for `dns`: BIND, and somebody who may update its zone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector_fixtures import Made, World
from servers.bind import PRIMARY, Bind, bind

RECORDS = [
    {"record": "api.example.com", "type": "A"},
    {"record": "note.example.com", "type": "TXT", "expected": ["kept"]},
]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve a zone."""
    with bind(folder) as zone:
        asked = {"kind": "dns", "records": RECORDS, "service": "orders", "within": "20s"}
        here = {**asked, "servers": [f"{PRIMARY}:{zone.port}"]}
        zone.set("note", 60, "TXT", "kept")
        yield World(here, lambda: made(zone), lambda text: hostile(zone, text), {**asked, "servers": ["127.0.0.1:1"]})


def made(zone: Bind) -> Made:
    """Give the API another address."""
    zone.set("api", 300, "A", "192.0.2.20")
    return Made("A api.example.com", "", "is 192.0.2.20 (ttl 300), changed between ")


def hostile(zone: Bind, text: str) -> None:
    """Write a text that acts on terminals, and is as long as one may be."""
    octets = text.encode()[:60_000]
    parts = [octets[start : start + 250] for start in range(0, len(octets), 250)]
    zone.set("note", 60, "TXT", " ".join('"' + "".join(f"\\{octet:03}" for octet in part) + '"' for part in parts))
