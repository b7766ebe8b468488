"""Reads what somebody sends to a page, within limits of bytes and time, and only from a page of ours."""

import asyncio
from urllib.parse import urlsplit

from fastapi import Request

from changewindow.errors import BadRequest

MOST = 2 * 2**20
"""Bytes that are read; Airflow's API takes as many about a DAG of ours."""
SECONDS = 10.0
"""How long somebody may take to send them."""


async def body_of(request: Request) -> bytes:
    """Return the body of a request that a page of ours sends.

    Raises:
        BadRequest: another site sends it, it is too large, or takes too long.
    """
    _refuse_other_sites(request)
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(request)
    except TimeoutError as error:
        raise BadRequest(f"The text was not complete after {SECONDS:g} s. Send it again, whole.") from error


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST:
            raise BadRequest(f"The text is larger than the {MOST:,} bytes that are read here. Send less.")
    return bytes(body)


def _refuse_other_sites(request: Request) -> None:
    """Refuse what a browser sends for a page of another site; programs say neither, and have no log-in of a browser."""
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_other = site != "same-origin" if site else bool(origin) and urlsplit(str(origin)).netloc != headers.get("host")
    if is_other:
        raise BadRequest("This was sent by a page of another site. Open the page of Change Windows, and check there.")
