"""Signs what is sent to a service of the operator's own, after the Standard Webhooks specification.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from changewindow.errors import UnusableConnection
from changewindow.systems.connection import Connection

SECRET = "whsec_"  # noqa: S105  it is the prefix of all of them
NEEDS = f"{SECRET} and the base64 of 24 to 64 random bytes, as `echo {SECRET}$(openssl rand -base64 32)` prints"


def signing_headers(connection: Connection, identity: str, sent: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a JSON body, by which its receiver verifies it and knows it again.

    Raises:
        UnusableConnection: the connection has no secret that can sign.
    """
    keys, second = keys_of(connection), str(int(sent.timestamp()))
    signed = f"{identity}.{second}.".encode() + body
    return {
        "Content-Type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": second,
        "webhook-signature": " ".join(signature(key, signed) for key in keys),
    }


def signature(key: bytes, signed: bytes) -> str:
    """Return a signature, with the version of how it is made."""
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def keys_of(connection: Connection) -> list[bytes]:
    """Return the keys that sign: two of them while one replaces the other.

    Raises:
        UnusableConnection: the password is none, or holds something else.
    """
    try:
        keys = [base64.b64decode(secret.removeprefix(SECRET), validate=True) for secret in connection.password.split()]
    except (binascii.Error, ValueError):
        keys = []
    is_marked = all(secret.startswith(SECRET) for secret in connection.password.split())
    if not keys or not is_marked or not all(24 <= len(key) <= 64 for key in keys):
        raise UnusableConnection(connection.name, f"secret in its password that can sign; it must be {NEEDS}")
    return keys
