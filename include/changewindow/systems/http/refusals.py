"""Reads what a product answers when it refuses a request: why, and until when it wants quiet."""

from datetime import UTC, datetime

import httpx

QUIET = 60
"""Seconds to stop asking when a product limits the rate and does not say for how long."""
DAY = 86400
LONGEST = 200
"""Characters of a reason."""


def wants_quiet(reply: httpx.Response) -> bool:
    """Return whether a refusal is a rate limit; GitHub uses 403 for that, too."""
    if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return True
    is_spent = "retry-after" in reply.headers or reply.headers.get("x-ratelimit-remaining") == "0"
    return reply.status_code == httpx.codes.FORBIDDEN and (is_spent or "rate limit" in reason_of(reply).lower())


def quiet_until(reply: httpx.Response, now: datetime) -> datetime:
    """Return when asking is allowed again: after some seconds (PagerDuty), or at a moment (GitHub, GitLab)."""
    after = reply.headers.get("retry-after", "")
    reset = reply.headers.get("x-ratelimit-reset") or reply.headers.get("ratelimit-reset", "")
    seconds = 0.0
    if after.isdecimal():
        seconds = int(after)
    elif reset.isdecimal():
        seconds = int(reset) - now.timestamp() if int(reset) > DAY else int(reset)
    return datetime.fromtimestamp(now.timestamp() + (min(seconds, DAY) if seconds > 0 else QUIET), UTC)


def reason_of(reply: httpx.Response) -> str:
    """Return the reason in the body of a refusal, on one line; empty where it gives none."""
    try:
        body = reply.json()
    except ValueError:
        return ""
    errors = body.get("errors") if isinstance(body, dict) else None
    for key in ("error_description", "message", "error", "message"):
        body = body.get(key, body) if isinstance(body, dict) else body
    reasons = [body, *(errors if isinstance(errors, list) else ())]
    return " ".join(" ".join(reason for reason in reasons if isinstance(reason, str)).split())[:LONGEST]
