"""A world for `tls`: a server that gets another certificate."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Thread

from collector_fixtures import Made, World
from support.certificates import Signed, certificate

HERE = ("api.example.com",)


@dataclass
class Shop:
    """A server, and the certificate that it shows to whoever connects next."""

    folder: Path
    context: SSLContext = field(init=False)
    port: int = 0

    def show(self, signed: Signed) -> None:
        """Show another certificate from now on."""
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(signed.write(self.folder / "server.pem"))
        self.context = context

    def serve(self, listening: socket.socket) -> None:
        """Shake hands with whoever comes, until nobody may come any more."""
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                connection.settimeout(5)
                with self.context.wrap_socket(connection, server_side=True) as shaken:
                    shaken.recv(1)
            except OSError:
                connection.close()


@contextmanager
def serving(folder: Path, signed: Signed | None = None, *, address: str = "127.0.0.1", port: int = 0) -> Iterator[Shop]:
    """Serve, with a first certificate."""
    shop = Shop(folder)
    shop.show(signed or certificate("Our Root", names=HERE))
    with socket.create_server((address, port)) as listening:
        shop.port = listening.getsockname()[1]
        thread = Thread(target=shop.serve, args=(listening,), daemon=True)
        thread.start()
        yield shop
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve, and look before something hostile comes: a first look shows no change."""
    with serving(folder) as shop:
        server = {"host": "127.0.0.1", "port": shop.port, "name": "api.example.com"}
        asked = {"kind": "tls", "servers": [server], "service": "orders", "within": "20s"}
        yield World(
            asked,
            lambda: made(shop),
            lambda text: shop.show(certificate(text[:60], names=HERE)),
            {**asked, "servers": [{**server, "port": 1}]},
            shows_from_the_first_look=False,
        )


def made(shop: Shop) -> Made:
    """Renew the certificate with another authority."""
    shop.show(certificate("Another Root", names=HERE))
    return Made(f"127.0.0.1:{shop.port} as api.example.com", "", "issuer CN=Another Root")
