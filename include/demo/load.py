"""A steady load of page views: clients that ask for orders in step, at a fixed rate, whatever the answers are."""

from __future__ import annotations

import http.client
import math
import threading
import time

CLIENTS = 8
RATE = 80.0
# A client gives up on an answer after this long, and comes back.
PATIENCE = 10.0


class Load:
    """Clients in threads; all ask at the same moment, as one page view asks for several orders at once."""

    def __init__(self, address: tuple[str, int], *, clients: int = CLIENTS, rate: float = RATE) -> None:
        """Prepare `clients` clients that ask for `rate` orders per second together."""
        self._address = address
        self._period = clients / rate
        self._began = 0.0
        self._ended = threading.Event()
        self._clients = [
            threading.Thread(target=self._ask_steadily, name=f"client-{number}", daemon=True)
            for number in range(clients)
        ]

    def start(self) -> None:
        """Ask from now on."""
        self._began = time.monotonic()
        for client in self._clients:
            client.start()

    def stop(self) -> None:
        """Return when every client has got its last answer."""
        self._ended.set()
        for client in self._clients:
            client.join(PATIENCE)

    def _ask_steadily(self) -> None:
        line = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
        while not self._ended.wait(self._until_next_tick()):
            try:
                line.request("GET", "/orders")
                line.getresponse().read()
            except (OSError, http.client.HTTPException):
                line.close()  # The next request connects anew.
        line.close()

    def _until_next_tick(self) -> float:
        """Return the seconds to the next common tick; ticks missed by a slow answer are not made up for."""
        elapsed = time.monotonic() - self._began
        return math.ceil(elapsed / self._period) * self._period - elapsed
