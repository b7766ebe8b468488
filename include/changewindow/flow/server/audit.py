"""Records in the ledger what people do by hand to the runs and tasks of a change, in the UI or by REST.

Airflow's own audit log is written before the action, whatever becomes of it, and leaves out some actions (bulk changes
of tasks, deleted tasks). This looks at each writing request once it was answered: who, what, and with which answer.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from changewindow import settings
from changewindow.errors import ChangeError, LedgerUnknown
from changewindow.flow.runtime import ledger
from changewindow.ledger import changes
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Clicked
from changewindow.ledger.spool import Spool

log = logging.getLogger(__name__)
WRITING = {"POST", "PATCH", "PUT", "DELETE"}
PLACES = ("/api/v2/", "/ui/")
CHANGE = re.compile(r"\bCHG-[0-9]+\b")
LONGEST = 2000
"""Characters of a request that an event keeps."""
PAUSED = re.compile(r"/api/v2/dags/(CHG-[0-9]+)")
Record = Callable[[Event], Any]
Refuse = Callable[[str], str | None]


class Clicks:
    """ASGI middleware that tells the ledger of each writing request about a change.

    It stands in the way of one thing only: pausing a change that acts, because Airflow would neither go on with it nor
    take it back.
    """

    def __init__(self, app: ASGIApp, record: Record | None = None, refuse: Refuse | None = None) -> None:
        self.app = app
        self.record = record or write
        self.refuse = refuse or why_not_paused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is refused; then record it if it was about a change."""
        if scope["type"] != "http" or scope["method"] not in WRITING or not scope["path"].startswith(PLACES):
            await self.app(scope, receive, send)
            return
        body, answer = await whole_body(receive), [0]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer[0] = message["status"]
            await send(message)

        text = body.decode(errors="replace")
        against = await self._against(scope, text)
        app = JSONResponse({"detail": against}, 409) if against else self.app
        await app(scope, replayed(body, receive), sending)
        for change in about(scope["path"], text):
            clicked = Clicked(method=scope["method"], path=scope["path"], body=text[:LONGEST], status=answer[0])
            event = Event(change, await who(scope), datetime.now(UTC), clicked)
            await asyncio.to_thread(self.record, event)

    async def _against(self, scope: Scope, body: str) -> str | None:
        paused = PAUSED.fullmatch(scope["path"]) if scope["method"] == "PATCH" else None
        if paused and asked(body).get("is_paused") is True:
            return await asyncio.to_thread(self.refuse, paused[1])
        return None


async def whole_body(receive: Receive) -> bytes:
    """Return the body of a request; what is cut off by a client that went away is returned as it came."""
    body = bytearray()
    while True:
        message = await receive()
        body.extend(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the application a body that was read already, and then whatever comes."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving


def about(path: str, body: str) -> list[str]:
    """Return the changes that a request is about; one that only asks what it would do is about none.

    A request to another DAG, which may name a change in its parameters, is a run of its own and needs no record here.
    """
    if asked(body).get("dry_run") is True:
        return []
    is_for_many = "/dags/" not in path or "/dags/~" in path
    return sorted(set(CHANGE.findall(f"{path} {body}" if is_for_many else path)))


def asked(body: str) -> dict[str, Any]:
    """Return what a request asks for, as far as it is a JSON object."""
    try:
        request = json.loads(body)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


async def who(scope: Scope) -> str:
    """Return the name of whoever sent a request, as Airflow authenticates them."""
    headers = Headers(scope=scope)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE_NAME_JWT_TOKEN)
    given = token if scheme.lower() == "bearer" else cookie.value if cookie else ""
    try:
        return str((await get_auth_manager().get_user_from_token(given)).get_name())
    except Exception as error:  # noqa: BLE001  each auth manager has its own ways to refuse a token
        log.debug("nobody known sent it: %r", error)
        return "unknown"


def why_not_paused(change: str) -> str | None:
    """Return why a change may not be paused now; None where it may, or where the ledger cannot say."""
    try:
        is_acting = changes.get(ledger(), change).status == "running"
    except ChangeError as error:
        log.warning("%s", error)
        return None
    reason = f"{change} acts now: paused, it would neither go on nor be rolled back"
    return f"{reason}. Run abort_change to end it and roll it back." if is_acting else None


def write(event: Event) -> None:
    """Write the event now, or keep it while the ledger is down."""
    try:
        Spool(ledger(), settings.read().spool).record(event)
    except LedgerUnknown:
        log.info("%s is no change of this ledger", event.change)
    except ChangeError as error:
        log.warning("a click on %s by %s is not recorded: %s", event.change, event.actor, error)


MIDDLEWARES: list[dict[str, Any]] = [{"middleware": Clicks, "args": [], "kwargs": {}, "name": "who clicked what"}]
"""What to register with Airflow's API server."""
