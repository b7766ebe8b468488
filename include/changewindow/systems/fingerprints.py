"""Fingerprints of values that may be secret: equal values have equal ones, and without the key they tell no value."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any

LENGTH = 16
SHOWN = re.compile(r"\bfingerprint (?=[0-9a-f]{16}\b)")
"""How one begins where entries show it."""


def fingerprint(key: bytes, secret: str | bytes) -> str:
    """Return what stands for a secret value: the same for the same one, and nobody can tell which it is."""
    raw = secret.encode(errors="surrogatepass") if isinstance(secret, str) else secret
    return f"fingerprint {hmac.new(key, raw, hashlib.sha256).hexdigest()[:LENGTH]}"


def forms(value: Any) -> Iterator[str]:
    """Yield every text of which a collector may show the fingerprint where it sees a value, however deep it lies.

    A Secret of Kubernetes holds a text in base64.
    """
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for inner in inside:
        yield from forms(inner)
    if not isinstance(value, Mapping) and value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield text
        yield base64.b64encode(text.encode(errors="surrogatepass")).decode()
