"""Retry-After: the delay that a service requests before the next call."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from typing import Any

from tasks.retry_after import header_number, retry_after_seconds

_SHORTEST, _LONGEST = 1.0, 3600.0
# X-RateLimit-Reset is in seconds or in milliseconds since 1970; this many seconds: the year 5138.
_MOST_SECONDS = 1e11


def requested_delay(
    *sources: Mapping[str, Any], reset_counts: bool = True, now: float | None = None
) -> float | None:
    """Return the seconds of Retry-After (RFC 9110), or else of X-RateLimit-Reset, within bounds.

    The first source with either of them counts; None without any. X-RateLimit-Reset is ignored
    unless `reset_counts`.
    """
    now = time.time() if now is None else now
    for source in sources:
        headers = {str(name).lower(): str(value).strip() for name, value in source.items()}
        seconds = retry_after_seconds(
            headers.get("retry-after", ""), now=dt.datetime.fromtimestamp(now, dt.UTC)
        )
        if seconds is None and reset_counts:
            seconds = _until_reset(headers.get("x-ratelimit-reset", ""), now)
        if seconds is not None:
            return min(max(seconds, _SHORTEST), _LONGEST)
    return None


def _until_reset(value: str, now: float) -> float | None:
    moment = header_number(value)
    if moment is None:
        return None
    return (moment / 1000 if moment > _MOST_SECONDS else moment) - now
