"""Socket Mode of the local Slack: clicks go out over WebSockets, and it is remembered when each was acknowledged.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode, .../interaction-payloads/block_actions-payload
"""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

TEAM = {"id": "T0TEST0001", "domain": "test"}


@dataclass
class Click:
    """A click on its way, and what came back for it."""

    envelope: dict[str, Any]
    sent: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    """When each acknowledgement came; the clock is the one of `sent`."""
    arrived: Any = field(default_factory=threading.Event)

    def waited(self, within: float = 30) -> float:
        """Return how long it took until it was acknowledged."""
        assert self.arrived.wait(within), "the click was not acknowledged"
        return self.acknowledged[0] - self.sent[0]


@dataclass
class Sockets:
    """Who is connected, and what was sent to them."""

    url: str = ""
    connections: list[ServerConnection] = field(default_factory=list)
    clicks: dict[str, Click] = field(default_factory=dict)
    opened: int = 0
    """How often somebody connected."""
    _tickets: set[str] = field(default_factory=set)

    def ticket(self) -> str:
        """Return an address for one connection."""
        name = uuid.uuid4().hex
        self._tickets.add(name)
        return f"{self.url}/link/?ticket={name}&app_id=A0TEST0001"

    def click(self, user: str, button: dict[str, Any], more: dict[str, Any]) -> Click:
        """Send a click to somebody who is connected; with `to_all`, to everybody who is."""
        to_all, team = more.pop("to_all", False), more.pop("team", TEAM["id"])
        message = more["message"]
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "name": user.lower(), "team_id": team},
            "api_app_id": "A0TEST0001",
            "token": "legacy",
            "team": {**TEAM, "id": team},
            "enterprise": None,
            "is_enterprise_install": False,
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": more["channel"]["id"]},
            "trigger_id": uuid.uuid4().hex,
            "state": {"values": {}},
            "actions": [{**button, "action_ts": f"{time.time():.6f}"}],
            **more,
        }
        envelope = {"envelope_id": str(uuid.uuid4()), "type": "interactive", "accepts_response_payload": False}
        click = Click({**envelope, "payload": payload})
        self.clicks[click.envelope["envelope_id"]] = click
        self.send(click, to_all=to_all)
        return click

    def send(self, click: Click, *, to_all: bool = False) -> int:
        """Send a click, perhaps not for the first time; return how many got it."""
        click.sent.append(time.monotonic())
        reached = 0
        for connection in list(self.connections):
            with suppress(ConnectionClosed):
                connection.send(json.dumps(click.envelope))
                reached += 1
            if reached and not to_all:
                break
        return reached

    def refresh(self) -> None:
        """Ask everybody to connect anew, as Slack does every few hours."""
        for connection in list(self.connections):
            connection.send(json.dumps({"type": "disconnect", "reason": "refresh_requested", "debug_info": {}}))

    def drop(self) -> None:
        """Cut every connection without a word."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Listen until the block ends."""
        with serve(self._talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            self.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield
            finally:
                self._close(server)
                thread.join()

    def _close(self, server: Server) -> None:
        for connection in list(self.connections):
            with suppress(ConnectionClosed, OSError):
                connection.close()
        server.shutdown()

    def _talk(self, connection: ServerConnection) -> None:
        """Greet somebody who has a ticket, and take their acknowledgements."""
        ticket = (connection.request.path if connection.request else "").partition("ticket=")[2].partition("&")[0]
        if ticket not in self._tickets:
            return
        self._tickets.discard(ticket)
        connection.send(json.dumps({"type": "hello", "num_connections": len(self.connections) + 1}))
        self.connections.append(connection)
        self.opened += 1
        try:
            for text in connection:
                self._acknowledge(json.loads(text))
        except (ConnectionClosed, OSError):
            pass
        finally:
            self.connections.remove(connection)

    def _acknowledge(self, answer: dict[str, Any]) -> None:
        click = self.clicks.get(answer.get("envelope_id", ""))
        if click:
            click.acknowledged.append(time.monotonic())
            click.arrived.set()
