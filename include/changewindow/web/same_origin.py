"""Lets only forms of our own pages change something: no other site acts with the cookies of who looks."""

from urllib.parse import urlsplit

from starlette.requests import Request

from changewindow.errors import ChangeError

FORM = "application/x-www-form-urlencoded"


class NotFromHere(ChangeError):
    """A request that no form of our own pages has sent."""

    def __init__(self) -> None:
        super().__init__(
            "This request does not come from a form of this page, so nothing was done. Open the page, and use its "
            "button. Behind a proxy without HTTPS, let it pass the header Host on."
        )


def own_origin(request: Request) -> str:
    """Return the origin under which the browser shows our pages, such as `https://airflow.example.com`.

    Browsers write both headers, and no page can. Over plain HTTP they do not say whether the site is the same, so that
    host and port are compared.

    Raises:
        NotFromHere: another site sends the request, or no browser, or no form.
    """
    headers = request.headers
    origin, site = headers.get("origin", ""), headers.get("sec-fetch-site")
    place = urlsplit(origin)
    is_same = site == "same-origin" if site is not None else place.netloc == headers.get("host")
    is_form = headers.get("content-type", "").partition(";")[0].strip().lower() == FORM
    if not (is_same and is_form and place.scheme in {"http", "https"} and place.netloc):
        raise NotFromHere
    return f"{place.scheme}://{place.netloc}"
