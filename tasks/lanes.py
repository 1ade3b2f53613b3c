"""Lanes: how primary and retry lane share the work."""

from __future__ import annotations

# The retry lane's share of the work while both lanes wait.
RETRY_SHARE = 0.3


def retry_share(*, primary: int, retry: int) -> float:
    """Return the retry lane's share of the work.

    Bounded while both lanes wait, and less as the retry lane grows past the primary, so that a
    retry storm cannot starve new work; all of it when nothing else waits.
    """
    if not retry:
        return RETRY_SHARE
    return round(RETRY_SHARE * min(1.0, primary / retry), 4) if primary else 1.0
