"""The canonical text of a value, from which digests are computed."""

import hashlib
import json
from typing import Any

ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
"""Made once: whoever checks a chain of thousands of events makes two texts of each."""


def canonical(data: Any) -> str:
    """Return canonical JSON: sorted keys, no spaces, UTF-8 (RFC 8785, except for the format of numbers)."""
    return ENCODER.encode(data)


def digest(data: Any) -> str:
    """Return the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()
