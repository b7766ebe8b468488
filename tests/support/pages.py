"""The pages without Airflow: the test says who looks, and when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from starlette.types import Scope

from changewindow.changes.viewer import NotLoggedIn, Viewer
from changewindow.cli.standalone import ROOT
from changewindow.ledger.database import Ledger
from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy
from changewindow.web.app import application
from changewindow.web.headers import Headers
from changewindow.web.visit import Surroundings
from support.changes import NOW

FILES = (ROOT / "include/policy", ROOT / "include/templates")
VIEWERS = {
    "viewer": Viewer("vera", sees_every_dag=True, identity="vera"),
    "user": Viewer("alice", sees_every_dag=True, may_act=True, identity="alice"),
    "who may see one change": Viewer("olga", False, frozenset({"CHG-1001"}), may_act=True, identity="olga"),
    "who may see nothing": Viewer("noah", sees_every_dag=False, identity="noah"),
}
"""Who may look, beside nobody."""


@dataclass
class Pages:
    """The pages of one ledger."""

    ledger: Callable[[], Ledger]
    policy: Callable[[], Policy] = lambda: load_policy(*FILES)
    policy_files: tuple[Path, Path] = FILES
    """The folders of the same policy, for what judges tickets in a process of its own."""
    now: datetime = NOW
    viewer: Viewer | None = VIEWERS["user"]
    """Who looks; None is nobody whom Airflow knows."""
    asked: int = 0
    """How often it was asked who looks."""
    base: str = ""
    """The path below which a proxy shows them."""
    known: dict[str, Viewer] = field(default_factory=lambda: {each.identity: each for each in VIEWERS.values()})
    """Whom Airflow knows without a log-in, by their identity."""
    app: Headers = field(init=False)
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        here = (self._looking, self.ledger, self.policy, lambda: self.policy_files, f"{self.base}/", lambda: self.now)
        self.app = app = application(Surroundings(*here, viewer_of=self._known))
        self.routes = app.app.app.routes
        self.client = TestClient(app, root_path=self.base, raise_server_exceptions=False)

    async def _looking(self, _scope: Scope) -> Viewer:
        self.asked += 1
        if self.viewer is None:
            raise NotLoggedIn
        return self.viewer

    def _known(self, identity: str) -> Viewer:
        if identity not in self.known:
            raise NotLoggedIn
        return self.known[identity]

    def get(self, path: str, *, viewer: str = "user", **query: Any) -> str:
        """Return a page as somebody sees it, which has to be there."""
        self.viewer = VIEWERS[viewer]
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def status(self, path: str, *, viewer: str | None = "user", **query: Any) -> int:
        """Return the status of an answer to somebody, or to nobody."""
        self.viewer = VIEWERS[viewer] if viewer else None
        return self.client.get(path, params=query, follow_redirects=False).status_code
