"""The one text of a value that digests and hashes are taken of."""

import hashlib
import json
from typing import Any


def canonical(data: Any) -> str:
    """Return canonical JSON: sorted keys, no spaces, UTF-8 (as RFC 8785, but for its form of numbers)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(data: Any) -> str:
    """Return the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()
