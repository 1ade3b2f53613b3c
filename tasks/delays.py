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
        allowed = f"0 to {DELAY_LIMIT:.0f} seconds (ten years)"
        raise ValueError(f"must be {allowed}, not {_short(delay)}.")
    return float(delay)


def checked_seconds(delay: Any, *, of: str = "delay") -> float:
    """Return `seconds(delay)`; raise ValueError with a whole sentence."""
    try:
        return seconds(delay)
    except ValueError as error:
        raise ValueError(f"The {of} {error}") from None


def _short(delay: Any) -> str:
    text = repr(delay)
    return text if len(text) <= 40 else f"{text[:40]}…"
