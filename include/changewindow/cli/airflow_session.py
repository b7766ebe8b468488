"""Guards password and token on their way to Airflow: where they may go, and what signs a request."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests

from changewindow.documents.text import visible
from changewindow.errors import PlatformError

REDIRECTS = range(300, 400)


@dataclass(frozen=True)
class Signature(requests.auth.AuthBase):
    """What signs each request; where there is none of ours, `requests` takes one from a .netrc."""

    token: str = field(default="", repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        if self.token:
            request.headers["Authorization"] = self.token
        return request


def unsigned() -> requests.Session:
    """Return a session whose requests are signed by nothing; proxies and authorities are those of the environment."""
    session = requests.Session()
    session.auth = Signature()
    return session


def require_safe_address(session: requests.Session, url: str, *, allow_http: bool) -> None:
    """Refuse an address to which a password must not go.

    Raises:
        PlatformError: it is no address of the web, or over a network without encryption.
    """
    host, is_web = _host(url)
    if not host or not is_web:
        raise PlatformError(f"{visible(url)!r} is no address of Airflow. Write it like https://airflow.example.com.")
    if _is_loopback(host):
        session.proxies = {"no_proxy": "*"}  # what is on this machine goes over no network
    elif url.lower().startswith("http://") and not allow_http:
        sentence = f"The password would go to {host} in the clear. Write https://"
        raise PlatformError(f"{sentence}, or --allow-http where only a network that you trust lies between.")


def elsewhere(reply: requests.Response) -> str:
    """Return what to do about a redirect, without what its address may say besides."""
    there = visible(reply.headers.get("Location", "nowhere").partition("?")[0][:200])
    reason = "that is not followed, as password and token would go there"
    return f"{reply.status_code}, what is asked for is at {there}; {reason}. Write the address of Airflow itself"


def why(error: Exception) -> str:
    """Return why there is no answer, and what to do."""
    if isinstance(error, requests.exceptions.SSLError):
        reason: BaseException = error
        while reason.__context__ is not None:
            reason = reason.__context__
        return f"{reason}. Is it the right address? Name the authority of its certificate with --ca-file"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy did not let it through. Correct HTTPS_PROXY or NO_PROXY in the environment"
    if isinstance(error, requests.exceptions.JSONDecodeError):
        return "the answer is not JSON. Is that the address of Airflow?"
    if isinstance(error, requests.RequestException):
        return f"{type(error).__name__}. Is Airflow running there?"
    return visible(f"{error}")


def _host(url: str) -> tuple[str, bool]:
    """Return the host of an address, and whether it is one of the web without an account in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "", False
    return parts.hostname or "", parts.scheme in {"http", "https"} and "@" not in parts.netloc


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
