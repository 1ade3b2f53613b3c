"""For how long a provider asks not to be called."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

_SHORTEST, _LONGEST = 1.0, 3600.0
# Moments are told in seconds or in milliseconds since 1970; these are so many in the year 5138.
_MOST_SECONDS = 1e11


def asked_for(*sources: Mapping[str, Any], now: float | None = None) -> float | None:
    """Return the seconds that Retry-After (RFC 9110) or X-RateLimit-Reset ask for, within bounds.

    None when no source has either; the first that has one counts.
    """
    now = time.time() if now is None else now
    for source in sources:
        told = {str(name).lower(): str(value).strip() for name, value in source.items()}
        seconds = _retry_after(told.get("retry-after", ""), now)
        if seconds is None:
            seconds = _reset(told.get("x-ratelimit-reset", ""), now)
        if seconds is not None:
            return min(max(seconds, _SHORTEST), _LONGEST)
    return None


def _retry_after(value: str, now: float) -> float | None:
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.timestamp() - now


def _reset(value: str, now: float) -> float | None:
    moment = _number(value)
    if moment is None:
        return None
    return (moment / 1000 if moment > _MOST_SECONDS else moment) - now


def _number(value: str) -> float | None:
    # No more digits than a moment in microseconds has.
    return float(value) if value.replace(".", "", 1).isdecimal() and len(value) <= 20 else None
