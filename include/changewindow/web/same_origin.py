"""Tells whether a page of ours sends a request: no other site acts with the cookies of who looks."""

from urllib.parse import urlsplit

from starlette.requests import Request

from changewindow.errors import ChangeError


class NotFromHere(ChangeError):
    """A request that no page of ours has sent."""

    def __init__(self) -> None:
        super().__init__(
            "This request was sent by a page of another site, so nothing was done. Open the page in Airflow, and use "
            "its button. Behind a proxy without HTTPS, let the proxy pass on the header Host."
        )


def require_own_page(request: Request) -> None:
    """Let through what a browser sends for a page of ours, and programs, which send no cookie but a token.

    Browsers write both headers, and no page can. Over plain HTTP they do not say whether the site is the same, so that
    host and port are compared.

    Raises:
        NotFromHere: it is neither.
    """
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        is_own = site == "same-origin"
    elif origin is not None:
        is_own = urlsplit(origin).netloc == headers.get("host")
    else:
        is_own = "cookie" not in headers
    if not is_own:
        raise NotFromHere


def own_origin(request: Request) -> str:
    """Return the origin under which the browser shows our pages, such as `https://airflow.example.com`.

    Raises:
        NotFromHere: no page of ours sends the request, or no browser does.
    """
    require_own_page(request)
    place = urlsplit(request.headers.get("origin", ""))
    if place.scheme not in {"http", "https"} or not place.netloc:
        raise NotFromHere
    return f"{place.scheme}://{place.netloc}"
