"""Debian's Chromium, and what goes wrong in its tabs."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Frame, Page, Request, Response, sync_playwright
from starlette.types import ASGIApp

from support.ports import free_port

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""Without its window where Debian has it so: to draw pages and a window that nobody sees takes twice as long."""
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
needed = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: make services installs it")
"""For tests that look at pages."""
ESCAPES = "allow-scripts and allow-same-origin for its sandbox attribute can escape"
"""Chromium warns of the frame in which Airflow shows pages of plugins."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; within one module only, for its event loop stands in the way of those of other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application; give its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="warning", lifespan="off", ws="none"))
    listener = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Trouble:
    """What went wrong in the tabs of a browser, and what they have loaded."""

    address: str
    """Of the server from which everything has to come."""
    found: list[str] = field(default_factory=list)
    loaded: list[Response] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Keep what happens in the tabs of a context."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and ESCAPES not in message.text:
            self.found.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        is_ours = request.url.startswith((f"{self.address}/", "data:", "blob:"))
        if not is_ours:
            self.found.append(f"a request to others: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left, or a file that is saved
            self.found.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        self.loaded.append(response)
        if response.status >= 400:
            self.found.append(f"{response.status}: {response.url}")

    def _dialog(self, dialog: Any) -> None:
        self.found.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def weight(self) -> dict[str, int]:
        """Return how many bytes each address has sent, as they are before they are packed."""
        return {urlsplit(each.url).path: len(each.body()) for each in self.loaded if each.status == 200}


@contextmanager
def tab(
    browser: Browser, address: str, *, width: int = 1280, zoom: int = 1, **wanted: Any
) -> Iterator[tuple[Page, Trouble]]:
    """Open a tab in a browser that knows nothing yet; at a zoom of 2 everything is twice as large."""
    size = {"width": width // zoom, "height": 900 // zoom}
    context = browser.new_context(base_url=address, viewport=size, device_scale_factor=zoom, **wanted)
    context.set_default_timeout(30_000)
    trouble = Trouble(address)
    trouble.watch(context)
    try:
        yield context.new_page(), trouble
    finally:
        context.close()


def violations(place: Page | Frame) -> list[str]:
    """Return what axe-core has against a page, with all its parts opened."""
    place.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    if not place.evaluate("'axe' in window"):
        place.evaluate(AXE.read_text(encoding="utf-8"))
    result = place.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]} {json.dumps([one['message'] for one in node['any']])}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


REACHED = """() => {
  window.reached = new Set();
  document.addEventListener("focusin", (event) => window.reached.add(event.target));
}"""
NOT_REACHED = """() =>
  [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((each) => each.checkVisibility({visibilityProperty: true}) && !each.disabled && each.type !== "radio")
  .filter((each) => !window.reached.has(each)).map((each) => each.outerHTML.slice(0, 200))"""


def not_reached(page: Page) -> list[str]:
    """Return what of a page cannot be reached with the Tab key."""
    page.evaluate(REACHED)
    missing: list[str] = page.evaluate(NOT_REACHED)
    for _ in range(6 * len(missing) + 20):  # a field for a date has several parts
        page.keyboard.press("Tab")
        if not (missing := page.evaluate(NOT_REACHED)):
            break
    return missing
