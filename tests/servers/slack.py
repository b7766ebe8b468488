"""A Slack on this machine: its Web API holds every payload against the documented limits, and fails as a test wants.

Source: https://docs.slack.dev/reference/methods, https://docs.slack.dev/apis/web-api/rate-limits
"""

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from changewindow.notify.base import Tools
from changewindow.systems.connection import Connection
from servers.slack_limits import POSTED, UPDATED, formatted, of_message, unescaped
from servers.slack_rooms import Posted, Room
from servers.slack_socket import Click, Sockets
from support.recording_server import Reply, Request, recording_server

TEAM, APP, BOT = "T0TEST0001", "A0TEST0001", "B0TEST0001"
SCOPES = {
    *("chat:write", "chat:write.public", "channels:history", "groups:history", "channels:read", "groups:read"),
    "connections:write",
}
NEEDED = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.list": "channels:read",
    "conversations.info": "channels:read",
}
HANGS = 60
"""Seconds that a method which hangs stays silent."""


class Refused(Exception):
    """Slack says no."""

    def __init__(self, error: str, *, status: int = 200, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(error)
        self.reply = _reply(
            {"ok": False, "error": error, **more},
            status=status,
            headers={} if retry_after is None else {"Retry-After": str(retry_after)},
        )


@dataclass
class Fault:
    """How a method fails: an error of Slack's by its name, or `500`, `503`, `hang`, `lost`, `late`, `cut`, `garbage`.

    A request that is `lost` was carried out, and its answer does not arrive, or, when it is `late`, not for a minute;
    one that is `cut`, or that does `hang`, was not.
    """

    kind: str
    times: float
    retry_after: int | None = None


@dataclass(frozen=True)
class Call:
    """What somebody asked of the Web API, and what Slack answered."""

    method: str
    fields: dict[str, Any]
    answer: Reply
    at: float

    @property
    def error(self) -> str:
        """Return Slack's error; empty where it did what it was asked."""
        return str(json.loads(self.answer.body).get("error", "")) if self.answer.body else "lost"


@dataclass
class Slack:
    """One workspace: its rooms, what stands there, and who may do what."""

    now: Callable[[], float] = time.time
    keeps_rates: bool = False
    """Whether it refuses more than a post a second and room, and more than 50 updates a minute."""
    burst: int = 1
    """How many posts may come at once, as long as it is one a second in the mean."""
    token: str = "xoxb-of-the-test"
    app_token: str = "xapp-of-the-test"
    revoked: set[str] = field(default_factory=set)
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    rooms: dict[str, Room] = field(default_factory=dict)
    whispers: list[tuple[str, str, str]] = field(default_factory=list)
    """Room, user and text of what only that user sees."""
    calls: list[Call] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)
    """What was sent against Slack's rules; a test that provokes such a thing clears the list."""
    url: str = ""
    sockets: Sockets = field(default_factory=Sockets)
    lock: Any = field(default_factory=threading.RLock)
    _faults: dict[str, list[Fault]] = field(default_factory=dict)
    _responses: dict[str, Posted] = field(default_factory=dict)
    _updates: list[float] = field(default_factory=list)
    _newest: int = 0

    def room(self, name: str, *, is_private: bool = False, is_member: bool = True) -> Room:
        """Return a room by its name; a new one where there is none."""
        for room in self.rooms.values():
            if room.name == name.removeprefix("#"):
                return room
        made = Room(
            f"{'G' if is_private else 'C'}0{len(self.rooms):08d}", name.removeprefix("#"), is_private, is_member
        )
        self.rooms[made.id] = made
        return made

    def fail(self, method: str, kind: str, *, times: float = 1, retry_after: int | None = None) -> None:
        """Let the next calls of a method, or of all (`*`), fail."""
        self._faults.setdefault(method, []).append(Fault(kind, times, retry_after))

    def recover(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    def revoke(self, token: str = "") -> None:
        """Take back the token of the bot; with another one, that takes its place."""
        self.revoked.add(self.token)
        self.token = token or self.token

    def asked(self, method: str) -> list[Call]:
        """Return the calls of a method."""
        return [call for call in self.calls if call.method == method]

    @property
    def connection(self) -> Connection:
        """Return the connection to it."""
        extra = {"base_url": f"{self.url}/api/", "app_token": self.app_token}
        return Connection("slack_api_default", "slack", password=self.token, extra=extra)

    def tools(self, **more: Any) -> Tools:
        """Return what a channel may use, with the token of the moment."""
        return Tools(lambda _: self.connection, **{"within": 5, **more})

    def click(self, user: str, message: Posted, action: str | dict[str, Any], **more: Any) -> Click:
        """Press a button that is there, or one that was there once, as a user of the workspace."""
        button = message.button(action) if isinstance(action, str) else action
        with self.lock:
            response = f"{self.url}/response/{len(self._responses)}"
            self._responses[response.removeprefix(self.url)] = message
            room = self.rooms[message.room]
        shown = {"channel": {"id": room.id, "name": room.name}, "message": message.shown(True)}
        return self.sockets.click(user, button, {**shown, "response_url": response, **more})

    def reply(self, request: Request) -> Reply:
        """Answer a request, and remember it."""
        if request.path in self._responses:
            return self._respond(request)
        method = request.path.removeprefix("/api/")
        fields = _fields(request)
        with self.lock:
            fault = self._fault(method)
            try:
                answer = self._broken(fault) or _reply({"ok": True, **self._answer(method, fields, request)})
            except Refused as error:
                answer = error.reply
            if fault and fault.kind in {"lost", "late"}:
                answer = Reply(is_lost=True, delay=HANGS if fault.kind == "late" else 0)
            self.calls.append(Call(method, fields, answer, self.now()))
            return answer

    def reply_through(self, request: Request) -> Reply:
        """Answer a request that came through a proxy, which names the whole address."""
        return self.reply(request._replace(target=f"/api/{request.target.rpartition('/')[2]}"))

    def _fault(self, method: str) -> Fault | None:
        for fault in (*self._faults.get(method, ()), *self._faults.get("*", ())):
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _broken(self, fault: Fault | None) -> Reply | None:
        """Return the answer of a Slack that is broken; nothing where the request is carried out."""
        if fault is None or fault.kind in {"lost", "late"}:
            return None
        if fault.kind == "ratelimited":
            raise Refused("ratelimited", status=429, retry_after=fault.retry_after)
        broken = {
            "500": Reply(500, "<html>Server Error</html>"),
            "503": Reply(503, '{"ok": false, "error": "service_unavailable"}'),
            "hang": Reply(200, "{}", delay=HANGS),
            "cut": Reply(is_lost=True),
            "garbage": Reply(200, "<html>not Slack at all"),
        }
        if fault.kind in broken:
            return broken[fault.kind]
        raise Refused(fault.kind)

    def _answer(self, method: str, fields: dict[str, Any], request: Request) -> dict[str, Any]:
        self._authorise(method, request.headers.get("Authorization", ""))
        if method.startswith("conversations.") and request.body.startswith("{"):
            raise Refused("invalid_arguments")  # these take forms only
        methods = {
            "apps.connections.open": lambda _: {"url": self.sockets.ticket()},
            "auth.test": lambda _: {"url": self.url, "team_id": TEAM, "user_id": "U0BOT00001", "bot_id": BOT},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.postEphemeral": self._whisper,
            "chat.getPermalink": self._permalink,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.list": self._list,
            "conversations.info": lambda fields: {"channel": self._found(fields).described()},
        }
        if method not in methods:
            raise Refused("unknown_method")
        return methods[method](fields)

    def _authorise(self, method: str, header: str) -> None:
        token = header.removeprefix("Bearer ")
        is_app = method == "apps.connections.open"
        if not token:
            raise Refused("not_authed")
        if token in self.revoked:
            raise Refused("token_revoked")
        if token != (self.app_token if is_app else self.token):
            raise Refused("not_allowed_token_type" if token in {self.app_token, self.token} else "invalid_auth")
        needed = NEEDED.get(method, "")
        if needed and needed not in self.scopes:
            raise Refused("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))

    def _found(self, fields: dict[str, Any], *, by_name: bool = False) -> Room:
        """Return the room that is asked for; all methods but one want its id."""
        name = str(fields.get("channel", ""))
        named = [room for room in self.rooms.values() if by_name and room.name == name.removeprefix("#")]
        room = self.rooms.get(name) or next(iter(named), None)
        if room is None or (room.is_private and not room.is_member):
            raise Refused("channel_not_found")
        return room

    def _ts(self) -> str:
        self._newest = max(self._newest + 1, int(self.now() * 1_000_000))
        return f"{self._newest // 1_000_000}.{self._newest % 1_000_000:06d}"

    def _check(self, fields: dict[str, Any], longest: int) -> None:
        error, messages = of_message(fields, longest)
        signs = [
            each for text in (fields.get("text") or "", *formatted(fields.get("blocks"))) for each in unescaped(text)
        ]
        self.objections += [f"not escaped: {each}" for each in signs] + [error] * bool(error) + messages
        if error:
            raise Refused(error, **({"response_metadata": {"messages": messages}} if messages else {}))

    def _limit(self, times: list[float], number: int, seconds: float) -> None:
        """Refuse what comes too often, and say when there is room again."""
        recent = [moment for moment in times if moment > self.now() - seconds]
        if self.keeps_rates and len(recent) >= number:
            wanted = math.ceil(recent[-number] + seconds - self.now())
            raise Refused("ratelimited", status=429, retry_after=max(wanted, 1))
        times[:] = [*recent, self.now()]

    def _post(self, fields: dict[str, Any]) -> dict[str, Any]:
        room = self._found(fields, by_name=True)
        if room.is_archived:
            raise Refused("is_archived")
        if not room.is_member and "chat:write.public" not in self.scopes:
            raise Refused("not_in_channel")
        above = fields.get("thread_ts") or ""
        if above and room.thread(above) is None:
            raise Refused("thread_not_found")
        if fields.get("reply_broadcast") and not above:
            self.objections.append("reply_broadcast outside of a thread")
        self._check(fields, POSTED)
        self._limit(room.posts, self.burst, self.burst)
        posted = Posted(self._ts(), room.id, thread_ts=above, is_broadcast=bool(fields.get("reply_broadcast")))
        posted.say(fields)
        room.messages.append(posted)
        return {"channel": room.id, "ts": posted.ts, "message": posted.shown(False)}

    def _update(self, fields: dict[str, Any]) -> dict[str, Any]:
        room = self._found(fields)
        if room.is_archived:
            raise Refused("is_inactive")
        message = room.message(str(fields.get("ts")))
        if message is None:
            raise Refused("message_not_found")
        if message.by != BOT:
            raise Refused("cant_update_message")
        self._check(fields, UPDATED)
        self._limit(self._updates, 50, 60)
        message.say(fields)
        return {"channel": room.id, "ts": message.ts, "text": message.text, "message": message.shown(False)}

    def _whisper(self, fields: dict[str, Any]) -> dict[str, Any]:
        room = self._found(fields, by_name=True)
        self._check(fields, POSTED)
        self.whispers.append((room.id, str(fields["user"]), fields["text"]))
        return {"message_ts": self._ts()}

    def _permalink(self, fields: dict[str, Any]) -> dict[str, Any]:
        room, ts = self._found(fields), str(fields.get("message_ts"))
        if room.message(ts) is None:
            raise Refused("message_not_found")
        return {"channel": room.id, "permalink": f"{self.url}/archives/{room.id}/p{ts.replace('.', '')}"}

    def _readable(self, fields: dict[str, Any]) -> Room:
        room = self._found(fields)
        if room.is_private and "groups:history" not in self.scopes:
            raise Refused("missing_scope", needed="groups:history", provided=",".join(sorted(self.scopes)))
        if not room.is_member:
            raise Refused("not_in_channel")
        return room

    def _history(self, fields: dict[str, Any]) -> dict[str, Any]:
        shown = [each for each in self._readable(fields).standing if each.is_broadcast or not each.thread_ts]
        return _page([each for each in reversed(shown) if each.ts > str(fields.get("oldest", ""))], fields)

    def _replies(self, fields: dict[str, Any]) -> dict[str, Any]:
        room, above = self._readable(fields), str(fields.get("ts"))
        thread = room.thread(above)
        if thread is None:
            raise Refused("thread_not_found")
        return _page([each for each in thread if each.ts > str(fields.get("oldest", "")) or each.ts == above], fields)

    def _list(self, fields: dict[str, Any]) -> dict[str, Any]:
        wanted = str(fields.get("types", "public_channel")).split(",")
        if "private_channel" in wanted and "groups:read" not in self.scopes:
            raise Refused("missing_scope", needed="groups:read", provided=",".join(sorted(self.scopes)))
        rooms = [
            room for room in self.rooms.values() if room.sort in wanted and (room.is_member or not room.is_private)
        ]
        first, most = int(fields.get("cursor") or 0), int(fields.get("limit") or 100)
        last = first + most
        more = str(last) if last < len(rooms) else ""
        return {
            "channels": [room.described() for room in rooms[first:last]],
            "response_metadata": {"next_cursor": more},
        }

    def _respond(self, request: Request) -> Reply:
        """Take what is sent to the address in a click: for the eyes of who clicked, or in place of the message."""
        fields = json.loads(request.body)
        message = self._responses[request.path]
        with self.lock:
            self.calls.append(Call("response_url", fields, _reply({"ok": True}), self.now()))
            if fields.get("replace_original"):
                message.say(fields)
            else:
                self.whispers.append((message.room, "", str(fields.get("text"))))
        return Reply(200, "ok")


def _page(messages: list[Posted], fields: dict[str, Any]) -> dict[str, Any]:
    first, most = int(fields.get("cursor") or 0), min(int(fields.get("limit") or 100), 999)
    last = first + most
    with_metadata = str(fields.get("include_all_metadata", "")) in {"1", "true", "True"}
    return {
        "messages": [message.shown(with_metadata) for message in messages[first:last]],
        "has_more": last < len(messages),
        "response_metadata": {"next_cursor": str(last) if last < len(messages) else ""},
    }


def _fields(request: Request) -> dict[str, Any]:
    if "json" in request.headers.get("Content-Type", ""):
        return dict(json.loads(request.body or "{}"))
    return dict(parse_qsl(request.body)) | {name: values[0] for name, values in request.query.items()}


def _reply(body: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(body), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


@contextmanager
def slack(**settings: Any) -> Iterator[Slack]:
    """Run a Slack until the block ends, which fails if something was sent against Slack's rules."""
    made = Slack(**settings)
    with recording_server(made.reply) as server, made.sockets.serving():
        made.url = server.url
        yield made
    assert not made.objections, Counter(made.objections)
