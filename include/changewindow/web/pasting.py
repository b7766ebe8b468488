"""Reads what somebody sends to a page, within limits of bytes and time, and only from a page of ours."""

import asyncio

from fastapi import Request

from changewindow.errors import BadRequest
from changewindow.web.same_origin import require_own_page

MOST = 2 * 2**20
"""Bytes that are read; Airflow's API takes as many about a DAG of ours."""
SECONDS = 10.0
"""How long somebody may take to send them."""


async def body_of(request: Request) -> bytes:
    """Return the body of a request that a page of ours sends.

    Raises:
        NotFromHere: another site sends it.
        BadRequest: it is too large, or takes too long.
    """
    require_own_page(request)
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
