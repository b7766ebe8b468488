"""Adds to every answer what tells browsers how far to trust it: nothing of others, nothing inline, no foreign frame."""

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'self'"
)
"""Content Security Policy Level 3. The nonce is for the one library that adds a style sheet while it runs."""
KEPT = "private, max-age=31536000, immutable"
"""For files whose address changes with them."""
FEED = re.compile(r"(?<!/calendar)(/feed/).*", re.IGNORECASE | re.DOTALL)
"""Where the feeds lie: what follows in the path is their token. Below the calendar are the forms that make one."""


def hide_token(scope: Scope) -> None:
    """Take the token of a feed out of the path of a request, however it is mistyped; once a route has been found by it.

    Servers write their access log from this when the answer begins, or after it: a token is no less than a password.
    """
    base, path = scope.get("root_path", ""), scope["path"]
    start = base if path.startswith(base) else ""
    scope["path"] = start + FEED.sub(r"\1....ics", path.removeprefix(start))


class Headers:
    """The pages with the headers of their answers, those about what broke included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                hide_token(scope)
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)
