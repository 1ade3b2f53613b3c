"""Delays: for how long a task may be postponed."""

from __future__ import annotations

import datetime as dt
from numbers import Real
from typing import Any

# Ten years, in seconds: longer is a mistake, and far from what timestamps can hold.
DELAY_LIMIT = 10 * 365 * 86_400.0

Delay = float | dt.timedelta


def seconds(delay: Any) -> float:
    """Return a number of seconds or a timedelta as seconds, at most DELAY_LIMIT; raise ValueError.

    The message completes a sentence that begins with the delay's name.
    """
    if isinstance(delay, dt.timedelta):
        delay = delay.total_seconds()
    if not isinstance(delay, Real) or isinstance(delay, bool):
        raise ValueError(f"must be a number of seconds or a timedelta, not {type(delay).__name__}.")
    # Compared before it is converted, because a large integer overflows; NaN is within no bounds.
    if not (delay >= 0 and delay <= DELAY_LIMIT):  # type: ignore[operator]
        raise ValueError(f"must be 0 to {DELAY_LIMIT:.0f} seconds (ten years), not {delay!r}.")
    return float(delay)
