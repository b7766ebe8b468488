"""Reads Helm's releases from the Secrets that it keeps, without the values that were given to them."""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import datetime

from changewindow.documents.moments import utc
from changewindow.systems.kubernetes.resource import Json

TYPE = "helm.sh/release.v1"
LARGEST = 16 << 20
"""Bytes of a release when it is unpacked."""


@dataclass(frozen=True)
class Release:
    """A revision of a release."""

    name: str
    revision: int
    chart: str
    status: str
    at: datetime
    description: str


def release(secret: Json) -> Release:
    """Return the release in a Secret.

    Raises:
        KeyError, TypeError, ValueError: there is none that can be read.
    """
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    try:
        inflating = zlib.decompressobj(zlib.MAX_WBITS | 32)
        document = json.loads(inflating.decompress(packed, LARGEST) if packed[:2] == b"\x1f\x8b" else packed)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    info, chart = document["info"], document["chart"]["metadata"]
    return Release(
        str(document["name"]),
        int(document["version"]),
        f"{chart['name']} {chart.get('version', '')}".strip(),
        str(info["status"]),
        utc(info["last_deployed"]),
        str(info.get("description", "")),
    )
