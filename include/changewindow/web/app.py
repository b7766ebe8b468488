"""The pages as one application, for Airflow's API server to mount."""

from collections.abc import Mapping

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from changewindow.changes.viewer import NotForYou, NotLoggedIn
from changewindow.errors import AuthorError, BadPolicy, ChangeError, LedgerDown, LedgerUnknown
from changewindow.web import feed, menu, rendering
from changewindow.web.headers import KEPT, Headers, hide_token
from changewindow.web.same_origin import NotFromHere
from changewindow.web.turns import Turns
from changewindow.web.visit import LoggedIn, Surroundings

STATUSES: Mapping[type[Exception], int] = {
    NotLoggedIn: 401,
    NotForYou: 403,
    NotFromHere: 403,
    LedgerUnknown: 404,
    LedgerDown: 503,
    BadPolicy: 503,
    AuthorError: 400,
}
"""The status of an answer by what went wrong; of whatever else we raise, 500."""
files = StaticFiles(directory=rendering.STATIC)
own = APIRouter()


def application(surroundings: Surroundings) -> Headers:
    """Return the pages; every route of them asks who looks."""
    app = FastAPI(title="Change Windows", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.surroundings = surroundings
    for page in menu.modules():
        app.include_router(page.router)
    app.include_router(feed.router)
    app.include_router(own)
    app.add_exception_handler(ChangeError, refuse)
    app.add_exception_handler(HTTPException, refuse)
    app.add_exception_handler(Exception, refuse)
    return Headers(Turns(app))


@own.get("/")
def first(visit: LoggedIn) -> Response:
    """Lead to the first page."""
    return RedirectResponse(visit.path(menu.items()[0].path))


@own.get("/static/{path:path}")
async def static(path: str, visit: LoggedIn) -> Response:
    """Return a file that pages load."""
    answer = await files.get_response(path, visit.request.scope)
    answer.headers["Cache-Control"] = KEPT
    return answer


async def refuse(request: Request, error: Exception) -> Response:
    """Return the page that says what went wrong, and what to do now."""
    hide_token(request.scope)
    if isinstance(error, HTTPException):
        status, sentence = error.status_code, f"{request.url.path}: {error.detail}."
    elif isinstance(error, ChangeError):
        status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
        sentence = str(error)
    else:
        status, sentence = 500, "This page could not be made. The log of Airflow's API server says why."
    surroundings: Surroundings = request.app.state.surroundings
    text = rendering.page(
        "error.html",
        sentence=sentence,
        status=status,
        base=request.scope.get("root_path", ""),
        airflow_root=surroundings.airflow,
    )
    return Response(text, status, getattr(error, "headers", None), media_type="text/html")
