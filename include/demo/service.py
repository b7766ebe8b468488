"""The HTTP service `orders`, which takes its configuration from branch main of a git repository."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from demo.configuration import Checkout, ConfigError
from demo.pool import Connection, NoConnectionError, Pool

FETCH_PAUSE = 0.5
HEALTH_TIMEOUT = 0.1
POLL = 0.1
BUCKETS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1, 2.5)
ROUTES = ("/orders", "/health", "/metrics")
Reply = tuple[bool, dict[str, object]]


@dataclass(frozen=True)
class Active:
    """A configuration, and the pool that follows it."""

    commit: str
    version: str
    pool: Pool


class Orders(Collector):
    """The service without HTTP: one query for each order, over the pool of the active configuration."""

    def __init__(self, checkout: Checkout, database: tuple[str, int]) -> None:
        """Load the first configuration; ConfigError is raised, since there is no older one to keep."""
        self.config_error: str | None = None
        self._checkout = checkout
        self._database = database
        self._following = threading.Lock()
        self._numbers = itertools.count(1)
        self.active = self._load(checkout.fetch())

    def order(self, timeout: float | None = None) -> Reply:
        """Return the next order, or why there is none."""
        try:
            with self.active.pool.connection(timeout) as connection:
                return True, {"order": connection.query(next(self._numbers))}
        except (NoConnectionError, OSError) as error:
            return False, {"error": str(error)}

    def follow(self) -> None:
        """Load the configuration of branch main; keep the old one if it cannot be loaded."""
        with self._following:
            self._follow()

    def _follow(self) -> None:
        try:
            commit = self._checkout.fetch()
            if commit != self.active.commit:
                old, self.active = self.active, self._load(commit)
                old.pool.drain()
        except ConfigError as error:
            self.config_error = str(error)
        else:
            self.config_error = None

    def health(self) -> Reply:
        """Return whether a real query succeeds, and which version runs."""
        is_ok, _ = self.order(HEALTH_TIMEOUT)
        active = self.active
        return is_ok, {
            "status": "ok" if is_ok else "degraded",
            "version": active.version,
            "commit": active.commit,
            "config_error": self.config_error,
            "pool": active.pool.settings.model_dump() | asdict(active.pool.numbers()),
        }

    def collect(self) -> Iterator[Metric]:
        """Yield the running version and the state of its pool."""
        active = self.active
        yield InfoMetricFamily("build", "The version that runs.", {"version": active.version})
        yield from active.pool.collect()

    def _load(self, commit: str) -> Active:
        release, settings = self._checkout.read(commit)
        pool = Pool(lambda timeout: Connection(self._database, timeout), settings)
        pool.warm()
        return Active(commit, release.version, pool)


class Handler(BaseHTTPRequestHandler):
    """Answers one client."""

    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet, at once: the client waits for no delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer and measure one request."""
        began = time.monotonic()
        path = self.path.partition("?")[0]
        status, kind, body = self._answer(path)
        # Measured before it is sent, so that whoever has the answer finds it in the metrics.
        self.server.record(path, status, time.monotonic() - began)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Stay silent: the metrics say what happened."""

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        match path:
            case "/orders":
                is_ok, reply = self.server.orders.order()
            case "/health":
                is_ok, reply = self.server.orders.health()
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.server.registry)
            case _:
                return HTTPStatus.NOT_FOUND, "text/plain", f"There is no {path}; try {', '.join(ROUTES)}.\n".encode()
        status = HTTPStatus.OK if is_ok else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps(reply).encode()


class Server(ThreadingHTTPServer):
    """The service on its port, with a thread that follows branch main."""

    # Clients in step connect in step.
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], orders: Orders, registry: CollectorRegistry) -> None:
        """Bind the port, or a free one for 0; a port that is taken is an OSError."""
        super().__init__(address, Handler)
        self.orders = orders
        self.registry = registry
        registry.register(orders)
        self._requests = Counter("http_requests", "Requests answered.", ["route", "status"], registry=registry)
        self._seconds = Histogram(
            "http_request_duration_seconds", "Time to answer.", ["route"], registry=registry, buckets=BUCKETS
        )
        for status in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE):
            self._requests.labels("/orders", status.value)  # "No errors yet" is 0, not missing.
        self._ended = threading.Event()
        self._workers = [
            threading.Thread(target=self.serve_forever, args=(POLL,), name="orders", daemon=True),
            threading.Thread(target=self._follow, name="follower", daemon=True),
        ]

    def start(self) -> None:
        """Answer, and follow branch main, from now on."""
        for thread in self._workers:
            thread.start()

    def stop(self) -> None:
        """Stop following, free the port, close the connections to the database."""
        self._ended.set()
        self.shutdown()
        for thread in self._workers:
            thread.join()
        self.server_close()
        self.orders.active.pool.drain()

    def record(self, path: str, status: HTTPStatus, seconds: float) -> None:
        """Count one answered request under its route."""
        route = path if path in ROUTES else "unknown"
        self._requests.labels(route, status.value).inc()
        self._seconds.labels(route).observe(seconds)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about clients that went away: that is no fault of the service."""

    def _follow(self) -> None:
        while not self._ended.wait(FETCH_PAUSE):
            self.orders.follow()
