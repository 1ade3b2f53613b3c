"""Directions: vectors scaled to length 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

MAX_DIMENSION = 4_096


class NoDirection(ValueError):
    """The vector has no direction: it is zero, or has numbers that are not finite."""


def direction(vector: Sequence[float]) -> list[float]:
    """Return the vector scaled to length 1; raise NoDirection."""
    try:
        components = [float(component) for component in vector]
    except OverflowError:
        raise NoDirection("a number is too large") from None
    if not 1 <= len(components) <= MAX_DIMENSION:
        raise NoDirection(f"it must have 1 to {MAX_DIMENSION} numbers")
    if not all(map(math.isfinite, components)):
        raise NoDirection("a number is not finite")
    # Divided by the largest first, so that the squares neither overflow nor underflow.
    largest = max(map(abs, components))
    if not largest:
        raise NoDirection("all its numbers are zero")
    scaled = [component / largest for component in components]
    length = math.hypot(*scaled)
    return [component / length for component in scaled]
