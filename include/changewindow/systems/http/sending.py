"""Sends something to the HTTP API of a product, and explains refusals with what to do about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from changewindow.errors import StepFailed
from changewindow.systems.connection import Connection
from changewindow.systems.http import json_path
from changewindow.systems.http.api import Product
from changewindow.systems.http.exchange import Replied, Request

LONGEST = 200
"""Characters of a reason that are shown."""
REFUSES_TOKEN = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
REFUSES_CONTENT = {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True)
class Receiver:
    """A product that is sent something, behind a connection."""

    product: Product
    connection: Connection
    within: float
    """Seconds that a request may take with its reply."""

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request with the product's own headers; return the JSON of the reply.

        Raises:
            StepFailed: it was refused, or no whole reply came in time.
            UnusableConnection: the connection does not have what the product needs.
        """
        has_login = self.product.takes_login and bool(self.connection.login)
        headers = {"Accept": self.product.accept} if has_login else self.product.headers(self.connection)
        login = self.connection.credentials if has_login else None
        replied = await self.deliver(method, path, body, headers=headers, login=login)
        try:
            return json_path.parsed(replied.text)
        except LookupError as error:
            problem = f"{self.product.name} answered {method} {path} without JSON"
            raise StepFailed(f"{problem}. Does the connection '{self.connection.name}' lead to its API?") from error

    async def deliver(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str],
        login: tuple[str, str] | None = None,
    ) -> Replied:
        """Send a request with these headers; return whatever was replied to it.

        Raises:
            StepFailed: it was refused, or no whole reply came in time.
            UnusableConnection: the connection does not say where the product is.
        """
        url = f"{self.product.located(self.connection).base_url}{path}"
        replied = await Request(method, url, body, headers, login, self.within).replied()
        if not httpx.codes.is_success(replied.status):
            raise StepFailed(self._refusal(replied))
        return replied

    def _refusal(self, replied: Replied) -> str:
        name, status = self.product.name, replied.status
        connection = f"the connection '{self.connection.name}'"
        answer = f"{status} {_reason(replied.text)}".strip()
        if status in REFUSES_TOKEN:
            return f"{name} refuses the password of {connection} ({answer}). It must be {self.product.needs}."
        if status in REFUSES_CONTENT:
            remedy = f"See whether the password of {connection} is {self.product.needs}"
            return f"{name} does not accept what it was sent ({answer}). {remedy}."
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return f"{name} was sent too much of late ({answer}). Send less, or with a token of your own."
        return f"{name} answered {answer}. Is it up, and does {connection} lead to its API?"


def _reason(text: str) -> str:
    """Return what the body of a refusal gives as its reason, on one line."""
    try:
        body = json_path.parsed(text)
    except LookupError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    reasons = [body.get("message"), body.get("error"), *(errors if isinstance(errors, list) else ())]
    return " ".join(" ".join(reason for reason in reasons if isinstance(reason, str)).split())[:LONGEST]
