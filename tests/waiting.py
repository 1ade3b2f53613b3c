"""Waiting on a condition, never on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], *, within: float = 40.0, what: str = "") -> Found:
    """Return the first true value of a condition; fail when there is none within the seconds."""
    end = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what or condition}")
        time.sleep(0.02)
    return found
