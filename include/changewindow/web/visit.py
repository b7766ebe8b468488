"""One request for a page: who looks, when, in which zone, and where the facts come from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Depends, Request
from starlette.responses import Response
from starlette.types import Scope

from changewindow.changes.viewer import NotForYou, NotLoggedIn, Viewer
from changewindow.documents.text import nearest
from changewindow.errors import BadRequest, LedgerUnknown
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.model import Policy
from changewindow.web import local_times, menu, naming_changes, rendering

ZONE_COOKIE = "change_windows_zone"
"""Holds the zone that was chosen last in this browser."""
YEAR = 365 * 24 * 3600


def utc_now() -> datetime:
    """Return the present, in UTC."""
    return datetime.now(UTC)


def nobody(identity: str) -> Viewer:
    """Say that nobody is known without a log-in.

    Raises:
        NotLoggedIn: always.
    """
    raise NotLoggedIn


@dataclass(frozen=True)
class Surroundings:
    """What pages need of the Airflow around them, and of this installation."""

    viewer: Callable[[Scope], Awaitable[Viewer]]
    """Return who sends a request; raises NotLoggedIn."""
    ledger: Callable[[], Ledger]
    policy: Callable[[], Policy]
    """Return the policy as its files are now; raises BadPolicy."""
    policy_files: Callable[[], tuple[Path, Path]]
    """Return the folders of the policy and of the standard changes, for a process that reads them itself."""
    airflow: str = "/"
    """The path below which Airflow's own pages lie, with a slash at its end."""
    now: Callable[[], datetime] = utc_now
    viewer_of: Callable[[str], Viewer] = nobody
    """Return what somebody may see now, by their identity; raises NotLoggedIn where Airflow knows them no more."""


@dataclass(frozen=True)
class Visit:
    """A request of somebody who is logged in."""

    request: Request
    viewer: Viewer
    surroundings: Surroundings
    zone: ZoneInfo

    @cached_property
    def now(self) -> datetime:
        """Return when the page is made."""
        return self.surroundings.now()

    @cached_property
    def ledger(self) -> Ledger:
        """Return the ledger."""
        return self.surroundings.ledger()

    @cached_property
    def policy(self) -> Policy:
        """Return the policy.

        Raises:
            BadPolicy: its files cannot be read.
        """
        return self.surroundings.policy()

    @property
    def base(self) -> str:
        """Return the path below which our pages lie, without a slash at its end, whatever proxies are in between."""
        return str(self.request.scope.get("root_path", ""))

    def path(self, page: str, **query: Any) -> str:
        """Return the address of a page of ours such as `now` or `changes/CHG-1042`; a query without what is None."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.base}/{page}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    def airflow(self, page: str) -> str:
        """Return the address of a page of Airflow's own such as `dags/CHG-1042`."""
        return f"{self.surroundings.airflow}{page}"

    def require(self, dag: str) -> None:
        """Let who looks go on if they may see a DAG, which decides about the whole page.

        Raises:
            NotForYou: they may not.
        """
        if not self.viewer.may_see(dag):
            raise NotForYou("This page", dag)

    def change(self, name: str) -> Change:
        """Return a change of the ledger.

        Raises:
            LedgerUnknown: there is none, or it is not shown to who looks; nobody can tell which.
        """
        if not self.viewer.may_see(name):
            raise LedgerUnknown(name)
        return changes.get(self.ledger, name)

    def told(self, text: str) -> str:
        """Return what is told of a change, as `local`, without the lines that name one that who looks may not see."""
        return self.local(naming_changes.told(text, self.viewer))

    def local(self, text: str) -> str:
        """Return a text with the moments in it as clocks show them in the zone of who looks."""
        return local_times.local(text, self.zone)

    def show(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        """Return a page made from a template of ours, which gets the visit and these facts."""
        entries = [item for item in menu.items() if item.dag is None or self.viewer.may_see(item.dag)]
        text = rendering.page(template, visit=self, menu=entries, **facts)
        answer = Response(text, status, media_type="text/html")
        if "zone" in self.request.query_params:
            path = self.base or "/"
            answer.set_cookie(ZONE_COOKIE, str(self.zone), max_age=YEAR, path=path, samesite="strict", httponly=True)
        return answer


def zone_of(request: Request) -> ZoneInfo:
    """Return the zone that was asked for, or else the one chosen last, or UTC.

    Raises:
        BadRequest: it is no zone.
    """
    asked = request.query_params.get("zone")
    name = asked or request.cookies.get(ZONE_COOKIE) or "UTC"
    if name in zones():
        return ZoneInfo(name)
    if asked:
        raise BadRequest(f"There is no time zone '{asked}'. Try '{nearest(asked, zones()) or 'Europe/Berlin'}'.")
    return ZoneInfo("UTC")


@cache
def zones() -> frozenset[str]:
    """Return the names of all zones; to search the disk for them takes longer than most pages."""
    return frozenset(available_timezones())


async def visit(request: Request) -> Visit:
    """Return the visit; every route depends on it.

    Raises:
        NotLoggedIn: nobody whom Airflow knows sends the request.
        BadRequest: it asks for a zone that there is not.
    """
    surroundings: Surroundings = request.app.state.surroundings
    viewer = await surroundings.viewer(request.scope)
    return Visit(request, viewer, surroundings, zone_of(request))


LoggedIn = Annotated[Visit, Depends(visit)]
