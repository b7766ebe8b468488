"""Ports for the servers of tests."""

import secrets
import socket

BELOW_THE_KERNELS_OWN = range(20_000, 32_000)
"""From 32768 on, Linux gives ports to whoever connects: a server that binds later may find its port taken."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, nor gets by connecting to somebody."""
    while True:
        port = secrets.choice(BELOW_THE_KERNELS_OWN)  # whatever a test has seeded, workers seldom choose the same
        if _binds(port):
            return port


def _binds(port: int) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(type=kind) as listener:
                listener.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
