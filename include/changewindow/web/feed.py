"""The calendar feed of a user: forms make and revoke its address, and a calendar program fetches it without log-in."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from changewindow.changes.calendar_feed import feed
from changewindow.changes.viewer import NotLoggedIn, Viewer
from changewindow.errors import BadRequest
from changewindow.ledger import feeds
from changewindow.ledger.planned import Wanted
from changewindow.web.naming_changes import told
from changewindow.web.same_origin import own_origin, require_own_page
from changewindow.web.visit import LoggedIn, Surroundings

router = APIRouter()
FILTERS = ("service", "environment", "owner")
HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Disposition": 'inline; filename="change-windows.ics"',
}
GONE = (
    "There is no feed at this address, or it was revoked. Make a new address on the Calendar page of Change Windows in "
    "Airflow."
)


@router.post("/calendar/feed")
def make(visit: LoggedIn) -> Response:
    """Make the address of a feed of who looks, and show it this once; one of before ends."""
    origin = own_origin(visit.request)
    if not visit.viewer.identity:
        raise BadRequest(
            "Airflow's auth manager cannot say later what you may see, so there are no feeds. Open the Calendar page."
        )
    token = feeds.make(visit.ledger, visit.viewer.identity, now=visit.now)
    filters = {name: visit.request.query_params.get(name) for name in FILTERS}
    return visit.show("calendar_feed.html", address=f"{origin}{visit.path(f'feed/{token}.ics', **filters)}")


@router.post("/calendar/feed/revoke")
def revoke(visit: LoggedIn) -> Response:
    """End the feed of who looks, and lead back to the calendar."""
    require_own_page(visit.request)
    feeds.revoke(visit.ledger, visit.viewer.identity)
    return RedirectResponse(visit.path("calendar") + "#subscribe", 303)


@router.api_route("/feed/{token}.ics", methods=["GET", "HEAD"])
def fetch(token: str, request: Request) -> Response:
    """Return the changes that the user whose feed it is may see now; the token alone proves it."""
    surroundings: Surroundings = request.app.state.surroundings
    # Not `base_url`, which knows nothing of the path at which Airflow has mounted the pages.
    link = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}/changes/"
    viewer = _viewer(surroundings, token)
    if viewer is None:
        return PlainTextResponse(GONE, 404, headers=HEADERS)
    wanted = Wanted(**{name: request.query_params.get(name, "").strip() for name in FILTERS})
    text = feed(
        surroundings.ledger(),
        wanted,
        numbers=viewer.numbers,
        now=surroundings.now(),
        link=lambda change: f"{link}{change}",
        told=lambda reason: told(reason, viewer),
    )
    return Response(text, media_type="text/calendar", headers=HEADERS)


def _viewer(surroundings: Surroundings, token: str) -> Viewer | None:
    """Return whose feed a token opens, as somebody who looks now; None: nobody's."""
    user = feeds.user_of(surroundings.ledger(), token)
    try:
        return surroundings.viewer_of(user) if user else None
    except NotLoggedIn:
        return None
